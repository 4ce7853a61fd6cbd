"""The error of a failed job names what ended it: a limit, a person, or an agent that is gone."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from support.api_environment import Clients, Sql, definition

TYPES = "/jobs/v1/job-types"
JOBS = "/jobs/v1/jobs"


def start(op: TestClient, name: str, sql: Sql, **fields: Any) -> str:
    """Register a type and submit a job of it, whose run is running."""
    assert op.post(TYPES, json=definition(name, **fields)).status_code == 201
    job: str = op.post(f"{TYPES}/{name}/jobs", json={}).json()["id"]
    sql("UPDATE dag_run SET state = 'running', start_date = now() - interval '1 hour' WHERE run_id = :job", job=job)
    return job


def message(op: TestClient, job: str) -> str:
    return str(op.get(f"{JOBS}/{job}").json()["error"]["message"])


def end(sql: Sql, job: str, task_state: str = "failed") -> None:
    sql(
        "UPDATE task_instance SET state = :state, start_date = now() - interval '1 minute', end_date = now(),"
        " try_number = 1, hostname = 'host-a' WHERE run_id = :job",
        job=job,
        state=task_state,
    )
    sql("UPDATE dag_run SET state = 'failed', end_date = now() WHERE run_id = :job", job=job)


def note(sql: Sql, job: str, event: str, extra: str) -> None:
    """Write Airflow's line about the first attempt of the job's task."""
    sql(
        "INSERT INTO log (dttm, dag_id, task_id, run_id, map_index, try_number, event, extra)"
        " SELECT now(), dag_id, task_id, run_id, map_index, 1, :event, :extra FROM task_instance WHERE run_id = :job",
        job=job,
        event=event,
        extra=extra,
    )


def time_out(sql: Sql, job: str) -> None:
    """Let Airflow's limit of the run end it, as the scheduler does."""
    sql("UPDATE task_instance SET state = 'skipped' WHERE run_id = :job AND state IS DISTINCT FROM 'failed'", job=job)
    sql("UPDATE dag_run SET state = 'failed', end_date = now() WHERE run_id = :job", job=job)


def test_the_timeout_of_the_type_is_named_with_its_value_and_the_task_that_waited(
    op: TestClient, name: str, sql: Sql
) -> None:
    task = {"id": "wait", "action": "integer.wait", "inputs": {"value": 0}, "queue": "nobody"}
    job = start(op, name, sql, timeout="10m", tasks=[task])
    time_out(sql, job)
    assert message(op, job) == (
        "The job was not done within its timeout of 10m: task 'wait' had not started (queue 'nobody')"
    )


def test_the_timeout_of_the_type_names_the_task_that_ran(op: TestClient, name: str, sql: Sql) -> None:
    job = start(op, name, sql, timeout="90s")
    sql("UPDATE task_instance SET start_date = now() - interval '1 minute' WHERE run_id = :job", job=job)
    time_out(sql, job)
    assert message(op, job) == "The job was not done within its timeout of 1m30s: task 'wait' was running"


def test_a_task_that_failed_before_the_timeout_is_named_with_it(op: TestClient, name: str, sql: Sql) -> None:
    tasks = [{"id": task, "action": "integer.wait", "inputs": {"value": 0}} for task in ("one", "two")]
    job = start(op, name, sql, timeout="10m", tasks=tasks)
    sql(
        "UPDATE task_instance SET state = 'failed', end_date = now(), hostname = 'host-a'"
        " WHERE run_id = :job AND task_id = 'one'",
        job=job,
    )
    time_out(sql, job)
    assert message(op, job).startswith("Task 'one' failed: ")
    assert message(op, job).endswith(
        "; and the job was not done within its timeout of 10m: task 'two' had not started (queue 'default')"
    )


@pytest.mark.parametrize(
    ("event", "extra", "words"),
    [
        ("heartbeat timeout", "Task did not emit heartbeat", "the agent on 'host-a' stopped answering"),
        ("stuck in queued tries exceeded", "Task was requeued", "no agent of the queue 'default' took it within"),
        (
            "state mismatch",
            "Executor X reported. Extra info: Worker exited prematurely: signal 9 (SIGKILL)",
            "its process on the agent on 'host-a' was killed, or ended without a report (Worker exited prematurely",
        ),
    ],
)
def test_an_attempt_that_could_not_tell_its_end_is_explained_by_airflows_events(
    op: TestClient, name: str, sql: Sql, event: str, extra: str, words: str
) -> None:
    job = start(op, name, sql)
    end(sql, job)
    note(sql, job, event, extra)
    assert message(op, job).startswith(f"Task 'wait' failed: {words}")


def test_a_person_who_marks_the_run_as_failed_is_named(op: TestClient, client_of: Clients, name: str, sql: Sql) -> None:
    job = start(op, name, sql)
    sql("UPDATE task_instance SET state = 'running', start_date = now() WHERE run_id = :job", job=job)
    answer = client_of("Admin").patch(f"/api/v2/dags/{name}/dagRuns/{job}", json={"state": "failed"})
    assert answer.status_code == 200, answer.text
    assert message(op, job) == "Task 'wait' was set to failed by 'admin' in Airflow"


def test_a_person_who_marks_a_run_that_has_not_started_is_named(
    op: TestClient, client_of: Clients, name: str, sql: Sql
) -> None:
    assert op.post(TYPES, json=definition(name, timeout="1s")).status_code == 201
    job = op.post(f"{TYPES}/{name}/jobs", json={}).json()["id"]
    answer = client_of("Admin").patch(f"/api/v2/dags/{name}/dagRuns/{job}", json={"state": "failed"})
    assert answer.status_code == 200, answer.text
    assert message(op, job) == "The job was set to failed by 'admin' in Airflow"


def test_a_person_who_marks_a_task_is_named(op: TestClient, client_of: Clients, name: str, sql: Sql) -> None:
    job = start(op, name, sql)
    sql("UPDATE task_instance SET state = 'running', start_date = now() WHERE run_id = :job", job=job)
    path = f"/api/v2/dags/{name}/dagRuns/{job}/taskInstances/wait"
    answer = client_of("Admin").patch(path, json={"new_state": "failed"})
    assert answer.status_code == 200, answer.text
    sql("UPDATE dag_run SET state = 'failed', end_date = now() WHERE run_id = :job", job=job)
    assert message(op, job) == "Task 'wait' was set to failed by 'admin' in Airflow"


def test_a_person_who_marks_runs_in_bulk_is_named(op: TestClient, client_of: Clients, name: str, sql: Sql) -> None:
    job = start(op, name, sql)
    sql("UPDATE task_instance SET state = 'running', start_date = now() WHERE run_id = :job", job=job)
    entity = {"dag_id": name, "dag_run_id": job, "state": "failed"}
    body = {"actions": [{"action": "update", "entities": [entity], "action_on_non_existence": "fail"}]}
    answer = client_of("Admin").patch(f"/api/v2/dags/{name}/dagRuns", json=body)
    assert answer.status_code == 200, answer.text
    assert message(op, job) == "Task 'wait' was set to failed by 'admin' in Airflow"


def test_airflow_does_not_note_who_marks_tasks_in_bulk(op: TestClient, client_of: Clients, name: str, sql: Sql) -> None:
    """If this fails, Airflow has begun to, and the error can name the user."""
    job = start(op, name, sql)
    sql("UPDATE task_instance SET state = 'running', hostname = 'host-a', start_date = now() WHERE run_id = :j", j=job)
    entity = {"task_id": "wait", "dag_id": name, "dag_run_id": job, "map_index": -1, "new_state": "failed"}
    body = {"actions": [{"action": "update", "entities": [entity], "action_on_non_existence": "fail"}]}
    answer = client_of("Admin").patch(f"/api/v2/dags/{name}/dagRuns/{job}/taskInstances", json=body)
    assert answer.status_code == 200, answer.text
    sql("UPDATE dag_run SET state = 'failed', end_date = now() WHERE run_id = :job", job=job)
    assert message(op, job) == (
        "Task 'wait' failed: it was ended from outside while it ran on the agent on 'host-a', "
        "and Airflow's audit log names nobody"
    )


def test_a_task_that_failed_by_itself_blames_nobody_who_marked_the_run_later(
    op: TestClient, client_of: Clients, name: str, sql: Sql
) -> None:
    job = start(op, name, sql)
    sql(
        "UPDATE task_instance SET state = 'failed', end_date = now() - interval '5 minutes', hostname = 'host-a'"
        " WHERE run_id = :job",
        job=job,
    )
    assert client_of("Admin").patch(f"/api/v2/dags/{name}/dagRuns/{job}", json={"state": "failed"}).status_code == 200
    assert "admin" not in message(op, job)


def test_a_person_who_marked_a_run_of_another_type_with_the_same_id_is_not_named(
    op: TestClient, name: str, sql: Sql
) -> None:
    """Types with the same schedule have runs with the same ids."""
    job = start(op, name, sql)
    sql(
        "INSERT INTO log (dttm, dag_id, run_id, event, owner, extra)"
        " VALUES (now(), 'another', :job, 'patch_dag_run', 'admin', '{\"state\": \"failed\"}')",
        job=job,
    )
    end(sql, job)
    assert "admin" not in message(op, job)


def test_a_failure_without_a_failed_task_limit_or_person_says_what_is_known(
    op: TestClient, name: str, sql: Sql
) -> None:
    job = start(op, name, sql)
    end(sql, job, "skipped")
    assert message(op, job) == (
        "Airflow ended the job as failed although none of its tasks failed (1 skipped); "
        "it was not its time limit, and Airflow's audit log names nobody"
    )


@pytest.mark.parametrize("other", ["failed", "cut short"])
def test_a_task_over_an_empty_list_is_not_what_was_unfinished(op: TestClient, name: str, sql: Sql, other: str) -> None:
    wait = {"action": "integer.wait", "inputs": {"value": 0}}
    mapped = {"id": "each", **wait, "for_each": "{{ params.pages }}"}
    tasks = [mapped, {"id": "last", **wait, "depends_on": ["each"]}]
    params = {"type": "object", "properties": {"pages": {"type": "array", "default": []}}}
    job = start(op, name, sql, timeout="10m", tasks=tasks, params=params)
    # As Airflow notes an empty list: the task is skipped, and has neither a start nor an end.
    sql("UPDATE task_instance SET state = 'skipped' WHERE run_id = :job AND task_id = 'each'", job=job)
    sql(
        "UPDATE task_instance SET state = 'success', end_date = now() WHERE run_id = :job AND task_id = 'each.items'",
        job=job,
    )
    sql(
        "INSERT INTO task_map (dag_id, task_id, run_id, map_index, length) VALUES (:name, 'each.items', :job, -1, 0)",
        name=name,
        job=job,
    )
    if other == "failed":
        sql(
            "UPDATE task_instance SET state = 'failed', end_date = now(), hostname = 'host-a'"
            " WHERE run_id = :job AND task_id = 'last'",
            job=job,
        )
    sql(
        "UPDATE task_instance SET state = 'skipped' WHERE run_id = :job AND task_id IN ('last', 'job.end')"
        " AND state IS NULL",
        job=job,
    )
    sql("UPDATE task_instance SET end_date = now() WHERE run_id = :job AND task_id = 'job.end'", job=job)
    sql("UPDATE dag_run SET state = 'failed', end_date = now() WHERE run_id = :job", job=job)
    if other == "failed":
        assert message(op, job).startswith("Task 'last' failed: ")
        assert "timeout" not in message(op, job)
    else:
        assert message(op, job) == (
            "The job was not done within its timeout of 10m: task 'last' had not started (queue 'default')"
        )
