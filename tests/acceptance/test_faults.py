"""No job is lost when agents or the broker stop."""

import signal
from datetime import UTC, datetime, timedelta

import pytest
from support.documents import job_type, new_name, wait_task
from support.platform import AGENTS, Platform
from support.waiting import always, eventually

pytestmark = pytest.mark.faults


def test_without_agents_jobs_wait_and_the_scheduler_lives(platform: Platform) -> None:
    restarts = platform.stack.status().processes["scheduler"].restarts
    with platform.without(*AGENTS):
        job = platform.submit("integer", {"value": 0})
        before = _heartbeat(platform)
        task = eventually(
            lambda: next((t for t in platform.task_instances("integer", job) if t["state"] == "queued"), None),
            what="the task is queued",
        )
        assert task["state"] == "queued"
        eventually(lambda: _heartbeat(platform) > before, what="another heartbeat of the scheduler")
        always(lambda: platform.job(job)["state"] in ("queued", "running"), seconds=1)
        assert platform.task_instances("integer", job)[0]["state"] == "queued"
        assert platform.stack.status().processes["scheduler"].restarts == restarts
    platform.succeeded(job)


def test_a_broker_outage_degrades_health_and_heals_by_itself(platform: Platform) -> None:
    """One job is under way and one is submitted while the broker is away; both are done in the end."""
    web_server = platform.process_ids()["api-server"]
    running = platform.submit("integer", {"value": 4})
    eventually(lambda: platform.task_instances("integer", running)[0]["state"] == "running", what="a running job")
    with platform.without("redis"):
        eventually(lambda: platform.health()["status"] == "degraded", what="health says so")
        broken = {name: part for name, part in platform.health()["components"].items() if part["status"] != "healthy"}
        # The gateway's channel runs over the same Redis.
        assert {"broker"} <= set(broken) <= {"broker", "gateway", "scheduler"}
        job = platform.submit("integer", {"value": 0})
        always(lambda: platform.job(job)["state"] in ("queued", "running"), seconds=6)
    platform.succeeded(job, timeout=120)
    platform.succeeded(running, timeout=120)
    platform.run("integer", {"value": 0})
    # The scheduler itself may have been restarted by its supervisor: Airflow's ends when it cannot read task states.
    assert platform.process_ids()["api-server"] == web_server


def test_a_job_whose_agent_is_killed_is_retried_or_fails(platform: Platform) -> None:
    again, once = new_name("again"), new_name("once")
    platform.register(job_type(again, wait_task(value=6, retries={"max": 1, "delay": "0s"})))
    platform.register(job_type(once, wait_task(value=6)))
    jobs = {name: platform.submit(name) for name in (again, once)}
    for name, job in jobs.items():
        eventually(lambda: platform.task_instances(name, job)[0]["state"] == "running", what=f"{name} runs")  # noqa: B023
    for agent in AGENTS:
        platform.stack.kill(agent, signal.SIGKILL)

    failed = platform.finished(jobs[once], timeout=90)
    assert failed["state"] == "failed"
    assert failed["error"]["task"] == "wait"
    platform.succeeded(jobs[again], timeout=90)
    assert platform.task_instances(again, jobs[again])[0]["try_number"] == 2
    assert all(platform.stack.status().processes[agent].restarts > 0 for agent in AGENTS)
    platform.await_healthy()
    platform.run("integer", {"value": 0})


def test_an_agent_waits_for_a_web_server_that_restarts(platform: Platform) -> None:
    """A task reports to the web server; it may be away for as long as a rollout takes."""
    job = platform.submit("integer", {"value": 0}, run_after=(datetime.now(UTC) + timedelta(seconds=2)).isoformat())
    with platform.without("api-server"):
        eventually(
            lambda: platform.sql("SELECT 1 FROM task_instance WHERE run_id = :job AND state = 'queued'", job=job),
            what="the task is with the agents",
        )
    platform.succeeded(job, timeout=120)


def _heartbeat(platform: Platform) -> datetime:
    report = platform.airflow("/monitor/health")["scheduler"]
    assert report["status"] == "healthy", report
    return datetime.fromisoformat(report["latest_scheduler_heartbeat"])
