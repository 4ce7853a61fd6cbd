"""The grammar of job messages: two forms, strict, and a refusal that names every field."""

import json
import string
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.usefixtures("airflow_app")

ID = "7b0d1c2e-3f4a-4b5c-8d6e-9f0a1b2c3d4e"

_text = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
_scalars = (
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | _text
)
_json = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3), max_leaves=8
)
_params = st.dictionaries(_text.filter(lambda name: name != "type"), _json, max_size=4)
_names = st.text(string.ascii_lowercase + "-", min_size=1, max_size=20)


def read(message: Any, content_type: str | None = "application/json") -> Any:
    from coinrequest.gateway.parsing import parse_message

    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return parse_message(body, content_type)


def refusal(message: Any, content_type: str | None = "application/json") -> Any:
    from coinrequest.gateway.outcomes import MessageRefused

    with pytest.raises(MessageRefused) as refused:
        read(message, content_type)
    return refused.value


@given(job_id=st.uuids(), job_type=_names, params=_params)
@settings(max_examples=50, deadline=None)
def test_both_forms_request_the_same_job(job_id: UUID, job_type: str, params: dict[str, Any]) -> None:
    short = read({"job_id": str(job_id), "job_payload": {"type": job_type, **params}})
    full = read({"job_id": str(job_id).upper(), "job_type": job_type, "params": params})
    assert short == full
    assert (short.job_id, short.job_type, short.submission.params) == (job_id, job_type, params)


@given(body=st.binary(max_size=60) | _json.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=100, deadline=None)
def test_any_other_body_is_refused_with_a_reason(body: bytes) -> None:
    assert refusal(body).reason


@given(
    extra=_names.filter(lambda name: name not in {"params", "priority", "labels", "callback"}),
    where=st.sampled_from(["short", "full"]),
)
@settings(max_examples=30, deadline=None)
def test_an_unknown_field_is_named(extra: str, where: str) -> None:
    form = {"job_payload": {"type": "integer", "value": 1}} if where == "short" else {"job_type": "integer"}
    found = refusal({"job_id": ID, **form, extra: 1})
    assert repr(extra) in found.reason
    assert (found.job_id, found.job_type) == (UUID(ID), "integer")


def test_the_full_form_accepts_all_options_of_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    order = read(
        {
            "job_id": ID,
            "job_type": "integer",
            "params": {"value": 3},
            "priority": 7,
            "run_after": "2030-01-31T08:00:00+01:00",
            "labels": {"team": "a"},
            "callback": {"url": "https://example.org/hook", "on": ["failure"]},
        }
    )
    asked = order.submission
    assert (asked.priority, asked.labels) == (7, {"team": "a"})
    assert asked.run_after == datetime(2030, 1, 31, 7, tzinfo=UTC)
    assert (asked.callback.url, asked.callback.on) == ("https://example.org/hook", ("failure",))


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"job_type": "integer"}, "job_id: is required"),
        ({"job_id": 4, "job_type": "integer"}, "job_id: must be a UUID"),
        ({"job_id": "{" + ID + "}", "job_type": "integer"}, "job_id: must be a UUID"),
        ({"job_id": ID.replace("-", ""), "job_type": "integer"}, "job_id: must be a UUID"),
        ({"job_id": ID}, "job_type: is required"),
        ({"job_id": ID, "job_type": ""}, "job_type: must be"),
        ({"job_id": ID, "job_payload": [1]}, "job_payload: must be an object"),
        ({"job_id": ID, "job_payload": {"value": 1}}, "job_payload.type: is required"),
        ({"job_id": ID, "job_type": "integer", "job_payload": {}}, "job_payload"),
        ({"job_id": ID, "job_type": "integer", "params": 3}, "params: must be an object"),
        ({"job_id": ID, "job_type": "integer", "priority": "high"}, "priority: must be"),
        ({"job_id": ID, "job_type": "integer", "run_after": "2030-01-31T08:00:00"}, "run_after"),
        ({"job_id": ID, "job_type": "integer", "labels": {"a b": "c"}}, "labels"),
        ({"job_id": ID, "job_type": "integer", "callback": {"url": "http://127.0.0.1/"}}, "callback.url"),
        ({"job_id": ID, "job_type": "integer", "idempotency": {}}, "idempotency"),
    ],
)
def test_a_bad_field_is_named(message: dict[str, Any], field: str) -> None:
    assert field in refusal(message).reason


def test_all_errors_are_reported_together() -> None:
    found = refusal({"job_id": "x", "job_typ": "integer", "priority": 0})
    for field in ("job_id", "job_typ", "job_type", "priority"):
        assert field in found.reason


@pytest.mark.parametrize("content_type", [None, "", "application/json; charset=utf-8", "text/plain"])
def test_the_default_content_types_of_clients_are_accepted(content_type: str | None) -> None:
    assert read({"job_id": ID, "job_type": "integer"}, content_type).job_type == "integer"


@pytest.mark.parametrize(
    "content_type", ["application/x-python-serialize", "application/yaml", "application/x-msgpack"]
)
def test_other_content_types_are_refused(content_type: str) -> None:
    assert content_type in refusal({"job_id": ID, "job_type": "integer"}, content_type).reason


@pytest.mark.parametrize(
    "body",
    [b"", b"NaN", b'{"job_id": 1, "job_id": 2}', b"[" * 100_000, b"9" * 10_000, '{"a": "ü"}'.encode("latin-1")],
)
def test_a_body_that_is_not_an_object_is_refused(body: bytes) -> None:
    assert refusal(body).job_id is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ('"\\u0000"', "params.x: contains a NUL character"),
        ('"\\ud800"', "params.x: contains a lone surrogate"),
        ("1e400", "params.x: must be a finite number"),
        ("-Infinity", "the message contains -Infinity, which is not a number in JSON"),
        ("9" * 5_000, "the message contains a number with too many digits"),
        ('{"a": 1, "a": 2}', "the message has the field 'a' twice"),
        ("[" * 60 + "]" * 60, "nested too deep"),
        ('"' + "x" * 90_000 + '"', "limit"),
    ],
)
def test_a_message_with_a_value_that_json_lacks_is_answered_by_its_id(value: str, reason: str) -> None:
    found = refusal(f'{{"job_id": "{ID}", "job_type": "integer", "params": {{"x": {value}}}}}'.encode())
    assert found.job_id == UUID(ID)
    assert reason in found.reason
    assert "the message params" not in found.reason


def test_a_message_of_another_content_type_is_answered_by_its_id() -> None:
    assert refusal({"job_id": ID, "job_type": "integer"}, "application/yaml").job_id == UUID(ID)


def test_a_message_that_is_too_large_is_refused() -> None:
    found = refusal({"job_id": str(uuid4()), "job_type": "integer", "params": {"text": "x" * 90_000}})
    assert "limit" in found.reason
