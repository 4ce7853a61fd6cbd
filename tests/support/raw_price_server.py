"""A server that says byte by byte what a test wants, for what a proper HTTP server would never send."""

import contextlib
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator

from support.http_stub import served


class RawServer:
    """Serves on a free port. `reply` gets the socket for each request and returns whether the connection stays open.

    `greeting` is sent before the first request is read. `over` is set when the test ends, for replies that go on
    until then.
    """

    def __init__(self) -> None:
        self.connections = 0
        self.greeting = b""
        self.requests: list[str] = []
        self.reply: Callable[[socket.socket], bool] = lambda _socket: False
        self.over = threading.Event()
        stub = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                stub.connections += 1
                with contextlib.suppress(OSError):  # the client did not want the rest
                    self.request.sendall(stub.greeting)
                    while head := self.read_head():
                        stub.requests.append(head)
                        if not stub.reply(self.request):
                            break

            def read_head(self) -> str:
                head = b""
                while line := self.rfile.readline():
                    head += line
                    if line == b"\r\n":
                        return head.decode("latin-1")
                return ""

            def finish(self) -> None:
                with contextlib.suppress(OSError):
                    super().finish()

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"

    def drip(self, connection: socket.socket, text: bytes) -> bool:
        """Send a first part, and then one byte after the other for as long as the test runs."""
        connection.sendall(text)
        while not self.over.wait(0.01):
            connection.sendall(b" ")
        return False


def reset(connection: socket.socket) -> bool:
    """Close with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    return False


@contextlib.contextmanager
def raw_server() -> Iterator[RawServer]:
    stub = RawServer()
    with served(stub.server):
        try:
            yield stub
        finally:
            stub.over.set()
