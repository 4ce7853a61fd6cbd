"""Job types by the owner and the tags of their DAGs, which Airflow keeps in tables of its own (Airflow 3.3.2)."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from coinrequest.airflow.dag_tables import BUNDLE_NAME

# So many names are compared with one that does not exist.
_MOST_KNOWN = 5_000


def with_owner_and_tags(session: Session, owners: Collection[str], tags: Collection[str]) -> set[str]:
    """Return the job types that have one of these owners and all of these tags, deleted ones as well.

    Args:
        owners: none for those of every owner.
    """
    from airflow.models.dag import DagModel, DagTag

    query = select(DagModel.dag_id).where(DagModel.bundle_name == BUNDLE_NAME)
    if owners:
        query = query.where(DagModel.owners.in_(owners))
    for tag in set(tags):
        query = query.where(DagModel.dag_id.in_(select(DagTag.dag_id).where(DagTag.name == tag)))
    return set(session.scalars(query))


def known_names(session: Session, visible: Collection[str] | None) -> set[str]:
    """Return the names of the job types in use; of `visible`, if that is given."""
    from airflow.models.dag import DagModel

    found = session.scalars(
        select(DagModel.dag_id).where(*_in_use(visible), DagModel.is_stale.is_(False)).limit(_MOST_KNOWN)
    )
    return set(found)


def known_owners(session: Session, visible: Collection[str] | None) -> set[str]:
    """Return the owners of the job types; of `visible`, if that is given."""
    from airflow.models.dag import DagModel

    found = session.scalars(select(DagModel.owners).where(*_in_use(visible)).distinct().limit(_MOST_KNOWN))
    return {owner for owner in found if owner}


def known_tags(session: Session, visible: Collection[str] | None) -> set[str]:
    """Return the tags of the job types; of `visible`, if that is given."""
    from airflow.models.dag import DagModel, DagTag

    of_types = select(DagTag.name).join(DagModel, DagModel.dag_id == DagTag.dag_id).where(*_in_use(visible))
    return set(session.scalars(of_types.distinct().limit(_MOST_KNOWN)))


def _in_use(visible: Collection[str] | None) -> list[ColumnElement[bool]]:
    from airflow.models.dag import DagModel

    of_job_types: list[ColumnElement[bool]] = [DagModel.bundle_name == BUNDLE_NAME]
    return of_job_types if visible is None else [*of_job_types, DagModel.dag_id.in_(visible)]
