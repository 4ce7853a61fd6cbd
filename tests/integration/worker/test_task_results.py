"""Any result of an action is stored and read as it was; what cannot be stored fails without a retry, and says why."""

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient
from support import api_environment as environment

from coinrequest.limits import MAX_RESULT_BYTES


class Anything(BaseModel):
    value: Any


HALF = "\ud83d"
VALUES = {
    "256 bits": 2**256 - 1,
    "a negative integer of 65 bits": -(2**64),
    "the longest integer": int("9" * 4300),
    "large and small floats": [1e22, 1e300, 5e-324, -0.0, 3.0, 0.1],
    "keys in their order": {"zebra": 1, "aa": 2, "b": {"z": 1, "": 2}, "a": 3},
    "texts that look like escapes": [r"\u0000", r"\ud83d", "\\", '"', "\x01\x7f\u2028", "😀"],
    "names that Airflow reserves": {"__classname__": "builtins.tuple", "__version__": 1, "__data__": [1]},
    "two hundred levels": json.loads("[" * 198 + "]" * 198),
    "a mebibyte of Cyrillic": "я" * (MAX_RESULT_BYTES // 2 - 10),
    "a mebibyte of quotes": '"' * (MAX_RESULT_BYTES // 2 - 10),
    "a mebibyte of controls": "\x01" * (MAX_RESULT_BYTES // 6 - 10),
}


def kept(result: Any) -> str:
    """Return what the worker stores."""
    from coinrequest.worker.task_result import store_result

    pushed: dict[str, Any] = {}
    instance = SimpleNamespace(xcom_push=lambda key, value: pushed.update({key: value}))
    store_result(instance, "test.try", Anything(value=result))
    return str(pushed["return_value"])


@pytest.fixture(scope="module")
def job_type(op: TestClient) -> str:
    name = "exact-results"
    assert op.post("/jobs/v1/job-types", json=environment.definition(name)).status_code == 201
    return name


def read(op: TestClient, job_type: str, stored: Any) -> Any:
    """Return the result of a job over REST."""
    job_id = op.post(f"/jobs/v1/job-types/{job_type}/jobs", json={}).json()["id"]
    environment.finish(job_type, job_id, outputs={"wait": stored})
    return op.get(f"/jobs/v1/jobs/{job_id}").json()["result"]


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_result_is_the_same_in_the_answer(op: TestClient, job_type: str, value: Any) -> None:
    result = read(op, job_type, kept(value))
    # As text, because a comparison ignores the order of keys, and takes 3 for 3.0.
    assert json.dumps(result) == json.dumps({"value": value})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": "x\x00y"}, {"a": "x\ufffdy"}),
        ({"a\x00": [HALF]}, {"a\ufffd": ["\ufffd"]}),
        ([{HALF: {HALF: 1}}], [{"\ufffd": {"\ufffd": 1}}]),
        (float("nan"), None),
    ],
    ids=["NUL", "half a pair", "half a pair in keys", "NaN"],
)
def test_what_cannot_be_stored_is_replaced(op: TestClient, job_type: str, value: Any, expected: Any) -> None:
    assert read(op, job_type, kept(value)) == {"value": expected}


def test_the_log_says_where_characters_were_replaced(airflow_app: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "coinrequest.worker.task_result"):
        kept({"rows": [{"name": "\x00\x00"}, {"name": HALF}]})
    (record,) = caplog.records
    assert record.getMessage() == (
        "3 characters of the result cannot be stored (NUL, or half of a surrogate pair) and became U+FFFD, in: "
        "value.rows.0.name, value.rows.1.name"
    )


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("я" * (MAX_RESULT_BYTES // 2), "it has 1,048,589 bytes, and the limit is 1,048,576"),
        (json.loads("[" * 201 + "]" * 201), "it is nested deeper than 200 levels"),
        (json.loads("[" * 300 + "]" * 300), "it is nested deeper than 200 levels"),
        (10**5000, "it is no JSON data: Exceeds the limit"),
        (object(), "it is no JSON data: Unable to serialize unknown type"),
        (b"\xff", "it is no JSON data: 'utf-8' codec can't decode"),
    ],
    ids=["too large", "too deep", "far too deep", "too long a number", "an object", "bytes"],
)
def test_what_has_no_place_in_a_result_fails_without_a_retry(airflow_app: Any, value: Any, why: str) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException) as raised:
        kept(value)
    assert str(raised.value).startswith(f"the result of test.try cannot be stored: {why}")
    assert str(raised.value).endswith("The work itself is done, so it is not tried again")


@pytest.mark.parametrize(
    ("detail", "retried"),
    [
        ({"status_code": 422, "message": "no"}, False),
        ({"status_code": None, "message": "Client error '413 Content Too Large' for url 'http://x/'"}, False),
        ({"status_code": 503, "message": "no"}, True),
        ({"status_code": None, "message": "All connection attempts failed"}, True),
        (None, True),
    ],
)
def test_a_refusal_of_the_value_is_not_retried_and_an_outage_is(
    airflow_app: Any, detail: dict[str, Any] | None, *, retried: bool
) -> None:
    from airflow.sdk.exceptions import AirflowFailException, AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse

    from coinrequest.worker.task_result import store_result

    def refuse(**_: Any) -> None:
        raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail))

    with pytest.raises(AirflowRuntimeError if retried else AirflowFailException):
        store_result(SimpleNamespace(xcom_push=refuse), "test.try", Anything(value=1))


def test_the_results_of_earlier_versions_are_read(op: TestClient, job_type: str) -> None:
    assert read(op, job_type, {"value": 1}) == {"value": 1}


@pytest.mark.parametrize("item", [*VALUES.values(), "text", "7", "", None, True, 2**63 - 1, 2**63, 0.5])
def test_items_pass_airflow_and_postgresql(item: Any) -> None:
    import msgspec

    from coinrequest.airflow.task_results import item_entry, read_item

    entry = item_entry(item)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(entry)) == entry
    assert json.dumps(read_item(json.loads(json.dumps(entry)))) == json.dumps(item)


@pytest.mark.parametrize("entry", [{"a": 1}, [1], "x", 0.5, {"coinrequest_item": "no JSON"}, {"coinrequest_item": 3}])
def test_the_entries_of_earlier_versions_are_items(entry: Any) -> None:
    from coinrequest.airflow.task_results import read_item

    assert read_item(entry) in (entry, "no JSON", 3)
