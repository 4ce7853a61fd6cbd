"""Installations that share a machine, or a database before and after a restore, give the same numbers to different
definitions: each runs its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool
from support import api_environment as environment
from support.databases import connected, copied, restored

pytestmark = [pytest.mark.security, pytest.mark.usefixtures("airflow_app")]


@contextmanager
def session_on(url: str) -> Iterator[Session]:
    engine = create_engine(url, poolclass=NullPool)
    with Session(engine) as session:
        yield session
        session.commit()


def register(url: str, name: str, value: int) -> tuple[int, str]:
    """Register `name` in the database at `url`; return its revision, and the version that a run of it would have."""
    from coinrequest.generator import lifecycle

    document = environment.definition(name)
    document["tasks"][0]["inputs"] = {"value": value}
    with session_on(url) as session:
        revision, _created = lifecycle.replace_or_create(session, name, document, author="tester")
    with connected(url) as connection:
        version = connection.execute(text("SELECT bundle_version FROM dag WHERE dag_id = :name"), {"name": name})
        return revision.number, str(version.scalar_one())


def renew(url: str) -> None:
    with connected(url) as connection:
        connection.execute(text("SELECT public.coinrequest_renew_installation()"))


def bundle_of(version: str | None) -> Any:
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    from coinrequest.airflow.dag_tables import BUNDLE_NAME

    bundle = DagBundlesManager().get_bundle(BUNDLE_NAME, version)
    bundle.initialize()
    return bundle


def value_in(bundle: Any, name: str, *, on_agent: bool) -> int | None:
    """What the task of `name` would be given, after a parse by an agent or by the dag-processor."""
    from airflow.dag_processing.dagbag import BundleDagBag
    from airflow.sdk.definitions._internal.dag_parsing_context import _airflow_parsing_context_manager

    from coinrequest.generator.shards import shard_path

    with _airflow_parsing_context_manager(dag_id=name if on_agent else None, task_id=None):
        bag = BundleDagBag(
            dag_folder=str(bundle.path / shard_path(name)), bundle_path=bundle.path, bundle_name=bundle.name
        )
    return bag.dags[name].task_dict["wait"].inputs["value"] if name in bag.dags else None


def on_agent(version: str, name: str, url: str, monkeypatch: pytest.MonkeyPatch) -> int | None:
    monkeypatch.setenv("COINREQUEST_REGISTRY_URL", url)
    return value_in(bundle_of(version), name, on_agent=True)


def test_two_installations_with_one_storage_path_run_their_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = os.environ["COINREQUEST_REGISTRY_URL"]
    with copied("second_installation") as second:
        renew(second)
        first_number, first_version = register(own, name, 1)
        second_number, second_version = register(second, name, 2)
        assert first_number == second_number
        assert on_agent(first_version, name, own, monkeypatch) == 1
        assert on_agent(second_version, name, second, monkeypatch) == 2
        assert on_agent(first_version, name, own, monkeypatch) == 1


def test_what_agents_kept_before_a_restore_is_not_run_after_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = os.environ["COINREQUEST_REGISTRY_URL"]
    old, old_version = register(url, name, 1)
    with copied("backup"):
        lost, lost_version = register(url, name, 2)
        assert on_agent(lost_version, name, url, monkeypatch) == 2
        with restored("backup"):
            again, version = register(url, name, 3)
            assert again == lost > old
            assert on_agent(version, name, url, monkeypatch) == 3
            # A job from before the backup goes on with the revision that it began with.
            assert on_agent(old_version, name, url, monkeypatch) == 1


def test_a_dag_processor_that_runs_through_a_restore_follows(name: str) -> None:
    url = os.environ["COINREQUEST_REGISTRY_URL"]
    other = f"{name}.only-before"
    with copied("backup"):
        register(url, other, 1)
        lost, _version = register(url, name, 2)
        running = bundle_of(None)
        assert value_in(running, name, on_agent=False) == 2
        with restored("backup"):
            # As many revisions as were lost: the number alone would say that nothing has changed.
            register(url, f"{name}.only-after", 1)
            again, version = register(url, name, 3)
            assert again == lost
            running.refresh()
            assert value_in(running, name, on_agent=False) == 3
            assert value_in(running, other, on_agent=False) is None
            assert running.get_current_version().version == version
        running.refresh()
        assert value_in(running, name, on_agent=False) == 2


def test_a_type_whose_revision_is_of_before_the_restore_is_published_again(name: str) -> None:
    """A parse that began before the restore may end after it, and write what it knew."""
    from coinrequest.generator import lifecycle, publishing

    url = os.environ["COINREQUEST_REGISTRY_URL"]
    with copied("backup"), restored("backup"):
        number, version = register(url, name, 3)
        with session_on(url) as session:
            assert publishing.dag_of(session, name, number) is not None
            late = {"name": name, "late": str(int(version) - 10**10)}
            session.execute(text("UPDATE dag SET bundle_version = :late WHERE dag_id = :name"), late)
            assert publishing.dag_of(session, name, number) is None
            lifecycle.ensure_published(session, lifecycle.current_revision(session, name))
            assert publishing.dag_of(session, name, number) is not None


_DAG_PROCESSOR = """
import contextlib, json, sys, warnings
warnings.simplefilter("ignore")
with contextlib.redirect_stdout(sys.stderr):
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from coinrequest.generator.shards import read_entries, shard_path
    bundle = DagBundlesManager().get_bundle("job_types")
    bundle.initialize()
    entries = read_entries(bundle.path / shard_path(sys.argv[1]))
print(json.dumps([str(bundle.path), json.loads(entries[sys.argv[1]]["document"])["tasks"][0]["inputs"]["value"]]))
"""


def test_two_dag_processors_with_one_storage_path_show_their_own(name: str) -> None:
    own = os.environ["COINREQUEST_REGISTRY_URL"]
    with copied("second_installation") as second:
        renew(second)
        register(own, name, 1)
        register(second, name, 2)
        first = bundle_of(None)
        settings = {"COINREQUEST_REGISTRY_URL": second, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": second}
        answer = subprocess.run(
            [sys.executable, "-c", _DAG_PROCESSOR, name],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        path, value = json.loads(answer.stdout)
        assert (path != str(first.path), value) == (True, 2)
        first.refresh()
        assert value_in(first, name, on_agent=False) == 1


def test_what_has_no_id_is_asked_of_the_database_each_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run from before there were ids; another installation may have left its definition under that number."""
    url = os.environ["COINREQUEST_REGISTRY_URL"]
    number, _version = register(url, name, 1)
    kept = bundle_of(str(number)).path / "definitions" / f"{name}.json"
    kept.parent.mkdir(exist_ok=True)
    foreign = {"name": name, "tasks": [{"id": "wait", "action": "integer.wait", "inputs": {"value": 9}}]}
    entry = {"number": number, "document": json.dumps(foreign), "announces": False, "created_at": "2026-01-01T00:00Z"}
    kept.write_text(json.dumps(entry))
    assert on_agent(str(number), name, url, monkeypatch) == 1


def test_a_person_who_restored_by_hand_renews_the_id(capsys: pytest.CaptureFixture[str]) -> None:
    from coinrequest.install import renew_installation
    from coinrequest.jobtypes.installation import current_id

    with copied("backup"), restored("backup"), connected(os.environ["COINREQUEST_REGISTRY_URL"]) as connection:
        before = current_id(connection)
        assert renew_installation.main() == 0
        assert str(current_id(connection)) in capsys.readouterr().out
        assert current_id(connection) != before


@pytest.mark.parametrize("number", [1, 9_999_999_999])
def test_a_version_fits_what_reads_it(number: int) -> None:
    from coinrequest.jobtypes.installation import Version

    for installation in (0, 100_000_000, 922_337_202):
        version = Version(installation, number)
        assert Version.parse(str(version)) == version
        assert int(str(version)) < 2**63, "PostgreSQL's bigint, in `coinrequest_record_run`"


def test_a_new_id_is_another_one_in_its_range() -> None:
    from coinrequest.jobtypes.installation import current_id

    with copied("second_installation") as second, connected(second) as connection:
        seen = {current_id(connection)}
        for _ in range(20):
            found = int(connection.execute(text("SELECT public.coinrequest_renew_installation()")).scalar_one())
            assert found == current_id(connection)
            assert 100_000_000 <= found <= 922_337_202
            seen.add(found)
    assert len(seen) == 21
