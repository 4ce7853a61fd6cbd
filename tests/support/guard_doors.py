"""The doors through which a URL gets in, the servers behind the corpus, and the evidence of what was opened."""

import contextlib
import errno
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import pytest

from coinrequest import settings
from coinrequest.http.errors import RequestFailed
from coinrequest.http.guard import AddressGuard
from coinrequest.http.messages import Request
from coinrequest.http.transport import send
from coinrequest.urltest import test_url, test_urls
from support.guard_corpus import ALLOWED, FORBIDDEN, names
from support.http_stub import served

TIMEOUT = 5.0


@dataclass
class World:
    """An allowed server on 127.0.0.2, and servers on 127.0.0.1 and ::1 at the same port that nobody may reach.

    Attributes:
        answers: what the allowed server answers at a path: status and headers; it is 200 everywhere else.
        asked: the paths that it was asked for.
        port: of them all.
    """

    forbidden: list[socket.socket]
    answers: dict[str, tuple[int, Mapping[str, str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def fill(self, text: str) -> str:
        """Put the port where the corpus has a place for it."""
        return text.replace("{port}", str(self.port))

    def intruders(self) -> list[str]:
        """Return who has connected to what is forbidden; a connection stands as soon as the kernel has made it."""
        seen = []
        for listener in self.forbidden:
            with contextlib.suppress(BlockingIOError):
                connection, _ = listener.accept()
                connection.close()
                seen.append(str(listener.getsockname()))
        return seen


@contextlib.contextmanager
def running_world() -> Iterator[World]:
    """Start the servers.

    A system where only 127.0.0.1 of the loopback network exists has no room for an allowed server beside a forbidden
    one: the tests are skipped there, and say so.
    """
    world = World([])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            world.asked.append(self.path)
            path, _, query = self.path.partition("?")
            status, headers = world.answers.get(path, (200, {}))
            if path.endswith("/to"):
                status, headers = 302, {"Location": unquote(query)}
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        server_bind = TCPServer.server_bind  # that of HTTPServer asks the resolver for the address's name

    with contextlib.ExitStack() as stack:
        while True:
            listeners = [stack.enter_context(listening(FORBIDDEN[0]))]
            world.port = listeners[0].getsockname()[1]
            try:
                server = Server((ALLOWED, world.port), Handler)
                with contextlib.suppress(NoIpv6):
                    listeners.append(stack.enter_context(listening(FORBIDDEN[1], world.port)))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue  # another program has this port at another address
                pytest.skip(f"{ALLOWED} cannot be used here, so that nothing can be allowed beside 127.0.0.1: {error}")
            break
        world.forbidden += listeners
        stack.enter_context(served(server))
        yield world


class NoIpv6(Exception):
    """This machine has none; that no socket was opened is proved all the same."""


@contextlib.contextmanager
def listening(address: str, port: int = 0) -> Iterator[socket.socket]:
    """Listen, and accept nobody."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as listener:
        try:
            listener.bind((address, port))
        except OSError as error:
            if ":" in address and error.errno != errno.EADDRINUSE:
                raise NoIpv6 from error
            raise
        listener.listen(128)
        listener.setblocking(False)
        yield listener


@dataclass
class Evidence:
    """What this thread did: sockets that were made, other ways to the network, and what the guard let pass."""

    sockets: list[str] = field(default_factory=list)
    network_calls: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)


_watched: dict[int, Evidence] = {}


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Note what Python does with sockets (https://docs.python.org/3/library/audit_events.html)."""
    if not event.startswith("socket.") or (evidence := _watched.get(threading.get_ident())) is None:
        return
    if event == "socket.__new__":
        evidence.sockets.append(str(arguments[1:]))
    else:
        evidence.network_calls.append(f"{event}{arguments[1:]}")


_installed = False


@contextlib.contextmanager
def watched() -> Iterator[Evidence]:
    """Watch this thread: libcurl asks for its sockets in the thread that performs, and gets them from Python."""
    global _installed
    if not _installed:
        sys.addaudithook(_watch)  # it stays as long as the process
        _installed = True
    evidence = Evidence()
    judge = AddressGuard.refusal

    def noting(self: AddressGuard, address: str, host: str = "") -> str | None:
        refusal = judge(self, address, host)
        if refusal is None:
            evidence.allowed.append(address)
        return refusal

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AddressGuard, "refusal", noting)
        _watched[threading.get_ident()] = evidence
        try:
            yield evidence
        finally:
            del _watched[threading.get_ident()]


@contextlib.contextmanager
def answering_names(resolve: Mapping[str, Any], allowed: str) -> Iterator[None]:
    """Give every request these names, through whichever door it comes, and the settings an administrator's list."""
    original = Request.__init__

    def with_names(self: Request, **attributes: Any) -> None:
        original(self, **{**attributes, "resolve": resolve})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Request, "__init__", with_names)
        patch.setenv("COINREQUEST_ALLOWED_NETWORKS", allowed)
        yield


@dataclass(frozen=True)
class Seen:
    """What came out of a door: the last status, or why there is none."""

    status: int | None = None
    error: str = ""


def _send(url: str) -> Seen:
    try:
        return Seen(send(Request(url=url, timeout=TIMEOUT), AddressGuard(settings.allowed_networks())).status)
    except RequestFailed as error:
        return Seen(error=str(error))


def _test_url(url: str) -> Seen:
    seen = test_url(url, timeout=TIMEOUT, retry_errors=True)
    assert (seen.status is None) == (seen.error is not None)
    return Seen(seen.status, seen.error or "")


def _test_urls(url: str) -> Seen:
    (seen,) = test_urls([url], timeout=TIMEOUT)
    return Seen(seen.status, seen.error or "")


def _url_test_action(url: str) -> Seen:
    from coinrequest.actions.url_test import UrlTestAction

    inputs = inputs_of(UrlTestAction, url)
    if inputs is None:
        return NO_INPUT
    seen = UrlTestAction().run(inputs)
    return Seen(seen.status, "" if seen.status is not None else seen.result)


def _http_request(url: str) -> Seen:
    from coinrequest.actions.http_request import HttpRequest, HttpRequestFailed

    inputs = inputs_of(HttpRequest, url)
    if inputs is None:
        return NO_INPUT
    try:
        return Seen(HttpRequest().run(inputs).status)
    except HttpRequestFailed as failed:
        return Seen(failed.status, str(failed))


# An action's inputs are checked before it runs: no text of more than 8,192 characters or of none, no half surrogates.
NO_INPUT = Seen(error="the input is invalid: longer than, no host, not a valid host")


def inputs_of(action: Any, url: str) -> Any:
    """Make the inputs of an action; None: they are invalid, and it does not run."""
    from pydantic import ValidationError

    try:
        return action.Inputs.model_validate({"url": url})
    except ValidationError:
        return None


def _webhook(url: str) -> Seen:
    """Post a notice; to https, unless the address itself is allowed."""
    from coinrequest.notices.claims import Claim
    from coinrequest.notices.destinations.webhook import deliver
    from coinrequest.notices.policy import Policy

    if ALLOWED not in url.partition("/to?")[0]:
        url = url.replace("http://", "https://", 1)
    now = datetime.now(UTC)
    claim = Claim(
        id=UUID(int=1),
        kind="webhook",
        destination=url,
        secret_connection=None,
        secret=None,
        body="{}",
        attempts=0,
        give_up_at=now + timedelta(hours=1),
        receiver="",
        lease=now,
    )
    outcome = deliver(claim, Policy(webhook_seconds=TIMEOUT))
    return Seen(outcome.status, outcome.error or "")


DOORS: dict[str, Callable[[str], Seen]] = {
    "send": _send,
    "test_url": _test_url,
    "test_urls": _test_urls,
    "url.test": _url_test_action,
    "http.request": _http_request,
    "webhook": _webhook,
}


def enter(
    door: str, url: str, resolve: Mapping[str, Any] | None = None, allowed: str = f"{ALLOWED}/32"
) -> tuple[Seen, Evidence]:
    """Take a URL to a door, and return what came out and what was done."""
    with answering_names(names() if resolve is None else resolve, allowed), watched() as evidence:
        return DOORS[door](url), evidence


def assert_nothing_forbidden(world: World, evidence: Evidence) -> None:
    """Check that sockets were made for the allowed server alone, and that nobody has reached another one."""
    assert evidence.network_calls == []
    assert set(evidence.allowed) <= {ALLOWED, f"::ffff:{ALLOWED}", "::ffff:7f00:2"}
    assert len(evidence.sockets) <= len(evidence.allowed)  # webhooks ask the guard at their registration as well
    assert world.intruders() == []
