"""Servers on the loopback that behave as a test says: no test leaves the machine."""

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Hit:
    """One request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """What is answered; `wait` holds the answer back until it is set or 30 seconds are over."""

    status: int = 200
    body: bytes = b"hello"
    headers: dict[str, str] = field(default_factory=dict)
    wait: threading.Event | None = None
    wait_in_body: bool = False
    announced_length: int | None = None


class HttpStub:
    """An HTTP server on a free port; `replies` are given in turn, the last one again and again."""

    def __init__(self) -> None:
        self.hits: list[Hit] = []
        self.replies: list[Reply] = [Reply()]
        self.answer: Callable[[Hit], Reply] = self._next
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                hit = Hit(self.command, self.path, headers, body)
                stub.hits.append(hit)
                reply = stub.answer(hit)
                if reply.wait is not None and not reply.wait_in_body:
                    reply.wait.wait(30)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                length = reply.announced_length if reply.announced_length is not None else len(reply.body)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(reply.body)
                self.wfile.flush()
                if reply.wait is not None and reply.wait_in_body:
                    reply.wait.wait(30)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = handle_any  # noqa: N815

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):  # the client did not want the rest
                    super().handle()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def _next(self, hit: Hit) -> Reply:
        return self.replies[min(len(self.hits), len(self.replies)) - 1]


@contextlib.contextmanager
def served(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def http_server() -> Iterator[HttpStub]:
    stub = HttpStub()
    with served(stub.server):
        yield stub
