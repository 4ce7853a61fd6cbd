"""The DAG of a definition: the effect of each field of the grammar."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from coinrequest.airflow.schedule_rules import Rules, rules_of


def _build(*, announces: bool = False, **fields: Any) -> Any:
    from coinrequest.generator.dag import build_dag
    from coinrequest.jobtypes.definition import load_definition

    document = {"name": "a-type", "tasks": [_wait("wait")], **fields}
    created = datetime(2026, 3, 1, 12, tzinfo=UTC)
    return build_dag(load_definition(document), number=7, announces=announces, created_at=created)


def _wait(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "action": "integer.wait", "inputs": {"value": 0}, **fields}


def _serialised(dag: Any) -> Any:
    from airflow.serialization.serialized_objects import DagSerialization

    return DagSerialization.to_dict(dag)


def test_a_small_definition_becomes_a_runnable_dag() -> None:
    dag = _build(description="Waits", owner="data", tags=["one"])
    assert dag.dag_id == "a-type"
    assert dag.description == "Waits"
    assert dag.owner == "data"
    assert dag.tags == {"job-type", "one"}
    assert dag.is_paused_upon_creation is False
    assert dag.schedule is None
    assert "revision 7" in dag.doc_md


def test_the_graph_is_the_definitions() -> None:
    dag = _build(tasks=[_wait("a"), _wait("b", depends_on=["a"]), _wait("c", depends_on=["a", "b"])])
    assert {task.task_id: set(task.upstream_task_ids) for task in dag.tasks} == {
        "a": set(),
        "b": {"a"},
        "c": {"a", "b"},
    }


def test_the_limits_of_a_task_and_of_the_type_reach_airflow() -> None:
    dag = _build(
        timeout="10m",
        concurrency={"max_jobs": 2},
        priority=5,
        tasks=[
            _wait(
                "a",
                retries={"max": 3, "delay": "5s", "backoff": "exponential"},
                timeout="30s",
                queue="mail",
                pool="small",
            )
        ],
    )
    task = dag.get_task("a")
    assert dag.dagrun_timeout == timedelta(minutes=10)
    assert dag.max_active_runs == 2
    assert (task.retries, task.retry_delay, bool(task.retry_exponential_backoff)) == (3, timedelta(seconds=5), True)
    assert task.execution_timeout == timedelta(seconds=30)
    assert (task.queue, task.pool, task.priority_weight) == ("mail", "small", 5)


@pytest.mark.parametrize(
    ("schedule", "rules"),
    [
        ({"cron": "0 * * * *"}, Rules("skip", False)),
        ({"cron": "0 * * * *", "overlap": "queue"}, Rules("queue", False)),
        ({"every": "1h", "overlap": "allow", "catch_up": True}, Rules("allow", True)),
        ({"after": ["first"]}, None),
        (None, None),
    ],
)
def test_the_scheduler_finds_the_rules_of_a_schedule_and_the_limit_is_that_of_all_jobs(
    schedule: dict[str, Any] | None, rules: Rules | None
) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    fields: dict[str, Any] = {} if schedule is None else {"schedule": schedule}
    dag = DagSerialization.from_dict(_serialised(_build(**fields)))
    assert rules_of(dag) == rules
    assert dag.max_active_runs == 16
    # Otherwise Airflow would drop all times but the last, and create a run of that.
    assert dag.catchup is (rules is not None)


def test_a_cron_schedule_follows_its_time_zone_through_the_change_of_the_clock() -> None:
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables.base import TimeRestriction

    dag = DagSerialization.from_dict(_serialised(_build(schedule={"cron": "30 8 * * *", "timezone": "Europe/Dublin"})))
    restriction = TimeRestriction(earliest=datetime(2026, 3, 28, tzinfo=UTC), latest=None, catchup=True)  # type: ignore[arg-type]
    first = dag.timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    second = dag.timetable.next_dagrun_info(last_automated_data_interval=first.data_interval, restriction=restriction)
    assert first.run_after.isoformat() == "2026-03-28T08:30:00+00:00"
    assert second.run_after.isoformat() == "2026-03-29T07:30:00+00:00"


def test_an_interval_starts_at_its_next_full_step() -> None:
    dag = _build(schedule={"every": "15m"})
    assert dag.start_date == datetime(2026, 3, 1, 12, 15, tzinfo=UTC)
    assert _serialised(dag)["dag"]["timetable"]["__type"].endswith("DeltaTriggerTimetable")


def test_a_type_after_another_waits_for_the_asset_that_the_other_announces() -> None:
    waiting = _serialised(_build(schedule={"after": ["first"]}))
    announcing = _build(name="first", announces=True)
    (outlet,) = announcing.get_task("wait").outlets
    assert outlet.name == "job-type/first"
    assert "job-type/first" in str(waiting["dag"]["timetable"])


def test_a_type_with_several_last_tasks_announces_once() -> None:
    dag = _build(tasks=[_wait("a"), _wait("b")], announces=True)
    assert [task.task_id for task in dag.tasks if task.outlets] == ["job.end"]
    assert set(dag.get_task("job.end").upstream_task_ids) == {"a", "b"}


def test_params_become_the_form_of_airflow() -> None:
    dag = _build(
        params={
            "type": "object",
            "properties": {
                "coin": {"type": "string", "default": "BTC", "description": "Which coin"},
                "limit": {"type": "integer", "minimum": 1},
                "note": {"type": "string"},
            },
            "required": ["limit"],
            "additionalProperties": False,
        }
    )
    coin, limit, note = (dag.params.get_param(name) for name in ("coin", "limit", "note"))
    assert coin.value == "BTC"
    assert coin.description == "Which coin"
    assert not limit.has_value
    assert note.value is None
    assert limit.schema["minimum"] == 1


def test_a_mapped_task_over_a_reference_gets_its_items_from_a_task() -> None:
    dag = _build(
        params={"type": "object", "properties": {"values": {"type": "array", "default": [1]}}},
        tasks=[
            _wait("first"),
            _wait("each", for_each="{{ params.values }}", inputs={"value": "{{ item }}"}, depends_on=["first"]),
        ],
    )
    assert dag.get_task("each").is_mapped
    assert set(dag.get_task("each").upstream_task_ids) == {"each.items"}
    assert set(dag.get_task("each.items").upstream_task_ids) == {"first"}


def test_what_depends_on_a_list_that_may_be_empty_starts_without_items_too() -> None:
    dag = _build(
        params={"type": "object", "properties": {"values": {"type": "array", "default": []}}},
        tasks=[
            _wait("first"),
            _wait("each", for_each="{{ params.values }}", inputs={"value": "{{ item }}"}, depends_on=["first"]),
            _wait("again", for_each="{{ tasks.each.output }}", inputs={"value": "{{ item }}"}, depends_on=["each"]),
            _wait("last", depends_on=["first", "again"]),
        ],
        announces=True,
    )
    rules = {task.task_id: task.trigger_rule.value for task in dag.tasks}
    assert rules == {
        "first": "all_success",
        "each.items": "all_success",
        "each": "all_success",
        "again.items": "none_failed",
        "again": "none_failed",
        "last": "none_failed",
    }


def test_the_end_of_a_job_is_announced_although_the_last_list_may_be_empty() -> None:
    dag = _build(
        params={"type": "object", "properties": {"values": {"type": "array", "default": []}}},
        tasks=[_wait("each", for_each="{{ params.values }}", inputs={"value": "{{ item }}"})],
        announces=True,
    )
    assert dag.get_task("job.end").trigger_rule.value == "none_failed"


def test_a_task_that_always_runs_does_not_hide_a_failure() -> None:
    report = _wait("report", depends_on=["a", "b"], when="always")
    dag = _build(tasks=[_wait("a"), _wait("b", depends_on=["a"]), report, _wait("mail", depends_on=["report"])])
    assert {task.task_id: task.trigger_rule.value for task in dag.tasks} == {
        "a": "all_success",
        "b": "all_success",
        "report": "all_done",
        "mail": "all_success",
        "job.end": "none_failed",
    }
    assert set(dag.get_task("job.end").upstream_task_ids) == {"a", "b", "mail"}
    assert not dag.get_task("job.end").outlets


def test_the_items_of_a_task_that_always_runs_are_resolved_after_a_failure() -> None:
    each = _wait("each", for_each="{{ tasks.a.output }}", depends_on=["a"], when="always")
    dag = _build(tasks=[_wait("a"), each])
    assert dag.get_task("each.items").trigger_rule.value == "all_done"


def test_a_mapped_task_over_a_list_with_references_gets_them_resolved() -> None:
    dag = _build(
        params={"type": "object", "properties": {"value": {"type": "integer", "default": 1}}},
        tasks=[_wait("each", for_each=[0, "{{ params.value }}"], inputs={"value": "{{ item }}"})],
    )
    assert dag.get_task("each.items").items == [0, "{{ params.value }}"]


def test_a_mapped_task_over_a_list_needs_no_other_task() -> None:
    dag = _build(tasks=[_wait("each", for_each=[1, 2], inputs={"value": "{{ item }}"})])
    assert [task.task_id for task in dag.tasks] == ["each"]


def _sent_by_dag_processor(dag: Any) -> bytes:
    from airflow.dag_processing.processor import DagFileParsingResult
    from airflow.sdk.execution_time.comms import _RequestFrame
    from airflow.serialization.serialized_objects import LazyDeserializedDAG

    result = DagFileParsingResult(fileloc="a", serialized_dags=[LazyDeserializedDAG.from_dag(dag)])
    return _RequestFrame(id=1, body=result.model_dump()).as_bytes()


@pytest.mark.parametrize(
    ("item", "value"),
    [
        (10**30, 10**30),
        (1e22, 1e22),
        ({"wei": -(2**63) - 1}, {"wei": -(2**63) - 1}),
        ({"coinrequest_item": "1"}, {"coinrequest_item": "1"}),
        ({"$number": "1"}, {"$number": "1"}),
        ('{{ "{{" }} braces', "{{ braces"),
        (["{{ '{%' }}"], ["{%"]),
    ],
    ids=["integer", "float", "object", "entry", "mark", "braces", "list"],
)
def test_items_and_inputs_of_a_definition_reach_the_action_unchanged(item: Any, value: Any) -> None:
    inputs = {"url": "http://example.org/", "json": {"item": "{{ item }}", "input": item}}
    dag = _build(tasks=[{"id": "each", "action": "http.request", "for_each": [item], "inputs": inputs}])
    assert _sent_by_dag_processor(dag)
    each = dag.get_task("each")
    (entry,) = each.expand_input.value["item"]
    run = SimpleNamespace(run_id="r", dag_id="a-type", run_after=datetime(2026, 3, 1, tzinfo=UTC))
    _action, found = each.unmap({"item": entry})._prepare({"dag_run": run, "params": {}})
    assert found.json_body == {"item": value, "input": value}
    assert type(found.json_body["item"]) is type(value)


def test_the_same_definition_gives_the_same_dag() -> None:
    fields = {"tags": ["b", "a", "c"], "tasks": [_wait("b"), _wait("a", depends_on=["b"])]}
    assert _serialised(_build(**fields)) == _serialised(_build(**fields))


def test_jinja_never_sees_a_definition() -> None:
    dag = _build()
    assert tuple(dag.get_task("wait").template_fields) == ()


def test_airflow_keeps_the_revision_of_a_dag() -> None:
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    from coinrequest.generator.dag import revision_of

    assert revision_of(DagSerialization.from_dict(_serialised(_build()))) == 7
    assert revision_of(DAG("written-by-hand", schedule=None)) is None
    # As version 0.1.0 has written it, whose dag-processor may run beside this version during a rollout.
    assert revision_of(DAG("old", schedule=None, doc_md="Job type **old**, revision 42. [Definition](/x)")) == 42
