"""A web server on the loopback that the jobs of the stack may ask."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

RATES = {"USD": "65123.4567", "GBP": "51234.10", "EUR": "60001"}


class WebStub:
    """`/v2/exchange-rates` answers as the price source does, `/slow/N` after N seconds, `/status/N` with that status.

    `/large` answers with text that takes six times its size in JSON; `/flaky/NAME` answers with a 503 the first time,
    then with a 200; `/json/TEXT` with that text. A POST is answered with what it brought.
    """

    def __init__(self, port: int = 0) -> None:
        self.paths: list[str] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stub.paths.append(self.path)
                self._reply(*stub.answer(self.path))

            def do_POST(self) -> None:
                self._reply(200, self.rfile.read(int(self.headers["Content-Length"])))

            def _reply(self, status: int, document: object) -> None:
                body = document if isinstance(document, bytes) else json.dumps(document).encode()
                with contextlib.suppress(ConnectionError):
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port: int = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def answer(self, path: str) -> tuple[int, object]:
        kind, _, rest = path.partition("?")[0].strip("/").partition("/")
        if kind == "v2":
            return 200, {"data": {"currency": "BTC", "rates": RATES}}
        if kind == "slow":
            time.sleep(float(rest))
        if kind == "status":
            return int(rest), {}
        if kind == "large":
            return 200, b"\x01" * 200_000
        if kind == "json":
            return 200, unquote(rest).encode()
        if kind == "flaky" and self.paths.count(path) == 1:
            return 503, {}
        return 200, {"path": path}


@contextlib.contextmanager
def web_stub(port: int = 0) -> Iterator[WebStub]:
    stub = WebStub(port)
    thread = threading.Thread(target=stub.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.server.shutdown()
        stub.server.server_close()
        thread.join()
