"""Airflow's tables of DAGs: what is in use, paused, or to be parsed (Airflow 3.3.2).

Every function works in the caller's transaction, except where it says that it runs in the dag-processor.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

# The DAG bundle of the job types; `[dag_processor] dag_bundle_config_list` names it too.
BUNDLE_NAME = "job_types"


@dataclass(frozen=True)
class CurrentVersion:
    """What a new run of a DAG would run.

    Attributes:
        bundle_version: the version of the bundle that the run would be pinned to.
        id: of the newest version of the DAG.
    """

    bundle_version: str
    id: object


def current_version(session: Session, dag_id: str) -> CurrentVersion | None:
    """Return what a new run of a DAG would run; None: the DAG is out of use, or was never parsed."""
    row = session.execute(
        text(
            "SELECT dag.bundle_version, version.id FROM dag JOIN LATERAL ("
            " SELECT id FROM dag_version WHERE dag_version.dag_id = dag.dag_id ORDER BY version_number DESC LIMIT 1"
            ") AS version ON true"
            " WHERE dag.dag_id = :dag_id AND NOT dag.is_stale AND dag.bundle_version IS NOT NULL"
        ),
        {"dag_id": dag_id},
    ).one_or_none()
    return None if row is None else CurrentVersion(row.bundle_version, row.id)


def set_paused(session: Session, dag_id: str, *, paused: bool) -> None:
    """Pause or resume a DAG."""
    from airflow.models.dag import DagModel

    session.execute(update(DagModel).where(DagModel.dag_id == dag_id).values(is_paused=paused))


def paused_ids(session: Session, dag_ids: Collection[str]) -> set[str]:
    """Return which of these DAGs are paused."""
    from airflow.models.dag import DagModel

    paused = select(DagModel.dag_id).where(DagModel.dag_id.in_(dag_ids), DagModel.is_paused.is_(True))
    return set(session.scalars(paused))


def is_foreign(session: Session, dag_id: str) -> bool:
    """Return whether a DAG of this id is in use that is no job type, such as one in the dags folder."""
    from airflow.models.dag import DagModel

    bundle = session.scalar(select(DagModel.bundle_name).where(DagModel.dag_id == dag_id, DagModel.is_stale.is_(False)))
    return bundle is not None and bundle != BUNDLE_NAME


def unknown_pools(session: Session, pools: Collection[str]) -> set[str]:
    """Return which of these pools Airflow does not have."""
    from airflow.models.pool import Pool

    return set(pools) - set(session.scalars(select(Pool.pool).where(Pool.pool.in_(pools))))


def pools(session: Session) -> list[str]:
    """Return the names of Airflow's pools."""
    from airflow.models.pool import Pool

    return list(session.scalars(select(Pool.pool)))


def active_runs(session: Session, dag_id: str) -> int:
    """Return how many runs of a DAG are queued or running."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.state import DagRunState
    from sqlalchemy import func

    active = (DagRunState.QUEUED, DagRunState.RUNNING)
    return session.execute(select(func.count()).where(DagRun.dag_id == dag_id, DagRun.state.in_(active))).scalar_one()


def mark_stale(session: Session, dag_id: str) -> None:
    """Take the DAG of a job type out of use; its runs stay."""
    from airflow.models.dag import DagModel

    session.execute(
        update(DagModel).where(DagModel.dag_id == dag_id, DagModel.bundle_name == BUNDLE_NAME).values(is_stale=True)
    )


def ensure_bundle(session: Session) -> None:
    """Add the bundle's row, which the first start of a dag-processor writes otherwise."""
    from airflow.models.dagbundle import DagBundleModel

    if session.get(DagBundleModel, BUNDLE_NAME) is None:
        session.add(DagBundleModel(name=BUNDLE_NAME))
        session.flush()


def clear_import_error(session: Session, file: str) -> None:
    """Remove the import error of a file of the bundle."""
    from airflow.models.errors import ParseImportError

    session.execute(
        delete(ParseImportError).where(ParseImportError.bundle_name == BUNDLE_NAME, ParseImportError.filename == file)
    )


def request_parse(session: Session, file: str) -> None:
    """Ask the dag-processor to refresh the bundle and to parse a file of it before all others."""
    from airflow.models.dagbag import DagPriorityParsingRequest

    request = insert(DagPriorityParsingRequest).values(bundle_name=BUNDLE_NAME, relative_fileloc=file)
    session.execute(request.on_conflict_do_nothing())


def mark_deleted_stale() -> None:
    """Take every deleted type out of use again that a parse in flight brought back. Runs in the dag-processor."""
    from airflow.utils.session import create_session

    statement = text(
        """
        UPDATE dag SET is_stale = true
        WHERE bundle_name = :bundle AND NOT is_stale AND EXISTS (
            SELECT FROM coinrequest_revision AS deletion
            WHERE deletion.name = dag.dag_id AND deletion.change = 'delete' AND deletion.number = (
                SELECT max(number) FROM coinrequest_revision AS newest WHERE newest.name = dag.dag_id
            )
        )
        """
    )
    with create_session() as session:
        session.execute(statement, {"bundle": BUNDLE_NAME})


def mark_broken_stale(dag_ids: Collection[str], *, as_of: int) -> None:
    """Take types out of use whose definitions cannot be read. Runs in the dag-processor.

    Airflow itself would keep a DAG that is missing from its file in use for minutes.

    Args:
        as_of: the newest revision that the caller has seen; types that were changed since are left alone.
    """
    from airflow.utils.session import create_session

    statement = text(
        """
        UPDATE dag SET is_stale = true
        WHERE bundle_name = :bundle AND NOT is_stale AND dag_id = ANY(:names) AND NOT EXISTS (
            SELECT FROM coinrequest_revision AS newer WHERE newer.name = dag.dag_id AND newer.number > :as_of
        )
        """
    )
    with create_session() as session:
        session.execute(statement, {"bundle": BUNDLE_NAME, "names": list(dag_ids), "as_of": as_of})
