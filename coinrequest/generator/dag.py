"""Builds the Airflow DAG of a definition.

The same definition and revision always give the same DAG, byte for byte when serialised. Any difference would make a
new DAG version at every parse.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, BaseOperator, TriggerRule

from coinrequest import settings
from coinrequest.airflow import helper_tasks
from coinrequest.airflow.schedule_rules import Rules
from coinrequest.airflow.task_results import item_entry
from coinrequest.generator.params import airflow_params
from coinrequest.jobtypes.definition import DEFAULT_MAX_JOBS, CronSchedule, Definition, IntervalSchedule, Task
from coinrequest.jobtypes.expansion import items_limit
from coinrequest.jobtypes.grammar import LONGEST_TASK
from coinrequest.jobtypes.marked_numbers import mark
from coinrequest.jobtypes.references import Scope, find_references, resolve
from coinrequest.jobtypes.schedule import cron_expression, next_run_times
from coinrequest.worker.operator import ActionOperator, ItemsOperator

TAG = "job-type"
# Airflow stores the default arguments with the DAG; no operator has an argument of this name.
_REVISION = "revision"
# How many tasks may be queued or running at the same time, of one job and of all jobs of a type together. The others
# stay scheduled in the database. Every job gets at least a few.
JOB_TASKS = 64
TYPE_TASKS = 1024
_MIN_JOB_TASKS = 4


def build_dag(
    definition: Definition, *, number: int, announces: bool = False, created_at: datetime | str | None = None
) -> DAG:
    """Return the DAG of `definition`.

    Args:
        definition: the job type.
        number: the revision, which the DAG's documentation shows and `revision_of` returns.
        announces: whether other types are scheduled after this one.
        created_at: when the revision was made, with a zone; the schedule starts then.
    """
    if isinstance(created_at, str):
        created_at = datetime.fromisoformat(created_at)
    with DAG(
        dag_id=definition.name,
        description=definition.description or None,
        schedule=_schedule(definition),
        start_date=_start(definition, created_at or datetime(2026, 1, 1, tzinfo=UTC)),
        # The scheduler decides which times are dropped (`airflow.scheduled_runs`).
        catchup=isinstance(definition.schedule, CronSchedule | IntervalSchedule),
        max_active_runs=_max_active_runs(definition),
        max_active_tasks=max(_MIN_JOB_TASKS, min(JOB_TASKS, TYPE_TASKS // _max_active_runs(definition))),
        dagrun_timeout=definition.timeout,
        default_args={"owner": definition.owner, _REVISION: number, **_rules(definition)},
        tags=sorted({TAG, *definition.tags}),
        doc_md=_documentation(definition.name, number),
        is_paused_upon_creation=False,
    ) as dag:
        operators = {task.id: _operator(definition, task) for task in definition.tasks}
        for task in definition.tasks:
            first = dag.task_dict.get(helper_tasks.items_id(task.id), operators[task.id])
            for upstream in task.depends_on:
                operators[upstream].set_downstream(first)
        _add_end(dag, definition, announces=announces)
    # Set after the tasks, each of which would store a copy: 100 params in 100 tasks make 1.8 MB, and take 3 s.
    dag.params = airflow_params(definition)  # type: ignore[assignment]
    # Tasks check the params of their run against it. Airflow does not store it with the DAG.
    dag.job_type = definition  # type: ignore[attr-defined]
    return dag


def revision_of(dag: Any) -> int | None:
    """Return the revision that a DAG was built from; None if it is no job type."""
    revision = dag.default_args.get(_REVISION)
    if revision is None:
        # Version 0.1.0 has it in the documentation alone; its dag-processor may run beside this one during a rollout.
        found = re.search(r", revision (\d+)\.", dag.doc_md or "")
        revision = int(found[1]) if found else None
    return revision if isinstance(revision, int) else None


def _documentation(name: str, number: int) -> str:
    return f"Job type **{name}**, revision {number}. [Definition](/jobs/v1/job-types/{name}/revisions/{number})"


def _schedule(definition: Definition) -> Any:
    """Return the schedule for Airflow. It uses triggers, not data intervals, so that a job runs when it is due."""
    schedule = definition.schedule
    if schedule is None:
        return None
    if isinstance(schedule, CronSchedule):
        from airflow.sdk import CronTriggerTimetable

        return CronTriggerTimetable(cron_expression(schedule.cron), timezone=schedule.timezone)
    if isinstance(schedule, IntervalSchedule):
        from airflow.sdk import DeltaTriggerTimetable

        return DeltaTriggerTimetable(schedule.every)
    return [_asset(name) for name in schedule.after]


def _start(definition: Definition, created_at: datetime) -> datetime:
    """Return the start of the schedule; Airflow counts intervals from it, and would run the first one at once."""
    if isinstance(definition.schedule, IntervalSchedule):
        (first,) = next_run_times(definition.schedule, count=1, after=created_at)
        return first
    return created_at


def _rules(definition: Definition) -> dict[str, Any]:
    schedule = definition.schedule
    if not isinstance(schedule, CronSchedule | IntervalSchedule):
        return {}
    return Rules(schedule.overlap, schedule.catch_up).default_args()


def _max_active_runs(definition: Definition) -> int:
    return definition.concurrency.max_jobs if definition.concurrency else DEFAULT_MAX_JOBS


def _operator(definition: Definition, task: Task) -> Any:
    common = {"task_id": task.id, **_limits(definition, task), **_start_rule(definition, task)}
    arguments: dict[str, Any] = {
        "action": task.action,
        # The dag-processor sends mapped tasks as MessagePack: one longer integer would stop all DAGs of the file.
        "inputs": mark(task.inputs),
        **_upstream(task.inputs),
    }
    if task.for_each is None:
        return ActionOperator(**common, **arguments)
    partial = ActionOperator.partial(**common, **arguments)
    if not _needs_resolving(task):
        return partial.expand(item=[item_entry(item) for item in _literal_items(task)])
    items = ItemsOperator(
        task_id=helper_tasks.items_id(task.id),
        items=task.for_each,
        limit=items_limit(definition),
        **_upstream(task.for_each),
        **_limits(definition, task),
        **_start_rule(definition, task),
    )
    return partial.expand(item=items.output)


def _needs_resolving(task: Task) -> bool:
    """Return whether the items of a mapped task are known only when the job runs."""
    return bool(find_references(task.for_each))


def _literal_items(task: Task) -> list[Any]:
    """Return items without references; braces that are written as a literal become plain text."""
    items = resolve(task.for_each, Scope())
    assert isinstance(items, list)  # noqa: S101 - for mypy
    return items


def _start_rule(definition: Definition, task: Task) -> dict[str, Any]:
    """Return when a task starts. Airflow skips a mapped task without items; here that is a success without results."""
    if task.when == "always":
        return {"trigger_rule": TriggerRule.ALL_DONE}
    mapped = {other.id for other in definition.tasks if other.for_each is not None and _needs_resolving(other)}
    return {"trigger_rule": TriggerRule.NONE_FAILED} if mapped & {*task.depends_on} else {}


def _limits(definition: Definition, task: Task) -> dict[str, Any]:
    limits: dict[str, Any] = {
        "priority_weight": definition.priority,
        "weight_rule": "absolute",
        "execution_timeout": task.timeout or LONGEST_TASK,
        "queue": task.queue or settings.DEFAULT_QUEUE,
        "retries": task.retries.max if task.retries else 0,
    }
    if task.retries:
        limits["retry_delay"] = task.retries.delay
        limits["retry_exponential_backoff"] = task.retries.backoff == "exponential"
        limits["max_retry_delay"] = timedelta(hours=1)
    if task.pool:
        limits["pool"] = task.pool
    return limits


def _upstream(value: object) -> dict[str, list[str]]:
    """Return the tasks whose outputs, and whose states or errors, a value refers to."""
    found = [(reference.task, reference.part) for reference in find_references(value) if reference.task is not None]
    return {
        "upstream_outputs": sorted({task for task, part in found if part == "output"}),
        "upstream_endings": sorted({task for task, part in found if part != "output"}),
    }


def asset_name(job_type: str) -> str:
    """Return the name of the asset whose events say that a job of the type has succeeded."""
    return f"job-type/{job_type}"


def _asset(name: str) -> Asset:
    return Asset(name=asset_name(name), uri=f"x-job-type://{name}")


def _add_end(dag: DAG, definition: Definition, *, announces: bool) -> None:
    """Make the end of the job an asset event, if others follow it, and a failure, if any task failed.

    Airflow looks at the last tasks of a run alone, and one that always runs may succeed after a failure.
    """
    outlets = [_asset(definition.name)] if announces else []
    may_hide = {name for task in definition.tasks if task.when == "always" for name in task.depends_on}
    leaves = list(dag.leaves)
    if not may_hide and len(leaves) == 1 and isinstance(leaves[0], BaseOperator):
        leaves[0].outlets = outlets
    elif may_hide or announces:
        from airflow.providers.standard.operators.empty import EmptyOperator

        end = EmptyOperator(
            task_id=helper_tasks.END,
            outlets=outlets,
            queue=settings.DEFAULT_QUEUE,
            trigger_rule=TriggerRule.NONE_FAILED,
        )
        for task in [*leaves, *(dag.get_task(name) for name in sorted(may_hide))]:
            task.set_downstream(end)
