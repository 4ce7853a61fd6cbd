"""Credentials of a connection: they reach its own server, and nobody else ever sees them."""

import base64
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from support.actions import run
from support.http_stub import Hit, HttpStub, Reply, http_server

from coinrequest.actions.context import Connection
from coinrequest.actions.http_request import HttpConnectionUnusable, HttpRequestFailed, HttpUnexpectedStatus

SECRET = 'p"ä/ss wörd<1>'
BASIC = "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()

pytestmark = pytest.mark.usefixtures("loopback_allowed")


@pytest.fixture
def elsewhere() -> Iterator[HttpStub]:
    with http_server() as stub:
        yield stub


def connection(stub: HttpStub, **changes: Any) -> Connection:
    fields = {"kind": "http", "host": "127.0.0.1", "port": stub.port, "login": "me", "password": SECRET}
    return Connection(name="orders", **{**fields, **changes})


def request(url: str, used: Connection, **inputs: Any) -> Any:
    return run("http.request", {"url": url, "connection": "orders", **inputs}, used)


def test_a_path_is_joined_to_the_connection_s_own_url(http_stub: HttpStub) -> None:
    port = http_stub.port
    for changes in (
        {},
        {"host": f"http://127.0.0.1:{port}", "port": None},
        {"host": f"127.0.0.1:{port}", "port": None, "database": "http"},
        {"host": f"http://127.0.0.1:{port}/", "port": 1},
    ):
        request("/orders/1?x=ü", connection(http_stub, **changes))
    request("/orders", connection(http_stub, host="http://127.0.0.1/v1/"), query={"page": 2})
    request("//other.test/x", connection(http_stub))
    request(f"{http_stub.url}/orders", connection(http_stub))
    assert [hit.path for hit in http_stub.hits] == [
        *["/orders/1?x=%C3%BC"] * 4,
        # The stub joins two slashes into one.
        *("/v1/orders?page=2", "/other.test/x", "/orders"),
    ]
    assert {hit.headers["authorization"] for hit in http_stub.hits} == {BASIC}


@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        ({}, {"authorization": BASIC}),
        ({"login": "me", "password": ""}, {"authorization": "Basic " + base64.b64encode(b"me:").decode()}),
        ({"login": "", "password": "t0ken"}, {"authorization": "Bearer t0ken"}),
        ({"login": "", "password": "", "options": {"X-Api-Key": "key-1"}}, {"x-api-key": "key-1"}),
        (
            {"options": {"headers": {"X-Api-Key": "key-1", "authorization": "no"}, "verify": False, "timeout": 5}},
            {"x-api-key": "key-1", "authorization": BASIC},
        ),
    ],
)
def test_the_credentials_of_a_connection_are_sent(
    http_stub: HttpStub, changes: dict[str, Any], headers: dict[str, str]
) -> None:
    request("/", connection(http_stub, **changes), headers={"X-Team": "data"})
    sent = http_stub.hits[0].headers
    assert {name: sent[name] for name in headers} == headers
    assert sent["x-team"] == "data"
    assert not {"verify", "timeout"} & set(sent)


def test_a_request_may_override_public_headers_only(http_stub: HttpStub) -> None:
    own = connection(http_stub, options={"Accept": "text/csv", "X-Api-Key": "key-1"})
    request("/", own, headers={"accept": "application/json"})
    assert http_stub.hits[0].headers["accept"] == "application/json"
    for name in ("authorization", "x-api-KEY"):
        with pytest.raises(
            HttpConnectionUnusable, match=f"the header {name} cannot be set: connection 'orders' sets it"
        ):
            request("/", own, headers={name: "mine"})
    assert len(http_stub.hits) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "https://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://127.0.0.1.evil.test:{port}/",
        "http://127.0.0.1:{port}@evil.test/",
        "http://evil.test/?http://127.0.0.1:{port}/",
        "http://evil.test#@127.0.0.1:{port}/",
    ],
)
def test_another_origin_never_gets_the_credentials(http_stub: HttpStub, url: str) -> None:
    with pytest.raises(HttpConnectionUnusable, match=f"is for http://127.0.0.1:{http_stub.port}, not for "):
        request(url.format(port=http_stub.port), connection(http_stub))
    assert http_stub.hits == []


@pytest.mark.parametrize(
    "url", ["orders", "http:/orders", "http://you:me@127.0.0.1:{port}/", "\\\\evil.test", "http://127.0.0.1\\@x/", " /"]
)
def test_a_url_that_is_neither_a_path_nor_absolute_is_refused(http_stub: HttpStub, url: str) -> None:
    with pytest.raises(HttpConnectionUnusable, match="with connection 'orders', the URL "):
        request(url.format(port=http_stub.port), connection(http_stub))
    assert http_stub.hits == []


def test_a_redirect_drops_the_credentials_for_another_origin(http_stub: HttpStub, elsewhere: HttpStub) -> None:
    def answer(hit: Hit) -> Reply:
        return Reply(307, headers={"Location": "/second" if hit.path == "/first" else f"{elsewhere.url}/third"})

    http_stub.answer = answer
    elsewhere.replies = [Reply(302, headers={"Location": f"{http_stub.url}/fourth"}), Reply()]
    http_stub.replies = [Reply()]
    own = connection(http_stub, options={"X-Api-Key": "key-1"})
    with pytest.raises(HttpRequestFailed, match="more than 3 redirects"):
        request("/first", own, redirect_limit=3)
    seen = [(hit.path, {"authorization", "x-api-key"} & set(hit.headers)) for hit in http_stub.hits]
    both = {"authorization", "x-api-key"}
    assert seen == [("/first", both), ("/second", both), ("/fourth", set())]
    assert [{"authorization", "x-api-key"} & set(hit.headers) for hit in elsewhere.hits] == [set()]


def test_the_guard_applies_to_connections_too(http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COINREQUEST_ALLOWED_NETWORKS")
    with pytest.raises(HttpRequestFailed, match=r"127\.0\.0\.1 is refused: loopback address"):
        request("/", connection(http_stub))
    assert http_stub.hits == []


def test_credentials_in_a_response_are_masked(http_stub: HttpStub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    key = "key-1234/5+6"
    escaped = json.dumps({"password": SECRET}).replace("/", "\\/").replace("<", "\\u003c")

    def answer(hit: Hit) -> Reply:
        headers = {"Content-Type": "application/json", "X-Echo": hit.headers["authorization"], "X-Key": key}
        document = json.dumps({"got": hit.headers, "list": [key, {key: 1}], "text": f"<{SECRET}>"})
        return Reply(200, f'[{document}, {escaped}, "sort of \\u006bey-1234/5+6"]'.encode(), headers)

    http_stub.answer = answer
    own = connection(http_stub, options={"X-Api-Key": key})
    found = request("/", own, extract={"all": "$..*", "text": "$[0].text"})
    told = json.dumps(found, ensure_ascii=False) + caplog.text
    for secret in (SECRET, json.dumps(SECRET)[1:-1], BASIC, BASIC.partition(" ")[2], key):
        assert secret not in told
    assert found["extracted"]["text"] == "<***>"
    assert (found["headers"]["x-echo"], found["headers"]["x-key"]) == ("***", "***")
    assert found["headers"]["content-type"] == "application/json"
    assert found["json"][2] == "sort of ***"
    assert "wörd" not in told
    assert "unencrypted" in caplog.text


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, f"you said {SECRET}, encoded {BASIC}".encode()),
        Reply(302, headers={"Location": f"ftp://x/{BASIC.partition(' ')[2]}"}),
        Reply(404, b"x" * 290 + SECRET.encode()),
    ],
)
def test_errors_do_not_contain_the_credentials(http_stub: HttpStub, reply: Reply) -> None:
    http_stub.replies = [reply]
    with pytest.raises(HttpRequestFailed) as caught:
        request("/", connection(http_stub))
    error: BaseException | None = caught.value
    while error is not None:
        assert "wörd" not in str(error)
        assert 'p"' not in str(error)
        assert BASIC.partition(" ")[2] not in str(error)
        error = error.__cause__ if error.__suppress_context__ else error.__context__


def test_a_password_of_digits_is_masked_as_a_number(http_stub: HttpStub) -> None:
    http_stub.replies = [Reply(body=b'{"pin": 12345678, "other": 123}')]
    found = request("/", connection(http_stub, login="", password="12345678"))
    assert found["json"] == {"pin": "***", "other": 123}
    assert "12345678" not in found["body"]


def test_a_key_as_the_login_is_a_secret(http_stub: HttpStub) -> None:
    http_stub.replies = [Reply(401, b"sk-live-1 is unknown")]
    with pytest.raises(HttpUnexpectedStatus, match=r"'\*\*\* is unknown'"):
        request("/", connection(http_stub, login="sk-live-1", password=""))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "postgres"}, "has the type 'postgres'; requests need a connection of type http"),
        ({"kind": ""}, "has the type ''"),
        ({"host": ""}, "has no valid host: the URL has no host"),
        ({"database": "ftp"}, "only http and https URLs are allowed"),
        ({"host": "http://me:you@127.0.0.1"}, "has a user name in its host; move it to the login"),
        ({"host": "http://127.0.0.1/?x=1"}, "has a query in its host"),
        ({"options": {"X-Retries": 3}}, "the option 'X-Retries' is not a text"),
        ({"options": {"X-A": "s3cret\r\nX-B: 1"}}, "the value of the header X-A must be one line of ASCII"),
        ({"options": {"headers": {"Host": "other.test"}}}, "the header Host cannot be set: the client sets it"),
        ({"login": "", "password": "t\u00f6ken"}, "the value of the header Authorization must be one line of ASCII"),
        ({"name": "other"}, "there is no connection 'orders'"),
    ],
)
def test_a_connection_that_cannot_be_used_is_a_clear_error(
    http_stub: HttpStub, changes: dict[str, Any], message: str
) -> None:
    fields = {"name": "orders", "kind": "http", "host": "127.0.0.1", "port": http_stub.port, **changes}
    with pytest.raises(HttpConnectionUnusable, match=message) as caught:
        request("/", Connection(**fields))
    assert "s3cret" not in str(caught.value)
    assert http_stub.hits == []


@pytest.mark.parametrize("written", ["utf-8", "iso-8859-1"])
@pytest.mark.parametrize("named", ["utf-8", "iso-8859-1", "undefined", ""])
def test_secrets_are_masked_whatever_the_server_calls_their_charset(
    http_stub: HttpStub, written: str, named: str
) -> None:
    http_stub.replies = [
        Reply(body=f"you sent {SECRET}".encode(written), headers={"Content-Type": f"a/b; charset={named}"})
    ]
    assert request("/", connection(http_stub))["body"] == "you sent ***"
