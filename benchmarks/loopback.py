"""HTTP servers on the loopback, for what the measured programs ask or tell."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.measure import GaveUp


class Handler(BaseHTTPRequestHandler):
    """Answers without a line in the terminal."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(handler: type[Handler]) -> Iterator[str]:
    """Serve for the length of a block; give the address, without a slash at its end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Arrivals:
    """When the first request came under each path.

    Attributes:
        url: of the receiver, without a slash at its end.
    """

    def __init__(self, url: str = "") -> None:
        self.url = url
        self._times: dict[str, float] = {}
        self._changed = threading.Condition()

    def note(self, path: str) -> None:
        now = time.time()
        with self._changed:
            self._times.setdefault(path, now)
            self._changed.notify_all()

    def wait_for(self, path: str, timeout: float = 60.0) -> float:
        """Wait for a request under a path; return when its body was there (seconds since the epoch).

        Raises:
            GaveUp: nothing came in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: path in self._times, timeout):
                raise GaveUp(f"nothing came under {path} within {timeout:.0f} s")
            return self._times[path]


@contextmanager
def receiving() -> Iterator[Arrivals]:
    """Receive webhooks for the length of a block."""
    arrivals = Arrivals()

    class Receiver(Handler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            arrivals.note(self.path)
            self.send_response(204)
            self.end_headers()

    with serving(Receiver) as arrivals.url:
        yield arrivals
