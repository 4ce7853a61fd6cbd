"""Options that cannot be used are refused before anything is opened, with the field and what to give instead."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.http_stub import HttpStub

from coinrequest.http.headers import check_headers
from coinrequest.urltest import AddressGuard, url_test
from coinrequest.urltest.plan import Plan


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "get"}, "method: 'get' is not one of GET, HEAD, POST"),
        ({"method": "TRACE"}, "method: 'TRACE' is not one of"),
        ({"method": "GET / HTTP/1.1\r\nX: 1"}, "method: "),
        ({"headers": {"X-A": "1\r\nX-B: 2"}}, "headers: the value of the header X-A must be one line of ASCII"),
        ({"headers": {"X A": "1"}}, "headers: 'X A' is not a valid header name"),
        ({"headers": {"content-LENGTH": "1"}}, "headers: the header content-LENGTH cannot be set: the client sets it"),
        ({"headers": {f"x-{number}": "" for number in range(51)}}, "headers: there can be at most 50"),
        ({"body": "text"}, "body: must be bytes"),
        ({"method": "HEAD", "body": b""}, "body: a HEAD request has no body"),
        ({"attempts": 0}, "attempts must be at least 1"),
        ({"redirect_limit": -1}, "redirect_limit must be at least 0"),
        ({"body_limit": -1}, "body_limit must be at least 0"),
        ({"timeout": 0}, "timeout: must be a number of seconds above 0"),
        ({"timeout": float("nan")}, "timeout: must be a number of seconds above 0"),
        ({"timeout": float("inf")}, "timeout: must be a number of seconds above 0"),
        ({"connect_timeout": 0}, "connect_timeout: must be a number of seconds above 0"),
        ({"connect_timeout": float("nan")}, "connect_timeout: must be a number of seconds above 0"),
        ({"ip_version": 5}, "ip_version: must be 4, 6 or None"),
    ],
)
def test_invalid_options_are_refused(http_stub: HttpStub, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        url_test.test_url(http_stub.url, guard=AddressGuard(["127.0.0.1"]), **options)
    assert str(caught.value).startswith(message)
    assert http_stub.hits == []


def test_unknown_options_are_an_error() -> None:
    with pytest.raises(TypeError, match="retries"):
        url_test.test_url("x", retries=3)  # type: ignore[call-arg]


def test_the_guard_of_the_settings_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan()
    monkeypatch.setenv("COINREQUEST_ALLOWED_NETWORKS", "10.0.0.0/8")
    assert plan.address_guard.refusal("10.0.0.1") is None
    assert plan.address_guard is plan.address_guard


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=3))
def test_headers_that_pass_are_single_lines(headers: dict[str, str]) -> None:
    try:
        check_headers(headers)
    except ValueError:
        return
    for name, value in headers.items():
        assert name
        assert f"{name}: {value}".isascii()
        assert f"{name}: {value}".replace("\t", " ").isprintable()
