"""What a run or its tasks wait for, by indexed and bounded reads of Airflow's tables (Airflow 3.3.2)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from coinrequest.database.stored import bounded_time

# The most rows that a count counts.
MOST = 1000
# Airflow's `[scheduler] scheduler_health_check_threshold`.
_SCHEDULER_SEEN_WITHIN = 30.0

_RUN = text(
    f"""
    SELECT run.state, {bounded_time("run.run_after")} AS run_after,
        run.run_after > clock_timestamp() + interval '1 second' AS later,
        coalesce(dag.is_paused, false) AS paused, coalesce(dag.is_stale, true) AS stale, dag.max_active_runs AS limit,
        (
            SELECT count(*) FROM dag_run AS other
            WHERE other.dag_id = run.dag_id AND other.state = 'running' AND other.backfill_id IS NULL
        ) AS running,
        (
            SELECT count(*) FROM (
                SELECT 1 FROM dag_run AS other
                WHERE other.dag_id = run.dag_id AND other.state = 'queued'
                    AND (other.run_after, other.id) < (run.run_after, run.id) LIMIT {MOST}
            ) AS earlier
        ) AS ahead
    FROM dag_run AS run LEFT JOIN dag ON dag.dag_id = run.dag_id
    WHERE run.dag_id = :dag_id AND run.run_id = :run_id
    """  # noqa: S608 - of constants alone
)
_SCHEDULER = text(
    f"""
    SELECT {bounded_time("max(latest_heartbeat)")} AS seen,
        coalesce(bool_or(state = 'running' AND latest_heartbeat > now() - make_interval(secs => :within)), false)
            AS alive
    FROM (
        SELECT state, latest_heartbeat FROM job WHERE job_type = 'SchedulerJob' ORDER BY latest_heartbeat DESC LIMIT 20
    ) AS schedulers
    """  # noqa: S608 - of constants alone
)
# The task that is nearest to running.
_TASK = text(
    """
    SELECT task_id, map_index, state, queue, pool, priority_weight, queued_dttm,
        coalesce(queued_dttm < now() - interval '1 second', false) AS waited
    FROM task_instance
    WHERE dag_id = :dag_id AND run_id = :run_id AND (state IS NULL OR state = ANY(:states))
    ORDER BY array_position(:states, state) NULLS LAST, task_id, map_index LIMIT 1
    """
)
_STATES = ["running", "restarting", "queued", "scheduled", "up_for_retry", "up_for_reschedule", "deferred"]
_QUEUE = text(
    f"""
    SELECT count(*) FILTER (WHERE state = 'running') AS running,
        count(*) FILTER (
            WHERE state = 'queued'
                AND (priority_weight > :priority OR priority_weight = :priority AND queued_dttm < :since)
        ) AS ahead
    FROM (
        SELECT state, priority_weight, queued_dttm FROM task_instance
        WHERE state IN ('queued', 'running') AND queue = :queue LIMIT {10 * MOST}
    ) AS task
    """  # noqa: S608 - of constants alone
)
_POOL = text(
    """
    SELECT (SELECT slots FROM slot_pool WHERE pool = :pool) AS slots, coalesce(sum(pool_slots), 0) AS taken
    FROM task_instance WHERE pool = :pool AND state IN ('queued', 'running', 'restarting')
    """
)


@dataclass(frozen=True)
class RunWait:
    """A run that has not ended.

    Attributes:
        run_after: its earliest start, with a zone.
        later: whether that is in the future.
        paused: whether Airflow starts nothing of its DAG.
        stale: whether its DAG is out of use.
        limit: how many runs of the DAG may run at once.
        running: how many do.
        ahead: how many queued ones come first, at most `MOST`.
    """

    state: str
    run_after: datetime
    later: bool
    paused: bool
    stale: bool
    limit: int | None
    running: int
    ahead: int


@dataclass(frozen=True)
class TaskWait:
    """The unfinished task of a run that is nearest to running.

    Attributes:
        state: Airflow's own state; None if the scheduler has not scheduled it.
        queued_at: when the scheduler gave it to the executor, with a zone.
        waited: whether that was more than a second ago.
    """

    task: str
    map_index: int | None
    state: str | None
    queue: str
    pool: str
    priority: int
    queued_at: datetime | None
    waited: bool


@dataclass(frozen=True)
class QueueLoad:
    """How many tasks of a queue run, and how many waiting ones come before a task."""

    running: int
    ahead: int


@dataclass(frozen=True)
class PoolLoad:
    """How many slots a pool has, and how many are taken; `slots` is None if there is no such pool."""

    slots: int | None
    taken: int


def run_wait(session: Session, dag_id: str, run_id: str) -> RunWait | None:
    """Return the state of a run and of what may hold it up; None if it was deleted."""
    row = session.execute(_RUN, {"dag_id": dag_id, "run_id": run_id}).one_or_none()
    return None if row is None else RunWait(**row._mapping)


def silent_scheduler(session: Session) -> tuple[bool, datetime | None]:
    """Return whether no scheduler is alive, and when one was last seen."""
    row = session.execute(_SCHEDULER, {"within": _SCHEDULER_SEEN_WITHIN}).one()
    return not row.alive, row.seen


def task_wait(session: Session, dag_id: str, run_id: str) -> TaskWait | None:
    """Return the unfinished task of a run that is nearest to running; None if all have ended."""
    row = session.execute(_TASK, {"dag_id": dag_id, "run_id": run_id, "states": _STATES}).one_or_none()
    if row is None:
        return None
    map_index = None if row.map_index < 0 else int(row.map_index)
    return TaskWait(
        task=row.task_id,
        map_index=map_index,
        state=row.state,
        queue=row.queue or "",
        pool=row.pool or "",
        priority=int(row.priority_weight or 0),
        queued_at=row.queued_dttm,
        waited=bool(row.waited),
    )


def queue_load(session: Session, task: TaskWait) -> QueueLoad:
    """Return the load of a task's queue."""
    names = {"queue": task.queue, "priority": task.priority, "since": task.queued_at}
    row = session.execute(_QUEUE, names).one()
    return QueueLoad(row.running, row.ahead)


def pool_load(session: Session, pool: str) -> PoolLoad:
    """Return the load of a pool."""
    row = session.execute(_POOL, {"pool": pool}).one()
    return PoolLoad(row.slots, int(row.taken))


def next_attempt(session: Session, dag_id: str, run_id: str, task_id: str, map_index: int | None) -> datetime | None:
    """Return when Airflow tries a task again that has failed; None if that is not known."""
    from airflow.models.dagbag import DBDagBag
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select

    instance = session.scalars(
        select(TaskInstance).where(
            TaskInstance.dag_id == dag_id,
            TaskInstance.run_id == run_id,
            TaskInstance.task_id == task_id,
            TaskInstance.map_index == (-1 if map_index is None else map_index),
        )
    ).one_or_none()
    dag = instance and DBDagBag(load_op_links=False).get_dag_for_run(instance.dag_run, session=session)
    if instance is None or dag is None or instance.end_date is None or not dag.has_task(task_id):
        return None
    instance.task = dag.get_task(task_id)
    found: datetime = instance.next_retry_datetime()
    return found
