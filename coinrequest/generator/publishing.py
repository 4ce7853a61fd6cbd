"""Writes a job type's DAG into Airflow's tables, in the caller's transaction and exactly as the dag-processor would.

The dag-processor's own function makes the same two writes, but retries them after a rollback, which would break the
caller's transaction. `tests/integration/generator/test_publishing_contract.py` compares the rows with those of a real
parse, and fails when Airflow changes (Airflow 3.3.2). Each change also requests a parse with priority, so that a new
parse follows one that began before the change.
"""

import functools
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from coinrequest.airflow import dag_tables
from coinrequest.airflow.dag_tables import BUNDLE_NAME
from coinrequest.errors import CoinrequestError
from coinrequest.generator.dag import build_dag, revision_of
from coinrequest.generator.params import is_unchecked
from coinrequest.generator.shards import broken_path, ensure_stubs, shard_path, working_folder
from coinrequest.jobtypes.definition import Definition
from coinrequest.jobtypes.installation import Version, current_id
from coinrequest.jobtypes.registry import Revision


class PublishingFailed(CoinrequestError):
    """Airflow refused a DAG that passed our checks; the message holds Airflow's reason."""


def check_buildable(definition: Definition) -> Any:
    """Build and serialise the DAG of `definition` without writing anything; return the serialised form.

    Raises:
        PublishingFailed: Airflow refuses the DAG.
    """
    return _serialised(definition, number=0, announces=False, created_at=None, installation=0)


def publish(session: Session, definition: Definition, revision: Revision) -> None:
    """Make `revision` the one that new jobs run, once the caller commits.

    Raises:
        PublishingFailed: Airflow refuses the DAG; the caller must roll back.
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
    dag_tables.ensure_bundle(session)
    SerializedDAG.bulk_write_to_db(BUNDLE_NAME, str(version), [serialised], None, session=session)
    SerializedDagModel.write_dag(serialised, BUNDLE_NAME, str(version), session=session)
    _request_parse(session, definition.name)


def withdraw(session: Session, name: str) -> None:
    """Retire the DAG `name` once the caller commits; its runs stay."""
    dag_tables.mark_stale(session, name)
    _request_parse(session, name)


def dag_of(session: Session, name: str, number: int) -> Any:
    """Return Airflow's DAG of a type if a new run would use revision `number`, else None.

    A parse that began before a change can overwrite the DAG with the older one. The parse request repairs that within
    seconds, and a submission repairs it at once. Deserialised DAGs are cached by version, so that a submission rarely
    reads one.
    """
    version = dag_tables.current_version(session, name)
    if version is None:
        return None
    # A run is pinned to this version of the bundle. A parse that began before the change may have written an older
    # version without writing the DAG itself. The agent would then look for the new tasks in the old definition.
    pinned, installation = Version.parse(version.bundle_version), current_id(session)
    # A version without an id comes from the previous release, whose processes may run at the same time as this one.
    if pinned.number < number or pinned.installation not in (0, installation):
        return None
    dags = _dags(installation)
    dag = dags.get_dag(version.id, session)
    if dag is not None and not _is_current(dag, number):
        # Airflow rewrites a version that never ran in place, and its cache may still hold the old content.
        dags.clear_cache()
        dag = dags.get_dag(version.id, session)
    return dag if dag is not None and _is_current(dag, number) else None


def _is_current(dag: Any, number: int) -> bool:
    # After an upgrade, the copies of the older release stay until the dag-processor has parsed each file once.
    return revision_of(dag) == number and is_unchecked(dag)


@functools.lru_cache(maxsize=1)
def _dags(installation: int) -> Any:
    """Return Airflow's cache of DAGs. A restore gives the installation a new id, and so an empty cache."""
    from airflow.models.dagbag import CachedDBDagBag

    return CachedDBDagBag(load_op_links=False, cache_size=512, cache_ttl=0, stats_prefix="coinrequest.dag_bag")


def _serialised(definition: Definition, number: int, *, announces: bool, created_at: Any, installation: int) -> Any:
    """Return the DAG as a parse of the dag-processor of `installation` would."""
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
    """Return the dag-processor's working directory; on every machine, the DAG's file location is below this path."""
    from airflow.dag_processing.bundles.base import get_bundle_base_folder

    return get_bundle_base_folder(BUNDLE_NAME) / working_folder(installation)


def _request_parse(session: Session, name: str) -> None:
    """Request a parse of the shard, and clear the import error if the definition was broken before."""
    dag_tables.clear_import_error(session, f"broken/{broken_path(Path(), name).name}")
    dag_tables.request_parse(session, shard_path(name))
