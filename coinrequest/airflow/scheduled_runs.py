"""Decides for which due times Airflow's scheduler starts jobs (Airflow 3.3.2).

Airflow has one limit for all runs of a DAG, and makes up for the last time that it missed. Here, `overlap` concerns the
jobs of the schedule alone, and a time that was dropped stays dropped:

- `skip`: a time that is due while a scheduled job is queued or running is dropped. `queue`: it waits until that job has
  ended. `allow`: it waits only while the schedule has as many jobs as the type may have.
- Without `catch_up`, a time is dropped that was due while the type was paused, or that is later than `GRACE` although
  nothing stood in its way: no scheduler ran, or the type could not be built.

So max_active_runs is the limit of all jobs that run, and a scheduled one is created at its time even if submissions
fill it: it waits as they do.

Airflow asks for due types with their rows locked, so several schedulers never decide about one type at the same time.
While a time waits, Airflow's flag `exceeds_max_non_backfill` keeps the type out of the query, so waiting costs nothing.
`tests/integration/airflow/test_scheduled_runs.py` fails when the functions that are wrapped here change.
"""

import logging
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from coinrequest.airflow import schedule_memory
from coinrequest.airflow.dag_tables import BUNDLE_NAME
from coinrequest.airflow.schedule_memory import Dropped, State
from coinrequest.airflow.schedule_rules import Rules, rules_of

log = logging.getLogger(__name__)

GRACE = timedelta(minutes=5)
"""How late a time may be taken: a scheduler that restarts is away for less."""

# Seconds between two looks for flags that nobody took back.
_RELEASE_EVERY = 5.0

# Airflow takes the flag back when its scheduler examines a run of the type. A run that was cancelled is not examined,
# nor one that was submitted for later.
_RELEASE = text(
    """
    UPDATE dag SET exceeds_max_non_backfill = false WHERE dag_id IN (
        SELECT dag_id FROM dag
        WHERE bundle_name = :bundle AND exceeds_max_non_backfill AND NOT is_paused AND NOT is_stale
            AND (next_dagrun_create_after <= now()
                OR EXISTS (SELECT FROM asset_dag_run_queue AS queue WHERE queue.target_dag_id = dag.dag_id))
            AND NOT EXISTS (
                SELECT FROM dag_run
                WHERE dag_run.dag_id = dag.dag_id AND state IN ('queued', 'running') AND run_type = 'scheduled'
            )
        FOR UPDATE SKIP LOCKED
    )
    """
)


def control() -> None:
    """Let the scheduler of this process follow the rules of job types; calling it again changes nothing."""
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    create, set_flag = SchedulerJobRunner._create_dag_runs, SchedulerJobRunner._set_exceeds_max_active_runs
    if getattr(create, "controlled", False):
        return
    released = float("-inf")

    def create_admitted(self: Any, dag_models: Collection[Any], session: Session) -> None:
        nonlocal released
        if time.monotonic() - released >= _RELEASE_EVERY:
            released = time.monotonic()
            session.execute(_RELEASE, {"bundle": BUNDLE_NAME})
        create(self, admitted(self, dag_models, session), session)

    def set_flag_of_schedule(self: Any, *, dag_model: Any, session: Session, **options: Any) -> None:
        if dag_model.bundle_name != BUNDLE_NAME:
            set_flag(self, dag_model=dag_model, session=session, **options)
            return
        session.flush()
        active, waits = schedule_memory.active_and_waits(session, dag_model.dag_id)
        dag_model.exceeds_max_non_backfill = active >= (1 if waits else dag_model.max_active_runs or 1)

    create_admitted.controlled = True  # type: ignore[attr-defined]
    SchedulerJobRunner._create_dag_runs = create_admitted  # type: ignore[method-assign]
    SchedulerJobRunner._set_exceeds_max_active_runs = set_flag_of_schedule  # type: ignore[method-assign]


def admitted(scheduler: Any, dag_models: Collection[Any], session: Session) -> list[Any]:
    """Return the DAGs of which a run is created now; move the next run of the others, or let it wait."""
    due = {model.dag_id: model.next_dagrun for model in dag_models if _has_schedule(model)}
    if not due:
        return list(dag_models)
    session.flush()
    states = schedule_memory.states(session, due)
    chosen = []
    for model in dag_models:
        state = states.get(model.dag_id)
        if state is None or _is_taken(scheduler, model, state, session):
            chosen.append(model)
    return chosen


def _has_schedule(model: Any) -> bool:
    return model.bundle_name == BUNDLE_NAME and model.next_dagrun is not None


def _is_taken(scheduler: Any, model: Any, state: State, session: Session) -> bool:
    dag = scheduler._get_current_dag(dag_id=model.dag_id, session=session)
    rules = None if dag is None else rules_of(dag)
    # Airflow reports a DAG that is missing. One that another release has stored follows Airflow's own rules.
    return dag is None or rules is None or _Decision(session, model, dag.timetable, rules, state).is_taken()


class _Decision:
    """What becomes of the due times of one type."""

    def __init__(self, session: Session, model: Any, timetable: Any, rules: Rules, state: State) -> None:
        self._session = session
        self._model = model
        self._timetable = timetable
        self._rules = rules
        self._state = state
        # The database, whose clock found it due, may be ahead.
        self._now = max(datetime.now(UTC), model.next_dagrun_create_after)

    def is_taken(self) -> bool:
        """Drop what has to be dropped; return whether a job starts now for the time that is due then."""
        self._drop()
        if self._model.next_dagrun > self._now:
            return False
        waits = self._state.active > 0 and self._rules.overlap != "allow"
        if waits != self._state.waits:
            schedule_memory.set_waits(self._session, self._model.dag_id, waits)
        if waits:
            self._model.exceeds_max_non_backfill = True
        return not waits

    def _drop(self) -> None:
        due, dropped = self._model.next_dagrun, None
        while due <= self._now:
            last, reason = self._last_dropped(due)
            if last is None:
                break
            due = self._first_after(last, due)
            if reason is not None:
                dropped = Dropped(self._timetable._get_prev(due), reason)
        if due != self._model.next_dagrun:
            self._move(due)
        if dropped is not None:
            schedule_memory.drop(self._session, self._model.dag_id, dropped)
            log.info("No job for the time %s of %s (%s)", dropped.due, self._model.dag_id, dropped.reason)

    def _last_dropped(self, due: datetime) -> tuple[datetime | None, str | None]:
        """Return up to which time due times are dropped, and the reason of those that are dropped now."""
        state, rules = self._state, self._rules
        for before in (state.dropped_at, state.starts_at):
            if before is not None and due <= before:
                return before, None
        if not rules.catch_up and state.resumed_at is not None and due <= state.resumed_at:
            return state.resumed_at, "paused"
        if rules.overlap == "skip":
            # Jobs that are made up for do not drop the missed times behind them.
            if state.active and (not rules.catch_up or _before(state.active_since, due)):
                return self._now, "overlap"
            end = state.previous_end
            if end is not None and end > due and (not rules.catch_up or _before(state.previous_since, due)):
                return end, "overlap"
        if not rules.catch_up and self._now - due > GRACE and not self._had_to_wait(due):
            return self._now - GRACE, "late"
        return None, None

    def _had_to_wait(self, due: datetime) -> bool:
        if self._rules.overlap == "skip":
            return False
        most = 1 if self._rules.overlap == "queue" else self._model.max_active_runs
        return schedule_memory.active_at(self._session, self._model.dag_id, due) >= most

    def _first_after(self, moment: datetime, due: datetime) -> datetime:
        """Return the first time of the schedule after a moment; `due` is one of its times, and not after it."""
        from airflow.timetables.trigger import DeltaTriggerTimetable
        from pendulum import instance

        if isinstance(self._timetable, DeltaTriggerTimetable):
            step: Any = self._timetable._delta
            passed: datetime = due + ((moment - due) // step + 1) * step
            return passed
        following: datetime = self._timetable._get_next(instance(moment))
        return following

    def _move(self, due: datetime) -> None:
        from airflow.timetables.base import DataInterval
        from pendulum import instance

        moment = instance(due)
        self._model.next_dagrun = self._model.next_dagrun_create_after = moment
        self._model.next_dagrun_data_interval = DataInterval.exact(moment)


def _before(moment: datetime | None, due: datetime) -> bool:
    return moment is not None and moment <= due
