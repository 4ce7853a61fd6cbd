"""Requests that once caused an error of the service, filled its memory or blocked a web server."""

import json
import time
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

pytestmark = pytest.mark.security

TYPES = "/jobs/v1/job-types"
BACKTRACKS = "^(a+)+$|^a+b$"
YAML = {"Content-Type": "application/yaml"}


def wait_for(seconds: str = "0") -> dict[str, Any]:
    return {"id": "wait", "action": "integer.wait", "inputs": {"value": int(seconds)}}


def register(op: TestClient, name: str, params: Any) -> None:
    answer = op.post(TYPES, json={"name": name, "params": params, "tasks": [wait_for()]})
    assert answer.status_code == 201, answer.text


def copy_is_unchecked(name: str) -> bool:
    from airflow.models.dagbag import DBDagBag
    from airflow.utils.session import create_session

    from coinrequest.generator.params import is_unchecked

    with create_session(scoped=False) as session:
        return is_unchecked(DBDagBag().get_latest_version_of_dag(name, session=session))


@pytest.mark.usefixtures("tables_unchanged")
@pytest.mark.parametrize(
    "number", ["0x" + "f" * 60_000, "0o" + "7" * 60_000, "9" * 60_000, "1e999999999"], ids=["0x", "0o", "9", "e"]
)
def test_a_number_that_cannot_be_stored_is_a_client_error(op: TestClient, name: str, number: str) -> None:
    for path in (TYPES, f"{TYPES}?dry_run=true", f"{TYPES}/{name}/jobs"):
        answer = op.post(path, content=f"name: {name}\nv: {number}", headers=YAML)
        assert answer.status_code == 422, answer.text
    answer = op.post(TYPES, content='{"v": %s}' % ("9" * 5_000), headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text


@pytest.mark.usefixtures("tables_unchanged")
def test_extreme_numbers_in_a_request_cause_no_server_error(op: TestClient) -> None:
    from coinrequest.api import cursors

    for digits in ("0" * 5_000, "9" * 5_000):
        answer = op.get(f"{TYPES}/integer/revisions", params={"cursor": cursors.encode(digits)})
        assert answer.status_code == 422, answer.text
    answer = op.post(TYPES, content=b"{}", headers={b"Content-Length": b"\xb2"})
    assert answer.status_code < 500, answer.text


def test_a_response_lists_at_most_two_hundred_errors(op: TestClient, name: str) -> None:
    register(op, name, {"additionalProperties": False, "properties": {"a": {"items": {"type": "string"}}}})
    bodies: list[dict[str, Any]] = [
        {"params": {"a": [1] * 20_000}},
        {"params": {f"p{number}": 1 for number in range(5_000)}},
        {f"prioritie{number}": 1 for number in range(4_000)},
        {"labels": {f"l {number}": 1 for number in range(4_000)}},
        {"params": {"k" * 30_000: {f"{number}": "\0" for number in range(1_500)}}},
    ]
    for body in bodies:
        answer = op.post(f"{TYPES}/{name}/jobs", json=body)
        assert answer.status_code == 422
        errors = answer.json()["errors"]
        assert 1 <= len(errors) <= 201
        assert len(answer.content) < 256 * 1024
    assert errors[-1]["message"].startswith("there is more")
    definition = {"name": f"{name}.x", "tasks": [{}] * 10_000, **{f"field{number}": 1 for number in range(1_000)}}
    answer = op.post(TYPES, json=definition)
    assert len(answer.json()["errors"]) <= 201


def test_an_integer_with_too_many_digits_is_refused(op: TestClient, name: str) -> None:
    register(op, name, {"properties": {"a": {"type": "integer"}}})
    for digits, status in ((4_300, 202), (4_301, 422)):
        body = '{"params": {"a": %s}}' % ("9" * digits)
        answer = op.post(f"{TYPES}/{name}/jobs", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == status, answer.text
    assert "4,300" in answer.text


OPTIONAL: dict[str, tuple[Any, Any]] = {
    "a reference": ({"$ref": "#/$defs/x"}, 3),
    "an enumeration": ({"enum": ["x", "y"]}, "y"),
    "forms": ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "a"),
    "types": ({"type": ["string", "integer"]}, 3),
    "a constant": ({"const": 5}, 5),
    "anything": (True, {"a": []}),
    "a time": ({"type": "string", "format": "time"}, "10:00:00+01:00"),
    "a list of two kinds": ({"prefixItems": [{"type": "string"}], "items": {"type": "integer"}}, ["a", 1]),
    "a condition": ({"if": {"type": "string"}, "then": {"minLength": 2}}, "ab"),
}


@pytest.mark.parametrize("case", OPTIONAL)
def test_an_optional_param_may_be_absent_with_any_schema(op: TestClient, name: str, case: str) -> None:
    schema, value = OPTIONAL[case]
    register(op, name, {"properties": {"a": schema}, "$defs": {"x": {"type": "integer"}}})
    for params in ({}, {"a": value}):
        answer = op.post(f"{TYPES}/{name}/jobs", json={"params": params})
        assert answer.status_code == 202, answer.text
        assert answer.json()["params"] == params


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Airflow's own answer about a DAG
def test_a_backtracking_pattern_blocks_neither_our_route_nor_airflows(op: TestClient, name: str) -> None:
    """Python's `re` would take days for forty letters."""
    params = {"properties": {"a": {"type": "string", "pattern": BACKTRACKS, "default": "a" * 40}}}
    register(op, name, params)
    began = time.thread_time()
    letters = "a" * 40 + "!"
    assert op.post(f"{TYPES}/{name}/jobs", json={"params": {"a": letters}}).status_code == 422
    body = {"logical_date": None, "conf": {"a": letters}}
    assert op.post(f"/api/v2/dags/{name}/dagRuns", json=body).status_code < 500
    answer = op.get(f"/api/v2/dags/{name}/details")
    assert answer.status_code == 200
    assert BACKTRACKS not in answer.text
    assert time.thread_time() - began < 5


@pytest.fixture
def older_copy(op: TestClient, name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A type whose copy in Airflow's tables was written by the previous release, with its pattern."""
    from airflow.sdk import Param

    from coinrequest.generator import dag

    def as_before(definition: Any) -> dict[str, Any]:
        return {key: Param(**schema) for key, schema in definition.params["properties"].items()}

    with monkeypatch.context() as patch:
        patch.setattr(dag, "airflow_params", as_before)
        register(op, name, {"properties": {"a": {"type": "string", "pattern": BACKTRACKS}}, "required": ["a"]})
    assert not copy_is_unchecked(name)
    return name


def test_a_submission_renews_the_copy_of_an_older_release(op: TestClient, older_copy: str) -> None:
    revision = op.get(f"{TYPES}/{older_copy}").json()["revision"]
    answer = op.post(f"{TYPES}/{older_copy}/jobs", json={"params": {"a": "aa"}})
    assert answer.status_code == 202, answer.text
    assert copy_is_unchecked(older_copy)
    assert op.get(f"{TYPES}/{older_copy}").json()["revision"] == revision


def test_a_parse_renews_the_copy_of_an_older_release(older_copy: str) -> None:
    """The dag-processor parses each file once after its start, and so after an upgrade."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.dag_processing.dagbag import BundleDagBag
    from airflow.dag_processing.processor import _serialize_dags
    from airflow.utils.session import create_session
    from structlog import get_logger

    from coinrequest.airflow.dag_tables import BUNDLE_NAME
    from coinrequest.generator.shards import shard_path

    with create_session(scoped=False) as session:
        # Airflow leaves a copy alone that is younger than half a minute.
        session.execute(text("UPDATE serialized_dag SET last_updated = now() - interval '1 hour'"))
    bundle = DagBundlesManager().get_bundle(BUNDLE_NAME)
    bundle.initialize()
    version = bundle.get_current_version()
    assert version is not None
    path = str(bundle.path / shard_path(older_copy))
    bag = BundleDagBag(dag_folder=path, bundle_path=bundle.path, bundle_name=BUNDLE_NAME)
    dags, _errors = _serialize_dags(bag, get_logger())
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
            files_parsed={(BUNDLE_NAME, shard_path(older_copy))},
        )
    assert copy_is_unchecked(older_copy)


def test_the_error_for_a_stored_schema_that_is_no_longer_accepted_names_the_reason(op: TestClient, name: str) -> None:
    from airflow.utils.session import create_session

    from coinrequest.generator import publishing
    from coinrequest.jobtypes import registry
    from coinrequest.jobtypes.definition import load_definition

    document = {"name": name, "params": {"properties": {"a": {"pattern": "(?=a)"}}}, "tasks": [wait_for()]}
    with create_session(scoped=False) as session:
        registry.lock(session)
        revision = registry.append(session, name, "create", document, author="tester")
        publishing.publish(session, load_definition(document), revision)
    answer = op.post(f"{TYPES}/{name}/jobs", json={"params": {"a": "a"}})
    assert answer.status_code == 422
    assert "registered again" in json.dumps(answer.json())


def test_a_comparison_of_large_definitions_is_fast(op: TestClient, name: str) -> None:
    def definition(factor: int) -> dict[str, Any]:
        examples = [number * factor % 100 for number in range(14_000)]
        return {"name": name, "params": {"examples": examples}, "tasks": [wait_for()]}

    first = op.post(TYPES, json=definition(7)).json()["revision"]
    assert op.put(f"{TYPES}/{name}", json=definition(11)).status_code == 200
    began = time.thread_time()
    answer = op.get(f"{TYPES}/{name}/diff", params={"from": first})
    assert answer.status_code == 200
    assert answer.json()["diff"].startswith("---")
    assert time.thread_time() - began < 5
