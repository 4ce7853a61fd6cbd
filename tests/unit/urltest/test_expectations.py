import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.http.messages import Response
from coinrequest.urltest import Certificate, Expectations, Phases

STATUSES = st.integers(100, 999)
RANGES = st.one_of(
    STATUSES.map(lambda status: (str(status), {status})),
    st.integers(1, 9).flatmap(
        lambda first: st.sampled_from(["xx", "XX", "xX"]).map(
            lambda rest: (f"{first}{rest}", set(range(first * 100, first * 100 + 100)))
        )
    ),
    st.tuples(STATUSES, STATUSES, st.sampled_from(["-", " - ", "- "])).map(
        lambda found: (f"{min(found[:2])}{found[2]}{max(found[:2])}", set(range(min(found[:2]), max(found[:2]) + 1)))
    ),
)


def response(body: bytes = b"", **fields: Any) -> Response:
    defaults: dict[str, Any] = {
        "url": "http://example.test/",
        "status": 200,
        "headers": {},
        "body": body,
        "truncated": False,
        "phases": Phases(total=1.25),
    }
    return Response(**defaults | fields)


@pytest.mark.parametrize(
    ("body", "charset", "extent"),
    [
        ("é".encode(), "undefined", "the body (2 bytes)"),
        (b"\xe9\xe9", "latin1", "the body (2 bytes)"),
        (b"\xe9\xe9", "undefined", "the body (2 bytes, some of which are not utf-8)"),
        (b"\xe9\xe9", "", "the body (2 bytes, some of which are not utf-8)"),
        (b"\xff\xff", "big5", "the body (2 bytes, some of which are not big5hkscs)"),
    ],
)
def test_bytes_that_are_no_text_are_said(body: bytes, charset: str, extent: str) -> None:
    seen = response(body, headers={"content-type": f"text/plain; charset={charset}"})
    assert Expectations(body_contains="x").failures(seen) == (f"body_contains: 'x' is not in {extent}",)
    cut = response("é".encode()[:1], truncated=True)
    assert Expectations(body_contains="x").failures(cut) == (
        "body_contains: 'x' is not in the first 1 bytes of the body",
    )


@given(st.lists(RANGES, min_size=1, max_size=5), st.sampled_from([",", ", ", " , "]))
def test_a_status_is_one_of_the_ranges(parts: list[tuple[str, set[int]]], comma: str) -> None:
    expectations = Expectations(status=comma.join(text for text, _ in parts))
    accepted = set().union(*(statuses for _, statuses in parts))
    assert {status for status in range(1000) if expectations.accepts_status(status)} == accepted


@given(st.text(alphabet="0123456789xX-, ²٣", max_size=12))
def test_a_text_is_a_list_of_statuses_or_refused(text: str) -> None:
    part = r"[1-9]([0-9]{2}( *- *[1-9][0-9]{2})?|[xX]{2})"
    is_list = text == "" or re.fullmatch(rf" *{part} *(, *{part} *)*", text) is not None
    try:
        Expectations(status=text)
    except ValueError as error:
        refusal = str(error)
    else:
        refusal = ""
    assert refusal.startswith("expect.status: ") if refusal else is_list
    assert not refusal or not is_list or "is empty; write the lower status first" in refusal


@pytest.mark.parametrize(("status", "passes"), [(200, True), (302, True), (399, True), (400, False), (503, False)])
def test_the_default_status_is_below_400(status: int, passes: bool) -> None:
    failures = Expectations().failures(response(status=status))
    assert failures == (() if passes else (f"status: expected below 400, got {status}",))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"status": "200;201"},
            "expect.status: '200;201' is not a status; write 200, 2xx or 200-299, separated by commas",
        ),
        ({"status": "299-200"}, "expect.status: the range 299-200 is empty; write the lower status first"),
        ({"status": "099"}, "expect.status: '099' is not a status"),
        ({"body_contains": ""}, "expect.body_contains: every body contains an empty text"),
        ({"body_matches": "(a"}, "expect.body_matches: '(a' is not an RE2 expression: missing ): (a"),
        ({"body_matches": r"(a)\1"}, "expect.body_matches: "),
        ({"body_matches": "(?=a)"}, "expect.body_matches: "),
        ({"body_matches": "\ud800"}, "expect.body_matches: "),
        ({"body_matches": "a" * 1001}, "expect.body_matches: must have at most 1000 characters"),
        ({"headers": {"X-A": "["}}, "expect.headers.X-A: '[' is not an RE2 expression"),
        ({"json_path": {"a.b": 1}}, "expect.json_path: 'a.b' is not a JSONPath: it must start with $"),
        ({"max_seconds": 0}, "expect.max_seconds: must be a number of seconds above 0"),
        ({"max_seconds": float("nan")}, "expect.max_seconds: must be a number of seconds above 0"),
        ({"certificate_days": -1}, "expect.certificate_days: must be a number of days, 0 or more"),
    ],
)
def test_invalid_expectations_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r"^expect\.") as caught:
        Expectations(**fields)
    assert str(caught.value).startswith(message)


DOCUMENT = json.dumps({"state": "up", "nodes": [{"load": 1}, {"load": 2.5}], "ok": True, "none": None}).encode()


@pytest.mark.parametrize(
    "fields",
    [
        {"body_contains": '"state"'},
        {"body_matches": r'"load": \d\.\d'},
        {"body_matches": "(?i)STATE"},
        {"headers": {"Content-Type": "^application/json", "x-empty": "^$"}},
        {"json_path": {"$.state": "up", "$.nodes[0].load": 1.0, "$.nodes[*].load": 2.5, "$.none": None}},
        {"json_path": {"$.nodes": [{"load": 1}, {"load": 2.5}], "$.nodes[0]": {"load": 1}, "$.ok": True}},
        {"json_path": {"$.none": ..., "$.nodes[?@.load > 2]": ...}},
        {"max_seconds": 1.25},
        {"status": "2xx", "body_contains": "up", "max_seconds": 2},
    ],
)
def test_met_expectations_are_not_reported(fields: dict[str, Any]) -> None:
    headers = {"content-type": "application/json", "x-empty": ""}
    assert Expectations(**fields).failures(response(DOCUMENT, headers=headers)) == ()


@pytest.mark.parametrize(
    ("fields", "failure"),
    [
        ({"status": "204, 3xx"}, "status: expected 204, 3xx, got 200"),
        ({"body_contains": "down"}, f"body_contains: 'down' is not in the body ({len(DOCUMENT)} bytes)"),
        ({"body_matches": "^up"}, f"body_matches: nothing in the body ({len(DOCUMENT)} bytes) matches '^up'"),
        ({"headers": {"X-Team": "."}}, "header X-Team: it is missing"),
        ({"headers": {"Server": "nginx"}}, "header Server: expected a match for 'nginx', got 'stub/1'"),
        ({"json_path": {"$.state": "down"}}, "json_path $.state: expected 'down', got 'up'"),
        ({"json_path": {"$.ok": 1}}, "json_path $.ok: expected 1, got true"),
        ({"json_path": {"$.nodes[0].load": True}}, "json_path $.nodes[0].load: expected true, got 1"),
        ({"json_path": {"$.nodes[*].load": 3}}, "json_path $.nodes[*].load: expected 3, got 1, 2.5"),
        (
            {"json_path": {"$.*": 3}},
            'json_path $.*: expected 3, got \'up\', [{"load": 1}, {"load": 2.5}], true and 1 more',
        ),
        ({"json_path": {"$.gone": ...}}, "json_path $.gone: it selects nothing"),
        ({"json_path": {"$.gone": None}}, "json_path $.gone: it selects nothing"),
        ({"max_seconds": 1.2}, "max_seconds: expected at most 1.2 s, took 1.250 s"),
        (
            {"certificate_days": 1},
            "certificate_days: there is no certificate, because the last response did not use TLS",
        ),
    ],
)
def test_failed_expectations_are_reported_with_the_actual_value(fields: dict[str, Any], failure: str) -> None:
    seen = response(DOCUMENT, headers={"server": "stub/1"})
    assert Expectations(**fields).failures(seen) == (failure,)


def test_all_failed_expectations_are_reported() -> None:
    expectations = Expectations(status="204", body_contains="x", json_path={"$.a": 1, "$.b": 2}, headers={"y": "z"})
    assert len(expectations.failures(response(b"no json"))) == 5


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_not_json_is_reported(body: bytes) -> None:
    (failure,) = Expectations(json_path={"$.a": ...}).failures(response(body))
    assert failure == "json_path $.a: the body is not JSON"


def test_a_truncated_body_is_reported() -> None:
    expectations = Expectations(body_contains="end", json_path={"$": ...})
    assert expectations.failures(response(b"[1, 2", truncated=True)) == (
        "body_contains: 'end' is not in the first 5 bytes of the body",
        "json_path $: the body is longer than 5 bytes, so its JSON cannot be parsed",
    )


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain; charset=ISO-8859-1", b"gr\xfcn"),
        ('text/plain; Charset="utf-8"', "grün".encode()),
        ("text/plain; charset=base64", "grün".encode()),
        ("text/plain; charset=no-such", "grün".encode()),
        ("", "grün".encode()),
    ],
)
def test_the_body_is_decoded_with_its_character_set(content_type: str, body: bytes) -> None:
    expectations = Expectations(body_contains="grün", body_matches="^gr.n$")
    assert expectations.failures(response(body, headers={"content-type": content_type})) == ()


def test_an_expression_takes_time_in_proportion_to_the_text() -> None:
    expectations = Expectations(body_matches="(a+)+$", headers={"x": "^(([a-z])+.)+[A-Z]([a-z])+$"})
    seen = response(b"a" * 1_000_000 + b"!", headers={"x": "a" * 5_000})
    assert len(expectations.failures(seen)) == 2


def test_a_certificate_must_be_valid_long_enough() -> None:
    now = datetime.now(UTC)
    certificate = Certificate(
        subject="CN = a",
        issuer="CN = b",
        names=("a",),
        not_before=now,
        not_after=now + timedelta(days=10),
        days_left=10.0,
        verified=True,
    )
    seen = response(certificate=certificate)
    assert Expectations(certificate_days=10).failures(seen) == ()
    assert Expectations(certificate_days=10.5).failures(seen) == (
        "certificate_days: expected at least 10.5 days, 10.0 are left",
    )
