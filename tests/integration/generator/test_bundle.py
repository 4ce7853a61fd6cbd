"""The job-type bundle: refreshes, broken definitions, unreachable registries, versions for agents."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

pytestmark = pytest.mark.usefixtures("airflow_app")


def _bundle(version: str | None = None) -> Any:
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    from coinrequest.airflow.dag_tables import BUNDLE_NAME

    bundle = DagBundlesManager().get_bundle(BUNDLE_NAME, version)
    bundle.initialize()
    return bundle


def _register(name: str, value: int = 0) -> int:
    from airflow.utils.session import create_session

    from coinrequest.generator import lifecycle

    document = {"name": name, "tasks": [{"id": "wait", "action": "integer.wait", "inputs": {"value": value}}]}
    with create_session(scoped=False) as session:
        revision, _created = lifecycle.replace_or_create(session, name, document, author="tester")
        return revision.number


def _version(number: int) -> str:
    """The version of a run of this revision."""
    from airflow.utils.session import create_session

    from coinrequest.jobtypes.installation import Version, current_id

    with create_session(scoped=False) as session:
        return str(Version(current_id(session), number))


def _insert(name: str, document: str) -> None:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        session.execute(
            text(
                "INSERT INTO coinrequest_revision (name, change, document, author, created_at)"
                " VALUES (:name, 'update', :document, 'damage', now())"
            ),
            {"name": name, "document": document},
        )


def _neighbour(name: str) -> str:
    """A name in the same shard as `name`."""
    from coinrequest.generator.shards import shard_path

    while shard_path(other := f"t-{uuid.uuid4().hex[:12]}") != shard_path(name):
        pass
    return other


def _parse(path: Path, bundle: Any, dag_id: str | None = None) -> Any:
    from airflow.dag_processing.dagbag import BundleDagBag
    from airflow.sdk.definitions._internal.dag_parsing_context import _airflow_parsing_context_manager

    with _airflow_parsing_context_manager(dag_id=dag_id, task_id=None):
        return BundleDagBag(dag_folder=str(path), bundle_path=bundle.path, bundle_name=bundle.name)


@pytest.mark.parametrize(
    "damage",
    ["{", "[]", "null", '{"name": "another", "tasks": []}', '{"tasks": 7}'],
    ids=["no JSON", "a list", "null", "another name", "wrong types"],
)
def test_a_damaged_definition_hides_only_itself(name: str, damage: str) -> None:
    from coinrequest.generator.shards import broken_path, shard_path

    neighbour = _neighbour(name)
    _register(name)
    _register(neighbour)
    _insert(name, damage)

    bundle = _bundle()
    shard = _parse(bundle.path / shard_path(name), bundle)
    assert neighbour in shard.dags
    assert name not in shard.dags
    assert not shard.import_errors

    report = _parse(broken_path(bundle.path, name), bundle)
    (error,) = report.import_errors.values()
    assert name in error
    assert "PUT /jobs/v1/job-types" in error

    _register(name)
    bundle.refresh()
    assert not broken_path(bundle.path, name).exists()
    assert name in _parse(bundle.path / shard_path(name), bundle).dags


def test_an_unreachable_registry_leaves_the_files_of_the_last_refresh(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from coinrequest.generator.shards import shard_path

    _register(name)
    before = _bundle()
    monkeypatch.setenv("COINREQUEST_REGISTRY_URL", "postgresql://nobody@127.0.0.1:1/none")

    with pytest.raises(Exception, match="refused"):
        before.refresh()
    assert name in _parse(before.path / shard_path(name), before).dags

    restarted = _bundle()
    assert name in _parse(restarted.path / shard_path(name), restarted).dags


def test_only_the_shard_that_changed_is_touched(name: str) -> None:
    from coinrequest.generator.shards import shard_path

    bundle = _bundle()
    times = {path.name: path.stat().st_mtime_ns for path in (bundle.path / "shards").glob("*.py")}
    _register(name)
    bundle.refresh()
    touched = {
        f"shards/{path.name}"
        for path in (bundle.path / "shards").glob("*.py")
        if path.stat().st_mtime_ns != times[path.name]
    }
    assert touched == {shard_path(name)}


def test_an_agent_builds_one_dag_as_of_the_version_of_its_run(name: str) -> None:
    from coinrequest.generator.dag import revision_of
    from coinrequest.generator.shards import shard_path

    _register(_neighbour(name))
    first = _register(name, value=1)
    second = _register(name, value=2)

    for number, value in ((first, 1), (second, 2)):
        bundle = _bundle(_version(number))
        bag = _parse(bundle.path / shard_path(name), bundle, dag_id=name)
        assert set(bag.dags) == {name}
        assert bag.dags[name].task_dict["wait"].inputs == {"value": value}
        assert revision_of(bag.dags[name]) == number


def test_an_agent_that_has_a_definition_needs_no_database(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from coinrequest.generator.shards import shard_path

    bundle = _bundle(_version(_register(name)))
    assert name in _parse(bundle.path / shard_path(name), bundle, dag_id=name).dags
    monkeypatch.setenv("COINREQUEST_REGISTRY_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert name in _parse(bundle.path / shard_path(name), bundle, dag_id=name).dags


def test_another_database_replaces_all_files(name: str) -> None:
    number = _register(name)
    bundle = _bundle()
    (bundle.path / "version.txt").write_text(_version(number + 1_000_000))
    replaced = _bundle()
    assert replaced.get_current_version().version == _version(number)


def test_the_database_refuses_to_change_a_revision(name: str) -> None:
    from airflow.utils.session import create_session
    from sqlalchemy.exc import DBAPIError

    _register(name)
    for statement in ("UPDATE coinrequest_revision SET author = 'x'", "DELETE FROM coinrequest_revision"):
        with pytest.raises(DBAPIError, match="append-only"), create_session(scoped=False) as session:
            session.execute(text(statement))


def test_a_deleted_type_that_a_late_parse_restores_is_retired(name: str) -> None:
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select, update

    from coinrequest.generator import lifecycle

    _register(name)
    with create_session(scoped=False) as session:
        lifecycle.delete(session, name, author="tester")
    with create_session(scoped=False) as session:
        session.execute(update(DagModel).where(DagModel.dag_id == name).values(is_stale=False))
    _bundle().refresh()
    with create_session(scoped=False) as session:
        assert session.scalar(select(DagModel.is_stale).where(DagModel.dag_id == name)) is True
