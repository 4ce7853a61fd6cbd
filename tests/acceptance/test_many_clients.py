"""A flood of requests is answered in turn; it does not use up the connections to the database."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.client import API, Client
from support.platform import Platform

CLIENTS = 60


@pytest.mark.faults
def test_sixty_clients_at_once_are_all_answered(platform: Platform) -> None:
    """With all connections in use, Airflow's event loop once waited for one for half a minute at a time."""
    credentials = platform.stack.credentials("user")
    clients = [Client(platform.url, credentials.username, credentials.password) for _ in range(6)]

    def submit(number: int) -> int:
        client = clients[number % len(clients)]
        answer = client.post(f"{API}/job-types/integer/jobs", json={"params": {"value": 0}}, timeout=25)
        return answer.status_code

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(submit, range(3 * CLIENTS)))
    for client in clients:
        client.close()
    assert answers == [202] * (3 * CLIENTS)
