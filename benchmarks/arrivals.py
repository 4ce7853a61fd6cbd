"""A receiver of webhooks on the loopback that notes when each came."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.measure import GaveUp


class Arrivals:
    """What has come, by its path.

    Attributes:
        url: the receiver's address, without a slash at its end.
    """

    def __init__(self) -> None:
        self._times: dict[str, float] = {}
        self._changed = threading.Condition()
        arrivals = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                arrivals._note(self.path)
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def wait_for(self, path: str, timeout: float = 60.0) -> float:
        """Wait for the first request under a path; return when its body was there (seconds since the epoch).

        Raises:
            GaveUp: nothing came in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: path in self._times, timeout):
                raise GaveUp(f"nothing came under {path} within {timeout:.0f} s")
            return self._times[path]

    def _note(self, path: str) -> None:
        now = time.time()
        with self._changed:
            self._times.setdefault(path, now)
            self._changed.notify_all()


@contextmanager
def receiving() -> Iterator[Arrivals]:
    """Run a receiver for the length of a block."""
    arrivals = Arrivals()
    thread = threading.Thread(target=arrivals.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield arrivals
    finally:
        arrivals.server.shutdown()
        arrivals.server.server_close()
        thread.join()
