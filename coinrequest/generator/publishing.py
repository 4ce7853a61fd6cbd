"""Writes a job type's DAG into Airflow's own tables, exactly as the dag-processor would, in the caller's transaction.

The dag-processor's own function does the same two writes, but retries them after a rollback, which would break the
caller's transaction.
This is the one module that reaches into Airflow's internals to do so (Airflow 3.3.2);
`tests/integration/generator/test_publishing_contract.py` compares its rows with those of a real dag-processor parse and
fails when Airflow changes. A priority parse request goes along, so that an older parse in flight is followed by a new one.
"""

import functools
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from coinrequest.generator.dag import build_dag, revision_of
from coinrequest.generator.params import is_bounded
from coinrequest.generator.shards import BUNDLE_NAME, broken_path, ensure_stubs, shard_path, working_folder
from coinrequest.jobtypes.definition import Definition
from coinrequest.jobtypes.installation import Version, current_id
from coinrequest.jobtypes.registry import Revision


class PublishingFailed(Exception):
    """Airflow refused a DAG that the checks let through; the message holds Airflow's reason."""


def check_buildable(definition: Definition) -> Any:
    """Build and serialise the DAG of `definition` without writing anything; return the serialised form.

    Raises:
        PublishingFailed: Airflow refuses the DAG.
    """
    return _serialised(definition, number=0, announces=False, created_at=None, installation=0)


def publish(session: Session, definition: Definition, revision: Revision) -> None:
    """Make `definition` runnable as of `revision`, when the caller commits.

    Raises:
        PublishingFailed: Airflow refuses the DAG; the caller rolls back.
    """
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.definitions.dag import SerializedDAG

    version = Version(current_id(session), revision.number)
    serialised = _serialised(
        definition,
        revision.number,
        announces=revision.announces,
        created_at=revision.created_at,
        installation=version.installation,
    )
    _ensure_bundle(session)
    SerializedDAG.bulk_write_to_db(BUNDLE_NAME, str(version), [serialised], None, session=session)
    SerializedDagModel.write_dag(serialised, BUNDLE_NAME, str(version), session=session)
    _clear_import_error(session, definition.name)
    _request_parse(session, definition.name)


def withdraw(session: Session, name: str) -> None:
    """Take the DAG `name` out of use, when the caller commits; its runs stay."""
    from airflow.models.dag import DagModel

    session.execute(
        update(DagModel).where(DagModel.dag_id == name, DagModel.bundle_name == BUNDLE_NAME).values(is_stale=True)
    )
    _clear_import_error(session, name)
    _request_parse(session, name)


def dag_of(session: Session, name: str, number: int) -> Any:
    """Return Airflow's DAG of a type if a run of it would be one of revision `number`, else None.

    A parse that began before a change can write the older DAG over it; the parse request heals that within
    seconds, and a submission heals it at once. Deserialised DAGs are kept by their version, so that a submission
    need not read one each time.
    """
    from airflow.models.dag_version import DagVersion

    # A run is pinned to this version of the bundle. A parse that began before the change can have put an older one
    # there without writing the DAG itself; the agent would then look for the new tasks in the old definition.
    row = session.execute(
        text(
            "SELECT is_stale, bundle_version, (SELECT id FROM coinrequest_installation) AS installation"
            " FROM dag WHERE dag_id = :dag_id"
        ),
        {"dag_id": name},
    ).one_or_none()
    if row is None or row.is_stale or row.bundle_version is None:
        return None
    pinned = Version.parse(row.bundle_version)
    # Without an id: a server or dag-processor of the release before wrote it, beside which this one may run.
    if pinned.number < number or pinned.installation not in (0, row.installation):
        return None
    version = session.scalar(
        select(DagVersion.id).where(DagVersion.dag_id == name).order_by(DagVersion.version_number.desc()).limit(1)
    )
    if version is None:
        return None
    dags = _dags(row.installation)
    dag = dags.get_dag(version, session)
    if dag is not None and not _is_current(dag, number):
        # A version that never ran is rewritten in place, and Airflow's cache may not have looked again yet.
        dags.clear_cache()
        dag = dags.get_dag(version, session)
    return dag if dag is not None and _is_current(dag, number) else None


def _is_current(dag: Any, number: int) -> bool:
    # After an upgrade the copies of an older release stay until the dag-processor has parsed each file once.
    return revision_of(dag.doc_md) == number and is_bounded(dag)


@functools.lru_cache(maxsize=1)
def _dags(installation: int) -> Any:
    """Return Airflow's cache of DAGs; a restore, with its new id, begins with an empty one."""
    from airflow.models.dagbag import CachedDBDagBag

    return CachedDBDagBag(load_op_links=False, cache_size=512, cache_ttl=0, stats_prefix="coinrequest.dag_bag")


def set_paused(session: Session, name: str, *, paused: bool) -> None:
    """Pause or resume the DAG `name`, when the caller commits."""
    from airflow.models.dag import DagModel

    session.execute(update(DagModel).where(DagModel.dag_id == name).values(is_paused=paused))


def paused_names(session: Session, names: Collection[str]) -> set[str]:
    """Return which of `names` are paused, by this project or by Airflow's own button."""
    from airflow.models.dag import DagModel

    return set(session.scalars(select(DagModel.dag_id).where(DagModel.dag_id.in_(names), DagModel.is_paused.is_(True))))


def foreign_dag(session: Session, name: str) -> bool:
    """Return whether a DAG of this id is in use that is not a job type (a file in the dags folder, say)."""
    from airflow.models.dag import DagModel

    bundle = session.scalar(select(DagModel.bundle_name).where(DagModel.dag_id == name, DagModel.is_stale.is_(False)))
    return bundle is not None and bundle != BUNDLE_NAME


def unknown_pools(session: Session, pools: Collection[str]) -> set[str]:
    """Return those of `pools` that Airflow does not have."""
    from airflow.models.pool import Pool

    return set(pools) - set(session.scalars(select(Pool.pool).where(Pool.pool.in_(pools))))


def active_jobs(session: Session, name: str) -> int:
    """Return how many runs of `name` are queued or running."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.state import DagRunState
    from sqlalchemy import func

    count = select(func.count()).where(
        DagRun.dag_id == name, DagRun.state.in_((DagRunState.QUEUED, DagRunState.RUNNING))
    )
    return session.execute(count).scalar_one()


def retire_deleted() -> None:
    """Take out of use every deleted type that a parse in flight brought back. Runs in the dag-processor."""
    from airflow.utils.session import create_session

    statement = text(
        """
        UPDATE dag SET is_stale = true
        WHERE bundle_name = :bundle AND NOT is_stale AND EXISTS (
            SELECT FROM coinrequest_revision AS gone
            WHERE gone.name = dag.dag_id AND gone.change = 'delete' AND gone.number = (
                SELECT max(number) FROM coinrequest_revision AS newest WHERE newest.name = dag.dag_id
            )
        )
        """
    )
    with create_session() as session:
        session.execute(statement, {"bundle": BUNDLE_NAME})


def retire_broken(names: Collection[str], *, as_of: int) -> None:
    """Take out of use every type of `names`, whose definitions cannot be read. Runs in the dag-processor.

    Airflow itself would keep a DAG that is missing from its file in use for minutes.

    Args:
        as_of: the newest revision that the caller has seen; what was changed since is left alone.
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
        session.execute(statement, {"bundle": BUNDLE_NAME, "names": list(names), "as_of": as_of})


def _serialised(definition: Definition, number: int, *, announces: bool, created_at: Any, installation: int) -> Any:
    """Return the DAG as the parse of the dag-processor of `installation` would hand it over."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization, LazyDeserializedDAG

    root = _root(installation)
    ensure_stubs(root)
    try:
        dag = build_dag(definition, number=number, announces=announces, created_at=created_at)
        dag.relative_fileloc = shard_path(definition.name)
        dag.fileloc = str(root / shard_path(definition.name))
        dag.validate()
        bag = DagBag(dag_folder=root, collect_dags=False, bundle_path=root, bundle_name=BUNDLE_NAME)
        bag.bag_dag(dag)
        return LazyDeserializedDAG(data=DagSerialization.to_dict(dag), last_loaded=dag.last_loaded)
    except Exception as error:
        raise PublishingFailed(f"Airflow refuses {definition.name!r}: {error}") from error


def _root(installation: int) -> Any:
    """Return the dag-processor's working directory, which the DAG's file location names on every machine."""
    from airflow.dag_processing.bundles.base import get_bundle_base_folder

    return get_bundle_base_folder(BUNDLE_NAME) / working_folder(installation)


def _ensure_bundle(session: Session) -> None:
    """Let the first registration precede the first start of a dag-processor, which writes this row otherwise."""
    from airflow.models.dagbundle import DagBundleModel

    if session.get(DagBundleModel, BUNDLE_NAME) is None:
        session.add(DagBundleModel(name=BUNDLE_NAME))
        session.flush()


def _clear_import_error(session: Session, name: str) -> None:
    """Take back the report of a broken definition that is replaced or deleted."""
    from airflow.models.errors import ParseImportError

    report = f"broken/{broken_path(Path(), name).name}"
    session.execute(
        delete(ParseImportError).where(ParseImportError.bundle_name == BUNDLE_NAME, ParseImportError.filename == report)
    )


def _request_parse(session: Session, name: str) -> None:
    """Ask the dag-processor to refresh the bundle and to parse the file of `name` before any other."""
    from airflow.models.dagbag import DagPriorityParsingRequest

    request = insert(DagPriorityParsingRequest).values(bundle_name=BUNDLE_NAME, relative_fileloc=shard_path(name))
    session.execute(request.on_conflict_do_nothing())
