"""Which jobs the schedule starts: Airflow's own scheduler functions over PostgreSQL, with stored times."""

import inspect
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient
from support.api_environment import definition as small
from support.waiting import eventually

TYPES = "/jobs/v1/job-types"
MINUTE = timedelta(minutes=1)
ALLOW = {"every": "1m", "overlap": "allow"}
QUEUE = {"every": "1m", "overlap": "queue"}


class Schedule:
    """One scheduled type, and the scheduler that starts its jobs; the scheduler does no other work."""

    def __init__(self, op: TestClient, name: str) -> None:
        self._op = op
        self.name = name
        self.flagged = False

    def register(self, **fields: Any) -> None:
        """Create or replace the type; the schedule has been there since yesterday."""
        self.put(**{"schedule": {"every": "1m"}, **fields})
        self.execute("UPDATE coinrequest_schedule SET starts_at = now() - interval '1 day' WHERE name = :name")

    def put(self, **fields: Any) -> None:
        answer = self._op.put(f"{TYPES}/{self.name}", json=small(self.name, **fields))
        assert answer.status_code in (200, 201), answer.text

    def execute(self, statement: str, **values: Any) -> list[Any]:
        from airflow.utils.session import create_session

        with create_session(scoped=False) as session:
            result: Any = session.execute(text(statement), {"name": self.name, **values})
            return list(result) if result.returns_rows else []

    def due(self, ago: int) -> datetime:
        """Let the time of some minutes ago be the next one; return it."""
        # The next time after now is most of a minute away.
        time = datetime.now(UTC).replace(microsecond=0) - ago * MINUTE - timedelta(seconds=5)
        self.execute(
            "UPDATE dag SET next_dagrun = :at, next_dagrun_create_after = :at, next_dagrun_data_interval_start = :at,"
            " next_dagrun_data_interval_end = :at, exceeds_max_non_backfill = false WHERE dag_id = :name",
            at=time,
        )
        return time

    def turn(self, times: int = 1) -> list[datetime]:
        """Let the scheduler start what is due; return the times of all jobs of the schedule, in order."""
        for _ in range(times):
            create_due_runs()
        return self.times()

    def times(self) -> list[datetime]:
        query = "SELECT logical_date FROM dag_run WHERE dag_id = :name AND run_type = 'scheduled' ORDER BY 1"
        return [row[0] for row in self.execute(query)]

    def next(self) -> datetime:
        ((time, self.flagged),) = self.execute(
            "SELECT next_dagrun, exceeds_max_non_backfill FROM dag WHERE dag_id = :name"
        )
        assert isinstance(time, datetime)
        return time

    def end(self, time: datetime, *, ago: int = 0) -> None:
        """End the job of a time as the scheduler does."""
        from airflow.models.dag import DagModel
        from airflow.utils.session import create_session

        self.execute(
            "UPDATE dag_run SET state = 'success', end_date = now() - make_interval(secs => :ago)"
            " WHERE dag_id = :name AND logical_date = :at AND run_type = 'scheduled'",
            at=time,
            ago=ago,
        )
        with create_session(scoped=False) as session:
            model = session.get(DagModel, self.name)
            new_scheduler()._set_exceeds_max_active_runs(dag_model=model, session=session)

    def created_at_their_time(self) -> None:
        """Let the jobs have been created when they were due."""
        self.execute("UPDATE dag_run SET created_at = logical_date, queued_at = logical_date WHERE dag_id = :name")

    def dropped(self) -> tuple[datetime, str] | None:
        """Return the last time that was dropped, and why."""
        found = self._op.get(f"{TYPES}/{self.name}").json()["last_dropped"]
        return None if found is None else (datetime.fromisoformat(found["due"]), found["reason"])

    def why(self) -> str | None:
        dropped = self.dropped()
        return dropped[1] if dropped else None

    def submit(self, count: int = 1) -> list[str]:
        answers = [self._op.post(f"{TYPES}/{self.name}/jobs", json={}) for _ in range(count)]
        assert {answer.status_code for answer in answers} == {202}, answers[0].text
        return [answer.json()["id"] for answer in answers]


def new_scheduler() -> Any:
    """Return a scheduler without an executor; that it starts puts the rules into force."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    return SchedulerJobRunner(Job(), executors=[])


def create_due_runs() -> None:
    """Do the part of a scheduler's turn that creates runs."""
    from airflow.utils.session import create_session
    from airflow.utils.sqlalchemy import prohibit_commit

    runner = new_scheduler()
    with create_session(scoped=False) as session, prohibit_commit(session) as guard:
        runner._create_dagruns_for_dags(guard, session)


@pytest.fixture
def schedule(op: TestClient, name: str) -> Iterator[Schedule]:
    """A type of which nothing is registered yet; the schedules of other tests rest."""
    made = Schedule(op, name)
    made.execute("UPDATE dag SET is_paused = true WHERE dag_id <> :name")
    yield made
    made.execute("UPDATE dag SET is_paused = true WHERE dag_id = :name")


def test_a_time_that_overlaps_is_dropped_for_ever(schedule: Schedule) -> None:
    schedule.register()
    first = schedule.due(1)
    assert schedule.turn(3) == [first]
    assert schedule.next() == first + 2 * MINUTE
    assert schedule.dropped() == (first + MINUTE, "overlap")
    schedule.end(first)
    # A parse computes the next time from the last run.
    schedule.register(description="another")
    assert schedule.next() == first + MINUTE
    assert schedule.turn(2) == [first]
    assert schedule.next() == first + 2 * MINUTE


def test_a_time_is_dropped_if_the_job_has_ended_since(schedule: Schedule) -> None:
    schedule.register(concurrency={"max_jobs": 1})
    first = schedule.due(3)
    assert schedule.turn() == [first]
    schedule.created_at_their_time()
    schedule.end(first, ago=95)
    assert schedule.turn(3) == [first, first + 2 * MINUTE]
    assert schedule.why() == "overlap"


def test_submitted_jobs_do_not_drop_a_time(schedule: Schedule) -> None:
    schedule.register(concurrency={"max_jobs": 1})
    schedule.submit(3)
    time = schedule.due(0)
    assert schedule.turn() == [time]
    ((state,),) = schedule.execute("SELECT state FROM dag_run WHERE dag_id = :name AND run_type = 'scheduled'")
    assert state == "queued"
    assert schedule.dropped() is None


def test_submitted_jobs_run_beside_a_scheduled_one_up_to_the_limit(schedule: Schedule) -> None:
    from airflow.utils.session import create_session

    schedule.register(concurrency={"max_jobs": 3})
    schedule.due(0)
    schedule.turn()
    schedule.submit(3)
    for _ in range(2):
        with create_session(scoped=False) as session:
            new_scheduler()._start_queued_dagruns(session)
    states = schedule.execute("SELECT state FROM dag_run WHERE dag_id = :name ORDER BY state")
    assert [row[0] for row in states] == ["queued", "running", "running", "running"]


def test_a_queued_time_waits_for_the_job_before_and_costs_nothing(schedule: Schedule) -> None:
    schedule.register(schedule=QUEUE)
    first = schedule.due(2)
    assert schedule.turn(2) == [first]
    assert schedule.next() == first + MINUTE
    assert schedule.flagged
    schedule.end(first)
    assert schedule.turn(2) == [first, first + MINUTE]
    schedule.end(first + MINUTE)
    assert schedule.turn(2) == [first, first + MINUTE, first + 2 * MINUTE]
    assert schedule.dropped() is None


def test_a_queued_time_may_wait_for_hours(schedule: Schedule) -> None:
    schedule.register(schedule=QUEUE)
    first = schedule.due(3)
    assert schedule.turn(2) == [first]
    # It has run for two hours, and the next time has waited for one.
    hours = "interval '2 hours'"
    schedule.execute(
        f"UPDATE dag_run SET logical_date = logical_date - {hours}, run_after = run_after - {hours},"  # noqa: S608
        f" created_at = run_after - {hours} WHERE dag_id = :name"
    )
    second = schedule.due(60)
    schedule.turn()
    schedule.end(first - timedelta(hours=2))
    assert schedule.turn() == [first - timedelta(hours=2), second]


def test_a_waiting_time_is_taken_when_the_job_before_is_cancelled(schedule: Schedule, op: TestClient) -> None:
    schedule.register(schedule=QUEUE)
    first = schedule.due(1)
    schedule.turn(2)
    schedule.next()
    assert schedule.flagged
    jobs = op.get("/jobs/v1/jobs", params={"type": schedule.name}).json()["jobs"]
    assert op.post(f"/jobs/v1/jobs/{jobs[0]['id']}/cancel", json={}).status_code == 200
    eventually(lambda: schedule.turn() == [first, first + MINUTE], what="the waiting time is taken")


def test_jobs_run_side_by_side_up_to_the_limit(schedule: Schedule) -> None:
    schedule.register(schedule=ALLOW, concurrency={"max_jobs": 2})
    first = schedule.due(3)
    assert schedule.turn(4) == [first, first + MINUTE]
    schedule.end(first)
    assert schedule.turn(3) == [first, first + MINUTE, first + 2 * MINUTE]
    schedule.end(first + MINUTE)
    assert len(schedule.turn(3)) == 4
    assert schedule.dropped() is None


@pytest.mark.parametrize("overlap", ["skip", "queue", "allow"])
@pytest.mark.parametrize("door", ["ours", "airflow's"])
def test_what_was_due_during_a_pause_is_dropped(schedule: Schedule, op: TestClient, overlap: str, door: str) -> None:
    schedule.register(schedule={"every": "1m", "overlap": overlap})
    assert op.post(f"{TYPES}/{schedule.name}/pause").status_code == 200
    first = schedule.due(3)
    assert schedule.turn() == []
    if door == "ours":
        assert op.post(f"{TYPES}/{schedule.name}/resume").status_code == 200
    else:
        assert op.patch(f"/api/v2/dags/{schedule.name}", json={"is_paused": False}).status_code == 200
    assert schedule.turn(3) == []
    assert schedule.next() == first + 4 * MINUTE
    assert schedule.dropped() == (first + 3 * MINUTE, "paused")


@pytest.mark.parametrize("overlap", ["skip", "queue", "allow"])
def test_catching_up_makes_up_for_every_time(schedule: Schedule, op: TestClient, overlap: str) -> None:
    schedule.register(schedule={"every": "1m", "overlap": overlap, "catch_up": True})
    assert op.post(f"{TYPES}/{schedule.name}/pause").status_code == 200
    first = schedule.due(20)
    assert op.post(f"{TYPES}/{schedule.name}/resume").status_code == 200
    due = [first + number * MINUTE for number in range(3)]
    for number, time in enumerate(due):
        times = schedule.turn()
        assert time in times
        if overlap != "allow":
            assert schedule.turn() == due[: number + 1], "one at a time"
            schedule.end(time)
    assert schedule.dropped() is None


def test_a_time_is_taken_a_little_late_but_not_much(schedule: Schedule) -> None:
    schedule.register(schedule=ALLOW)
    schedule.due(20)
    times = schedule.turn(8)
    assert datetime.now(UTC) - times[0] <= timedelta(minutes=5, seconds=5)
    assert len(times) == 5
    assert schedule.why() == "late"


def test_a_cron_schedule_takes_the_next_of_its_times(schedule: Schedule, op: TestClient) -> None:
    schedule.register(schedule={"cron": "* * * * *", "timezone": "Europe/Dublin"})
    op.post(f"{TYPES}/{schedule.name}/pause")
    schedule.due(90)
    op.post(f"{TYPES}/{schedule.name}/resume")
    assert schedule.turn() == []
    assert timedelta(0) < schedule.next() - datetime.now(UTC) <= MINUTE
    assert schedule.next().second == 0


def test_a_changed_schedule_begins_with_the_change(schedule: Schedule) -> None:
    schedule.register(schedule={"every": "1h", "catch_up": True})
    first = schedule.due(30)
    assert schedule.turn() == [first]
    schedule.end(first)
    schedule.put(schedule=ALLOW | {"catch_up": True})
    assert schedule.turn(3) == [first]
    assert schedule.next() > datetime.now(UTC)


@pytest.mark.parametrize("scheduled", [True, False])
def test_a_type_that_is_registered_again_has_dropped_nothing(
    schedule: Schedule, op: TestClient, scheduled: bool
) -> None:
    drop_one(schedule)
    assert op.delete(f"{TYPES}/{schedule.name}").status_code == 204
    schedule.put(**({"schedule": {"every": "1m"}} if scheduled else {}))
    assert schedule.dropped() is None


@pytest.mark.parametrize("fields", [{"schedule": {"every": "1h"}}, {}])
def test_a_changed_schedule_has_dropped_nothing(schedule: Schedule, fields: dict[str, Any]) -> None:
    drop_one(schedule)
    schedule.put(schedule={"every": "1m"}, description="new")
    assert schedule.why() == "overlap"
    schedule.put(**fields)
    assert schedule.dropped() is None


def drop_one(schedule: Schedule) -> None:
    """Let the schedule drop a time; none of its jobs is active then."""
    schedule.register()
    first = schedule.due(1)
    schedule.turn(3)
    assert schedule.why() == "overlap"
    schedule.end(first)


def test_two_schedulers_start_one_job(schedule: Schedule) -> None:
    schedule.register()
    time = schedule.due(0)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: create_due_runs(), range(4)))
    assert schedule.times() == [time]


def test_the_functions_that_are_wrapped_are_those_of_airflow(airflow_app: Any) -> None:
    new_scheduler()
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    create = inspect.getclosurevars(SchedulerJobRunner._create_dag_runs).nonlocals["create"]
    set_flag = inspect.getclosurevars(SchedulerJobRunner._set_exceeds_max_active_runs).nonlocals["set_flag"]
    assert list(inspect.signature(create).parameters) == ["self", "dag_models", "session"]
    assert list(inspect.signature(set_flag).parameters) == ["self", "dag_model", "active_non_backfill_runs", "session"]
    assert "self._create_dag_runs(non_asset_dags, session)" in inspect.getsource(
        SchedulerJobRunner._create_dagruns_for_dags
    )
