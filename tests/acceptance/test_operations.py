"""What operators use: the list of agents, metrics, priority under a backlog, and retention."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families as parse
from support.client import API
from support.documents import job_type, new_name, params, wait_task
from support.platform import AGENTS, SLOTS, Platform
from support.waiting import eventually


def agents(platform: Platform) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = platform.client("viewer").json(f"{API}/agents")["agents"]
    return found


def figures(platform: Platform, metric: str, **labels: str) -> list[float]:
    answer = platform.client("viewer").get("/jobs/metrics")
    assert answer.status_code == 200, answer.text
    samples = (sample for family in parse(answer.text) for sample in family.samples)
    return [s.value for s in samples if s.name == metric and labels.items() <= s.labels.items()]


def figure(platform: Platform, metric: str, **labels: str) -> float | None:
    return next(iter(figures(platform, metric, **labels)), None)


def test_every_agent_is_listed_with_what_it_runs(platform: Platform) -> None:
    eventually(lambda: len(agents(platform)) == len(AGENTS), what="all agents")
    for agent in agents(platform):
        assert agent["name"].partition("@")[0] in AGENTS
        assert (agent["concurrency"], agent["queues"]) == (SLOTS, ["default"])
    job = platform.submit("integer", {"value": 8})

    def shown() -> dict[str, Any]:
        found = [task for agent in agents(platform) for task in agent["running"] if task["job"] == job]
        assert len(found) == 1, found
        assert found[0]["since"] is not None
        return dict(found[0])

    task = eventually(shown)
    assert (task["job_type"], task["dag_id"], task["map_index"], task["attempt"]) == ("integer", "integer", None, 1)
    platform.succeeded(job)
    eventually(lambda: not [task for agent in agents(platform) for task in agent["running"] if task["job"] == job])


def test_the_metrics_follow_a_job(platform: Platform) -> None:
    name = new_name("figures")
    platform.register(job_type(name, wait_task(value=0)))
    platform.run(name)

    def counted() -> bool:
        return figure(platform, "coinrequest_jobs_completed_total", type=name, state="success") == 1

    eventually(counted, what="a gateway counts the job")
    assert figure(platform, "coinrequest_job_duration_seconds_count", type=name) == 1
    assert figure(platform, "coinrequest_job_queue_seconds_count", type=name) == 1
    # Those that other tests have killed are shown for some minutes.
    assert 1 in figures(platform, "coinrequest_gateway_connected")


def test_a_job_of_high_priority_passes_a_backlog(platform: Platform) -> None:
    name = new_name("backlog")
    platform.register(job_type(name, wait_task(value="{{ params.value }}"), params=params(value={"type": "integer"})))

    def states() -> list[str]:
        return [row.state for row in platform.sql("SELECT state FROM task_instance WHERE dag_id = :name", name=name)]

    with platform.without(AGENTS[1]):
        low = platform.submit_all(name, [{"value": 1}] * 6 * SLOTS)
        # All are with the broker now, in the order in which they came.
        eventually(lambda: set(states()) <= {"queued", "running", "success"} and "queued" in states())
        urgent = platform.submit(name, {"value": 1}, priority=100)
        for job in (urgent, *low):
            platform.succeeded(job, timeout=120)
    rows = platform.sql("SELECT run_id, queued_dttm, start_date FROM task_instance WHERE dag_id = :name", name=name)
    task = next(row for row in rows if row.run_id == urgent)
    passed = [row for row in rows if row.run_id != urgent and row.start_date > task.start_date]
    overtaken_by = [row for row in rows if task.queued_dttm < row.start_date < task.start_date]
    # A slot may become free between the scheduler's note and the broker.
    assert len(overtaken_by) <= SLOTS
    assert len(passed) > SLOTS, "there was no backlog to pass"


def test_the_maintenance_removes_old_jobs(platform: Platform) -> None:
    old, young = (platform.run("integer", {"value": 0})["id"] for _ in range(2))

    def told() -> bool:
        waiting = platform.sql("SELECT 1 FROM coinrequest_completion WHERE job_id = :id", id=old)
        return not waiting

    eventually(told, what="the gateway makes the notices of the job")
    platform.sql(
        "UPDATE coinrequest_job SET submitted_at = submitted_at - interval '31 days',"
        " ended_at = ended_at - interval '31 days' WHERE id = :id",
        id=old,
    )
    run = platform.trigger("coinrequest_maintenance")
    platform.run_succeeded("coinrequest_maintenance", run)
    assert int(platform.output("coinrequest_maintenance", run, "remove_old_jobs")) == 1
    assert platform.client("viewer").get(f"{API}/jobs/{old}").status_code == 404
    assert platform.client("admin").get(f"/api/v2/dags/integer/dagRuns/{old}").status_code == 404
    assert platform.job(young)["state"] == "success"
