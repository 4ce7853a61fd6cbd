"""A receiver of webhooks on the loopback that answers as a test says, and remembers what came in."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from support.waiting import eventually

# Nothing hangs longer than this, whatever a test forgets.
_LONGEST_HANG = 120.0


@dataclass(frozen=True)
class Received:
    """One request that came in: when its body was there, and what it brought (names of headers in lower case)."""

    at: datetime
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What is answered, after `delay` seconds; `hang`: nothing until `Receiver.release`, then this."""

    status: int = 200
    delay: float = 0.0
    hang: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Receiver:
    """An HTTP server on a port of its own; any path will do.

    Attributes:
        url: its address, without a slash at its end.
        received: everything that came in, in the order of its coming.
        decide: the answer to a request; by default the script's, then `otherwise`.
        otherwise: the answer when the script is over.
    """

    def __init__(self, port: int = 0) -> None:
        self.received: list[Received] = []
        self.otherwise = Answer()
        self.decide: Callable[[Received], Answer] = lambda request: self._scripted()
        self._script: list[Answer] = []
        self._lock = threading.Lock()
        self._released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def answer_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = receiver._take(Received(datetime.now(UTC), self.command, self.path, headers, body))
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = do_PUT = answer_any  # noqa: N815

            def handle(self) -> None:
                # Who waits no longer for an answer has closed the connection.
                with contextlib.suppress(ConnectionError):
                    super().handle()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port: int = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def script(self, *answers: int | Answer) -> None:
        """Say the next answers, each a status or an `Answer`; afterwards `otherwise` is given again and again."""
        with self._lock:
            self._script = [Answer(status=answer) if isinstance(answer, int) else answer for answer in answers]

    def release(self) -> None:
        """Let every answer that hangs go, also those to come."""
        self._released.set()

    def at(self, path: str) -> list[Received]:
        """Return what came in under one path."""
        return [request for request in list(self.received) if request.path == path]

    def wait_for(self, count: int = 1, timeout: float = 30.0, path: str | None = None) -> list[Received]:
        """Wait until `count` requests (of one path) have come in; return all that are there then."""

        def enough() -> list[Received]:
            found = list(self.received) if path is None else self.at(path)
            return found if len(found) >= count else []

        return eventually(enough, timeout=timeout, interval=0.02, what=f"{count} requests at {self.url}{path or ''}")

    def _scripted(self) -> Answer:
        with self._lock:
            return self._script.pop(0) if self._script else self.otherwise

    def _take(self, request: Received) -> Answer:
        with self._lock:
            self.received.append(request)
        answer = self.decide(request)
        if answer.hang:
            self._released.wait(_LONGEST_HANG)
        time.sleep(answer.delay)
        return answer


@contextlib.contextmanager
def webhook_receiver(port: int = 0) -> Iterator[Receiver]:
    """Run a receiver; with a `port` of an earlier one it comes back under the same address."""
    stub = Receiver(port)
    thread = threading.Thread(target=stub.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.release()
        stub.server.shutdown()
        stub.server.server_close()
        thread.join()
