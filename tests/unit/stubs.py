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


@dataclass
class Mail:
    """One mail that came in."""

    sender: str
    recipients: list[str]
    data: str


class SmtpStub:
    """As much of RFC 5321 as a client that sends one mail needs; `refused` are recipients that get a 550."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.refused: set[str] = set()
        self.refuse_data = False
        stub = self

        class Handler(socketserver.StreamRequestHandler):
            def say(self, text: str) -> None:
                self.wfile.write(text.encode() + b"\r\n")

            def handle(self) -> None:
                self.say("220 stub")
                mail = Mail("", [], "")
                while line := self.rfile.readline().decode().strip():
                    verb, address = line.upper(), line.partition("<")[2].partition(">")[0]
                    if verb.startswith("EHLO"):
                        self.say("250-stub")
                        self.say("250 8BITMIME")
                    elif verb.startswith("MAIL"):
                        mail.sender = address
                        self.say("250 ok")
                    elif verb.startswith("RCPT") and address in stub.refused:
                        self.say("550 no such person")
                    elif verb.startswith("RCPT"):
                        mail.recipients.append(address)
                        self.say("250 ok")
                    elif verb.startswith("DATA") and stub.refuse_data:
                        self.say("451 come back later")
                    elif verb.startswith("DATA"):
                        self.say("354 go on")
                        lines = []
                        while (data := self.rfile.readline()) not in (b".\r\n", b""):
                            lines.append(data.decode().removeprefix("."))
                        mail.data = "".join(lines)
                        stub.mails.append(mail)
                        self.say("250 taken")
                    elif verb.startswith("QUIT"):
                        self.say("221 bye")
                        return
                    else:
                        self.say("250 ok")

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port: int = self.server.server_address[1]
        self.url = f"smtp://127.0.0.1:{self.port}"


@contextlib.contextmanager
def smtp_server() -> Iterator[SmtpStub]:
    stub = SmtpStub()
    with served(stub.server):
        yield stub
