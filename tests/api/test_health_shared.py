"""Callers who ask for the health at the same time share one check, and a check that hangs is not repeated."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.api_environment import Clients

from coinrequest.single_flight import SingleFlight

HEALTH = "/jobs/v1/health"


@pytest.fixture
def only_check(airflow_app: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replace all checks by one, and set for how long its report is kept."""
    from coinrequest.api import health

    def install(check: Callable[[], Any], keep: float) -> None:
        monkeypatch.setattr(health, "_checks", {check: SingleFlight(check, keep=0, name="test")})
        monkeypatch.setattr(health, "_report", SingleFlight(health._check_all, keep=keep, name="test"))

    return install


def test_concurrent_requests_share_one_check(client_of: Clients, only_check: Callable[..., None]) -> None:
    checks: list[int] = []

    def _database() -> Any:
        from coinrequest.api.models import Component

        checks.append(1)
        return {"database": Component(status="healthy")}

    only_check(_database, keep=60)
    client = client_of(None)
    with ThreadPoolExecutor(30) as callers:
        answers = list(callers.map(lambda _: client.get(HEALTH).json()["status"], range(120)))
    assert (set(answers), len(checks)) == ({"healthy"}, 1)


def test_a_report_is_kept_for_a_second() -> None:
    import inspect

    from coinrequest.api import health

    assert "_report = SingleFlight(_check_all, keep=1.0" in inspect.getsource(health)


def test_a_check_that_hangs_is_unhealthy_and_not_repeated(
    op: Any, only_check: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from coinrequest.api import health

    checks: list[int] = []
    released = threading.Event()

    def _broker() -> Any:
        checks.append(1)
        released.wait(30)
        return {}

    monkeypatch.setattr(health, "TIME_LIMIT", 0.1)
    only_check(_broker, keep=0)
    try:
        for _ in range(10):
            broker = op.get(HEALTH).json()["components"]["broker"]
            assert broker == {"status": "unhealthy", "detail": "no answer within 0.1 s"}
        assert len(checks) == 1
    finally:
        released.set()
