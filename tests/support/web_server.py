"""The web server of Airflow in this process, on a port: for tests that need more than one request at a time."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

from support.waiting import eventually


class WebServer:
    """One server.

    Attributes:
        url: its address.
    """

    def __init__(self, app: Any) -> None:
        import uvicorn

        self._server = uvicorn.Server(
            uvicorn.Config(
                app, host="127.0.0.1", port=0, log_level="warning", lifespan="off", timeout_graceful_shutdown=2
            )
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._longest = 0.0
        self._thread.start()
        eventually(lambda: self._server.started, timeout=20, interval=0.02)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def longest_pause(self) -> float:
        """Return for how many seconds at most the event loop did nothing since the last time that this was asked."""
        longest, self._longest = self._longest, 0.0
        return longest

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    def _run(self) -> None:
        async def serve() -> None:
            watching = asyncio.create_task(self._watch())
            await self._server.serve()
            watching.cancel()

        asyncio.run(serve())

    async def _watch(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                before = time.monotonic()
                await asyncio.sleep(0.01)
                self._longest = max(self._longest, time.monotonic() - before - 0.01)


@contextlib.contextmanager
def web_server(app: Any) -> Iterator[WebServer]:
    """Serve `app` until the end of the block."""
    server = WebServer(app)
    try:
        yield server
    finally:
        server.stop()
