"""Many who ask for the health at once are one look, and do not make it worse."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.api_environment import Clients

from coinrequest.single_flight import SingleFlight

HEALTH = "/jobs/v1/health"


@pytest.fixture
def look(airflow_app: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let one look be all that there is, and say for how long the report of it is kept."""
    from coinrequest.api import health

    def install(look: Callable[[], Any], keep: float) -> None:
        monkeypatch.setattr(health, "_looks", {look: SingleFlight(look, keep=0, name="test")})
        monkeypatch.setattr(health, "_report", SingleFlight(health._look, keep=keep, name="test"))

    return install


def test_a_flood_is_one_look(client_of: Clients, look: Callable[..., None]) -> None:
    looks: list[int] = []

    def _database() -> Any:
        from coinrequest.api.models import Component

        looks.append(1)
        return {"database": Component(status="healthy")}

    look(_database, keep=60)
    client = client_of(None)
    with ThreadPoolExecutor(30) as callers:
        answers = list(callers.map(lambda _: client.get(HEALTH).json()["status"], range(120)))
    assert (set(answers), len(looks)) == ({"healthy"}, 1)


def test_a_report_is_kept_for_a_second() -> None:
    import inspect

    from coinrequest.api import health

    assert "_report = SingleFlight(_look, keep=1.0" in inspect.getsource(health)


def test_a_look_that_hangs_is_told_and_not_begun_again(
    op: Any, look: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from coinrequest.api import health

    looks: list[int] = []
    go_on = threading.Event()

    def _broker() -> Any:
        looks.append(1)
        go_on.wait(30)
        return {}

    monkeypatch.setattr(health, "TIME_LIMIT", 0.1)
    look(_broker, keep=0)
    try:
        for _ in range(10):
            broker = op.get(HEALTH).json()["components"]["broker"]
            assert broker == {"status": "unhealthy", "detail": "no answer within 0.1 s"}
        assert len(looks) == 1
    finally:
        go_on.set()
