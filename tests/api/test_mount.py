"""The lazy application that Airflow mounts."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

from coinrequest.airflow.api_server.request_slots import SLOTS
from coinrequest.api.mount import LazyApplication, root_middleware

PLUGIN = Path(__file__).parents[2] / "plugins" / "coinrequest_plugin.py"


def test_the_plugin_imports_nothing_heavy() -> None:
    """Every task process imports it, so it may import only Airflow's plugin base class and mark for listeners."""
    code = (
        "import sys, runpy; import airflow.plugins_manager; before = set(sys.modules);"
        f"runpy.run_path({str(PLUGIN)!r});"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    others = {name for name in done.stdout.split() if name.split(".")[0] != "coinrequest"}
    assert others <= {"runpy", "pkgutil", "airflow.listeners", "airflow._shared.listeners"}


def test_the_application_is_created_once_by_the_first_requests() -> None:
    made: list[str] = []
    served: list[str] = []

    async def application(scope: Any, _receive: Any, _send: Any) -> None:
        served.append(scope["path"])

    def create() -> Any:
        made.append("once")
        return application

    async def requests() -> None:
        lazy = LazyApplication(create)
        assert made == []
        await asyncio.gather(*(lazy({"path": str(number)}, None, None) for number in range(5)))  # type: ignore[arg-type]

    asyncio.run(requests())
    assert made == ["once"]
    assert sorted(served) == list("01234")


def test_a_failed_creation_is_retried() -> None:
    tries: list[int] = []

    async def application(_scope: Any, _receive: Any, _send: Any) -> None:
        return None

    def create() -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("not yet")
        return application

    async def requests() -> None:
        lazy = LazyApplication(create)
        for _ in range(3):
            try:
                await lazy({}, None, None)  # type: ignore[arg-type]
            except OSError:
                continue

    asyncio.run(requests())
    assert len(tries) == 2


def test_the_web_server_runs_few_requests_of_airflow_at_once() -> None:
    """They leave a connection to the event loop, which would otherwise wait for them, and they for it."""
    running: list[str] = []

    async def application(scope: Any, _receive: Any, _send: Any) -> None:
        running.append(scope["path"])
        await asyncio.Event().wait()

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(_message: Any) -> None:
        raise AssertionError

    async def requests() -> None:
        protected = root_middleware(application)
        scope = {"type": "http", "method": "POST", "path": "/api/v2/dags/a/dagRuns", "headers": []}
        asked = [asyncio.ensure_future(protected({**scope}, receive, send)) for _ in range(20)]
        await asyncio.sleep(0.1)
        assert len(running) == SLOTS
        for request in asked:
            request.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

    asyncio.run(requests())
