"""Every service is killed in turn while jobs run, and none is lost; the order of starts does not matter."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from support.client import API, Client
from support.compose import ComposeStack
from support.documents import new_name
from support.waiting import eventually

pytestmark = pytest.mark.containers

JOBS = 60
SUBMITTING_SECONDS = 100
VICTIMS = ("agent", "redis", "scheduler", "dag-processor", "gateway", "postgres", "triggerer", "api-server")


@pytest.fixture
def patient_type(compose_stack: ComposeStack) -> str:
    """A type whose task is retried when its agent dies."""
    name = new_name("patient")
    task = {
        "id": "wait",
        "action": "integer.wait",
        "inputs": {"value": "{{ params.value }}"},
        "retries": {"max": 5, "delay": "1s"},
    }
    params = {"type": "object", "properties": {"value": {"type": "integer", "default": 2}}}
    document = {"name": name, "owner": "tests", "tasks": [task], "params": params}
    answer = compose_stack.client().post(f"{API}/job-types", json=document)
    assert answer.status_code == 201, answer.text
    return name


def submit(client: Client, name: str, key: str, stop: threading.Event) -> str:
    """Submit with a key, and repeat until it is accepted, as a careful client does."""
    while not stop.is_set():
        try:
            answer = client.post(
                f"{API}/job-types/{name}/jobs",
                json={"params": {"value": 2}},
                headers={"Idempotency-Key": key},
                timeout=60,
            )
        except requests.RequestException:
            pass
        else:
            if answer.status_code in (200, 202):
                return str(answer.json()["id"])
            assert answer.status_code >= 500, answer.text
        time.sleep(0.5)
    raise AssertionError(f"{key} was never accepted")


def test_every_service_is_killed_while_60_jobs_run_and_none_is_lost(
    compose_stack: ComposeStack, patient_type: str
) -> None:
    compose_stack.scale(2)
    client, stop = compose_stack.client(), threading.Event()

    def paced(number: int) -> str:
        """The jobs are spread over the time of the kills."""
        stop.wait(max(0.0, began + number * SUBMITTING_SECONDS / JOBS - time.monotonic()))
        return submit(client, patient_type, f"{patient_type}-{number}", stop)

    with ThreadPoolExecutor(JOBS) as pool:
        began = time.monotonic()
        submitted = [pool.submit(paced, number) for number in range(JOBS)]
        try:
            for victim in VICTIMS:
                compose_stack.kill(victim)
                # The next blow falls when this one is dealt with, or what is tested is a machine that never comes up.
                eventually(lambda: done(compose_stack, patient_type) is not None, timeout=90, interval=1)
            jobs = [future.result(timeout=180) for future in submitted]
        finally:
            stop.set()
    assert len(set(jobs)) == JOBS
    states = [compose_stack.finished(job, timeout=300)["state"] for job in jobs]
    assert states == ["success"] * JOBS
    assert done(compose_stack, patient_type) == JOBS, "each once"


def done(stack: ComposeStack, name: str) -> int | None:
    """Return how many jobs of a type have succeeded; None: the web server or its database is away."""
    try:
        answer = stack.client().get(f"{API}/jobs", params={"type": name, "state": "success", "limit": 100}, timeout=10)
    except requests.RequestException:
        return None
    return len(answer.json()["jobs"]) if answer.status_code == 200 else None


def test_everything_restarts_with_jobs_on_the_way(compose_stack: ComposeStack, patient_type: str) -> None:
    jobs = [compose_stack.submit(patient_type, {"value": 1}) for _ in range(6)]
    compose_stack.compose("restart", "-t", "20")
    assert {compose_stack.finished(job, timeout=300)["state"] for job in jobs} == {"success"}
    # Everything at once was the order in which nobody waits for anybody.
    eventually(
        lambda: set(compose_stack.states().values()) == {"healthy", "exited 0"}, timeout=120, interval=2, what="health"
    )
