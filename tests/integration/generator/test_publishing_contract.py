"""`coinrequest.generator.publishing` against Airflow's own dag-processor: fails when Airflow changes."""

import os
from typing import Any

import pytest
from sqlalchemy import text

pytestmark = pytest.mark.usefixtures("airflow_app")

# Columns that only a parse sets, or that hold the time of writing.
_TIMES = {"last_parsed_time", "last_parse_duration", "created_at", "last_updated", "last_expired"}


def _register(document: dict[str, Any]) -> int:
    from airflow.utils.session import create_session

    from coinrequest.generator import lifecycle

    with create_session(scoped=False) as session:
        return lifecycle.register(session, document, author="tester").number


def _parse_as_the_processor_does(name: str) -> None:
    """Refresh the bundle, parse the shard of `name` and persist it with the dag-processor's own functions."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.dag_processing.dagbag import BundleDagBag
    from airflow.dag_processing.processor import _serialize_dags
    from airflow.utils.session import create_session
    from structlog import get_logger

    from coinrequest.airflow.dag_tables import BUNDLE_NAME
    from coinrequest.generator.shards import shard_path

    bundle = DagBundlesManager().get_bundle(BUNDLE_NAME)
    bundle.initialize()
    version = bundle.get_current_version()
    assert version is not None
    bag = BundleDagBag(
        dag_folder=os.fspath(bundle.path / shard_path(name)), bundle_path=bundle.path, bundle_name=BUNDLE_NAME
    )
    dags, errors = _serialize_dags(bag, get_logger())
    assert name in bag.dags
    assert not errors
    assert not bag.import_errors
    with create_session(scoped=False) as session:
        update_dag_parsing_results_in_db(
            bundle_name=BUNDLE_NAME,
            bundle_version=version.version,
            version_data=None,
            dags=dags,
            import_errors={},
            parse_duration=0.1,
            warnings=set(),
            session=session,
            files_parsed={(BUNDLE_NAME, shard_path(name))},
        )


def _rows(name: str) -> dict[str, list[dict[str, Any]]]:
    from airflow.utils.session import create_session

    found = {}
    with create_session(scoped=False) as session:
        for table in ("dag", "dag_version", "serialized_dag", "dag_code", "dag_tag", "dag_schedule_asset_reference"):
            rows = session.execute(text(f"SELECT * FROM {table} WHERE dag_id = :name ORDER BY 1"), {"name": name})  # noqa: S608 - names of tables
            found[table] = [
                {column: value for column, value in row._mapping.items() if column not in _TIMES} for row in rows
            ]
    return found


@pytest.fixture
def documents(name: str) -> list[dict[str, Any]]:
    wait = {"id": "wait", "action": "integer.wait", "inputs": {"value": "{{ params.value }}"}}
    params = {"type": "object", "properties": {"value": {"type": "integer", "default": 1}}}
    mapped = {
        "id": "each",
        "action": "integer.wait",
        "for_each": "{{ params.values }}",
        "inputs": {"value": "{{ item }}"},
        "retries": {"max": 2, "delay": "5s", "backoff": "exponential"},
        "timeout": "30s",
    }
    return [
        {"name": name, "tasks": [wait], "params": params},
        {
            "name": f"{name}.scheduled",
            "description": "With everything",
            "owner": "data",
            "tags": ["one", "two"],
            "schedule": {"cron": "*/15 * * * *", "timezone": "Europe/Dublin"},
            "params": {
                "type": "object",
                "properties": {"values": {"type": "array", "items": {"type": "integer"}, "default": [0]}},
            },
            "tasks": [mapped],
            "timeout": "10m",
            "concurrency": {"max_jobs": 2},
            "priority": 5,
        },
        {"name": f"{name}.after", "schedule": {"after": [name]}, "tasks": [{**wait, "inputs": {"value": 0}}]},
    ]


def test_a_registration_writes_what_a_parse_writes(documents: list[dict[str, Any]]) -> None:
    names = [str(document["name"]) for document in documents]
    for document in documents:
        _register(document)
    published = {name: _rows(name) for name in names}

    for name in names:
        _parse_as_the_processor_does(name)

    for name in names:
        parsed = _rows(name)
        for table, rows in published[name].items():
            later = [
                {column: value for column, value in row.items() if column != "bundle_version"} for row in parsed[table]
            ]
            earlier = [{column: value for column, value in row.items() if column != "bundle_version"} for row in rows]
            assert later == earlier, f"{table} of {name}"
        assert len(parsed["dag_version"]) == 1, "a parse created another version"


def test_parsing_again_creates_no_new_version(documents: list[dict[str, Any]]) -> None:
    name = str(documents[0]["name"])
    _register(documents[0])
    for _ in range(3):
        _parse_as_the_processor_does(name)
    assert len(_rows(name)["dag_version"]) == 1


def test_a_parse_writes_no_permission_rows_for_a_dag(documents: list[dict[str, Any]]) -> None:
    """The name of our auth manager keeps Airflow from writing FAB's rows for each DAG."""
    from airflow.providers.fab.auth_manager.models import Resource
    from airflow.utils.session import create_session
    from sqlalchemy import select

    name = str(documents[0]["name"])
    _register(documents[0])
    _parse_as_the_processor_does(name)
    with create_session(scoped=False) as session:
        assert not session.scalars(select(Resource.name).where(Resource.name.contains(name))).all()


def test_the_sign_in_is_fabs(airflow_app: Any) -> None:
    from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager

    assert isinstance(airflow_app.state.auth_manager, FabAuthManager)


def test_a_registration_asks_for_a_parse_once(documents: list[dict[str, Any]]) -> None:
    from airflow.models.dagbag import DagPriorityParsingRequest
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    from coinrequest.generator.publishing import _request_parse
    from coinrequest.generator.shards import shard_path

    name = str(documents[0]["name"])
    with create_session(scoped=False) as session:
        _request_parse(session, name)
        _request_parse(session, name)
    with create_session(scoped=False) as session:
        requests = select(func.count()).where(DagPriorityParsingRequest.relative_fileloc == shard_path(name))
        assert session.execute(requests).scalar_one() == 1


def test_a_submission_notices_that_an_older_parse_came_last(documents: list[dict[str, Any]]) -> None:
    from airflow.utils.session import create_session

    from coinrequest.generator import lifecycle, publishing
    from coinrequest.jobtypes.definition import load_definition

    name = str(documents[0]["name"])
    _register(documents[0])
    with create_session(scoped=False) as session:
        old = lifecycle.current_revision(session, name)
        changed = {**documents[0], "description": "changed"}
        new, _created = lifecycle.replace_or_create(session, name, changed, author="tester")
    with create_session(scoped=False) as session:
        assert publishing.dag_of(session, name, new.number) is not None
        publishing.publish(session, load_definition(old.content()), old)
    with create_session(scoped=False) as session:
        assert publishing.dag_of(session, name, new.number) is None
        lifecycle.ensure_published(session, new)
    with create_session(scoped=False) as session:
        assert publishing.dag_of(session, name, new.number) is not None
