"""The database may be down, and parses have no side effects."""

import json
import os
from pathlib import Path

import pytest
from support.client import API
from support.documents import job_type, new_name, wait_task
from support.platform import Platform
from support.waiting import eventually

from coinrequest.generator.shards import shard_path

# Parses the bundle as a new machine would, three times: as it is, again, and with the registry out of reach.
_PARSE = """
import contextlib, hashlib, json, logging, os, sys
logging.disable(logging.CRITICAL)
with contextlib.redirect_stdout(sys.stderr):
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    def parse():
        bundle = next(b for b in DagBundlesManager().get_all_dag_bundles() if b.name == "job_types")
        bundle.initialize()
        bag = DagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
        return {name: hashlib.sha256(json.dumps(DagSerialization.to_dict(dag), sort_keys=True).encode()).hexdigest()
                for name, dag in bag.dags.items()}

    found = [parse(), parse()]
    os.environ["COINREQUEST_REGISTRY_URL"] = "postgresql://nobody@127.0.0.1:1/nothing"
    found.append(parse())
print(json.dumps(found))
"""


def test_parsing_again_gives_the_same_also_without_the_registry(platform: Platform, tmp_path: Path) -> None:
    name = new_name("same")
    platform.register(
        job_type(
            name, wait_task("a"), wait_task("b", depends_on=["a"], for_each=[0, 0]), schedule={"cron": "0 3 1 1 *"}
        )
    )
    variables = {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(tmp_path)}
    first, second, without_registry = json.loads(platform.python(_PARSE, variables=variables))
    assert {name, "integer", "url-test", "coin-prices"} <= set(first)
    assert second == first
    assert without_registry == first


def test_many_parses_make_no_new_version(platform: Platform, name: str) -> None:
    platform.register(job_type(name, schedule={"cron": "0 3 1 1 *"}))
    platform.run(name)
    revisions = platform.sql("SELECT count(*) FROM coinrequest_revision")
    versions = _versions(platform, name)
    for _ in range(3):
        _parse_again(platform, name)
    assert _versions(platform, name) == versions
    assert platform.sql("SELECT count(*) FROM coinrequest_revision") == revisions
    platform.run(name)


@pytest.mark.faults
def test_every_dag_is_there_after_the_database_was_down_during_parses(platform: Platform, name: str) -> None:
    """Parses are under way when PostgreSQL stops, and all files are due while it is away."""
    platform.register(job_type(name))
    before = _dags_in_use(platform)
    assert name in before
    names = [new_name("parsed") for _ in range(3)]
    for other in names:
        platform.register(job_type(other))
    with platform.without("postgres"):
        for stub in (_working(platform) / "shards").glob("*.py"):
            os.utime(stub)
    assert before | set(names) <= _dags_in_use(platform)
    assert [error for error in platform.import_errors() if not error["filename"].startswith("broken/")] == []
    platform.replace(job_type(name, wait_task("after", 0)))
    _parse_again(platform, name)
    assert before | set(names) <= _dags_in_use(platform)
    platform.run(name)
    assert {entry["change"] for entry in platform.op.json(f"{API}/job-types/{name}/revisions")["revisions"]} == {
        "create",
        "update",
    }


def _working(platform: Platform) -> Path:
    (folder,) = (platform.stack.layout.bundles / "job_types").glob("working-*")
    return folder


def _parse_again(platform: Platform, name: str) -> None:
    """Let the dag-processor parse the file of `name`, and wait until it did."""
    before = platform.airflow(f"/dags/{name}")["last_parsed_time"]
    os.utime(_working(platform) / shard_path(name))
    eventually(lambda: platform.airflow(f"/dags/{name}")["last_parsed_time"] != before, timeout=60, what="a parse")


def _versions(platform: Platform, name: str) -> int:
    return int(platform.airflow(f"/dags/{name}/dagVersions?limit=100")["total_entries"])


def _dags_in_use(platform: Platform) -> set[str]:
    rows = platform.sql("SELECT dag_id FROM dag WHERE NOT is_stale")
    return {row.dag_id for row in rows}
