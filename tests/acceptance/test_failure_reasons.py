"""A job that was ended by a fault, a limit or a person says so, on a running stack."""

import signal

import psutil
import pytest
from support.documents import job_type, new_name, wait_task
from support.platform import AGENTS, Platform
from support.waiting import eventually

pytestmark = pytest.mark.faults


def running(platform: Platform, name: str, job: str) -> int:
    """Wait until the task of a job runs; return the id of its process."""

    def process() -> int | None:
        task = platform.task_instances(name, job)[0]
        return task["pid"] if task["state"] == "running" and task["pid"] else None

    found = eventually(process, timeout=30, what=f"{name} runs")
    assert found
    return found


def test_a_killed_process_of_a_task_is_named_with_its_signal(platform: Platform) -> None:
    name = new_name("killed")
    platform.register(job_type(name, wait_task(value=60)))
    job = platform.submit(name)
    pid = running(platform, name, job)
    psutil.Process(pid).send_signal(signal.SIGKILL)
    error = platform.finished(job, timeout=60)["error"]
    assert "was killed (SIGKILL); the agent may have run out of memory" in error["message"]


def test_a_killed_supervisor_of_a_task_is_explained(platform: Platform) -> None:
    """The process of the agent that supervises the task dies with it."""
    name = new_name("lost")
    platform.register(job_type(name, wait_task(value=60)))
    job = platform.submit(name)
    process = psutil.Process(running(platform, name, job))
    supervisor = process.parent()
    assert supervisor is not None
    supervisor.kill()
    process.kill()
    message = platform.finished(job, timeout=90)["error"]["message"]
    assert "the agent on " in message
    assert "was killed, or ended without a report" in message or "stopped answering" in message


def test_a_killed_agent_is_named(platform: Platform) -> None:
    name = new_name("gone")
    platform.register(job_type(name, wait_task(value=60)))
    job = platform.submit(name)
    running(platform, name, job)
    for agent in AGENTS:
        platform.stack.kill(agent, signal.SIGKILL)
    message = platform.finished(job, timeout=90)["error"]["message"]
    assert "stopped answering" in message
    platform.await_healthy()


def test_timeouts_name_themselves_and_their_values(platform: Platform) -> None:
    whole, part, nobody = new_name("whole"), new_name("part"), new_name("nobody")
    platform.register(job_type(whole, wait_task(value=60), timeout="15s"))
    platform.register(job_type(part, wait_task(value=60, timeout="2s")))
    platform.register(job_type(nobody, wait_task(value=0, queue="nobody"), timeout="15s"))
    jobs = {name: platform.submit(name) for name in (whole, part, nobody)}

    def kind() -> str | None:
        wait = platform.job(jobs[nobody])["waiting_for"]
        return wait and wait["kind"]

    eventually(lambda: kind() == "queue", what="the answer says that no agent serves the queue")
    messages = {name: platform.finished(job, timeout=60)["error"]["message"] for name, job in jobs.items()}
    assert messages[whole] == "The job was not done within its timeout of 15s: task 'wait' was running"
    assert messages[part] == "Task 'wait' failed: it was not done within its timeout of 2s"
    assert messages[nobody] == (
        "The job was not done within its timeout of 15s: task 'wait' had not started (queue 'nobody')"
    )


def test_a_person_who_marks_a_running_job_as_failed_is_named(platform: Platform) -> None:
    name = new_name("marked")
    platform.register(job_type(name, wait_task(value=60)))
    job = platform.submit(name)
    running(platform, name, job)
    answer = platform.client("admin").request("PATCH", f"/api/v2/dags/{name}/dagRuns/{job}", json={"state": "failed"})
    assert answer.status_code == 200, answer.text
    assert platform.finished(job)["error"]["message"] == "Task 'wait' was set to failed by 'admin' in Airflow"
