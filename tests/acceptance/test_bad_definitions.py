"""A bad definition is refused, and a corrupt one affects no other type."""

from typing import Any

import pytest
from support.client import API
from support.documents import job_type, new_name, wait_task
from support.platform import Platform
from support.waiting import eventually

from coinrequest.generator.shards import shard_path


def _shell(name: str) -> dict[str, Any]:
    return job_type(name, {"id": "shell", "action": "shell.run", "inputs": {"command": "rm -rf /"}})


REFUSED = {
    "bad cron": (lambda name: job_type(name, schedule={"cron": "* * * *"}), "schedule.cron"),
    "unknown action": (lambda name: job_type(name, wait_task(action="integer.wiat")), "tasks[0].action"),
    "a shell": (_shell, "tasks[0].action"),
    "bad name": (lambda name: job_type("../" + name), "name"),
    "unknown field": (lambda name: job_type(name, shedule={"every": "1m"}), "shedule"),
    "unknown input": (lambda name: job_type(name, wait_task(inputs={"vlaue": 1})), "tasks[0].inputs.vlaue"),
    "python in a field": (
        lambda name: job_type(name, {**wait_task(), "python_callable": "os.system"}),
        "tasks[0].python_callable",
    ),
    "a template": (lambda name: job_type(name, wait_task(value="{{ conn.secret.password }}")), "tasks[0].inputs.value"),
    "a statement": (lambda name: job_type(name, wait_task(value="{% if 1 %}2{% endif %}")), "tasks[0].inputs.value"),
    "a cycle": (
        lambda name: job_type(name, wait_task("a", depends_on=["b"]), wait_task("b", depends_on=["a"])),
        "tasks",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_the_field_named_and_nothing_is_stored(platform: Platform, name: str, case: str) -> None:
    make, field = REFUSED[case]
    count = platform.sql("SELECT count(*) FROM coinrequest_revision")
    answer = platform.op.post(f"{API}/job-types", json=make(name))
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    fields = [error["field"] for error in answer.json()["errors"]]
    assert any(named.startswith(field) for named in fields), fields
    assert platform.sql("SELECT count(*) FROM coinrequest_revision") == count
    assert platform.dag(name) is None


def test_a_corrupt_row_hides_only_its_own_dag(platform: Platform, name: str) -> None:
    """As after a careless change in the database; the table itself refuses changes."""
    neighbours = [new_name("n") for _ in range(3000)]
    neighbours = [other for other in neighbours if shard_path(other) == shard_path(name)][:2]
    assert len(neighbours) == 2
    platform.register(job_type(name))
    for neighbour in neighbours:
        platform.register(job_type(neighbour))
    # The dag-processor has parsed the shard as it is, and will have to parse it again.
    eventually(lambda: platform.dag(name))
    platform.sql(
        "INSERT INTO coinrequest_revision (name, change, document, author, created_at)"
        " VALUES (:name, 'update', :document, 'somebody', now())",
        name=name,
        document='{"name": "' + name + '", "tasks": [{"id": "wait", "action": ',
    )

    def reported() -> bool:
        (error,) = [error for error in platform.import_errors() if name in error["stack_trace"]] or [None]
        return error is not None and "PUT" in error["stack_trace"]

    eventually(reported, timeout=60, what="an import error that names the type")
    eventually(lambda: platform.dag(name) is None, timeout=60, what="the broken type is hidden")
    for neighbour in neighbours:
        assert platform.dag(neighbour) is not None
        platform.run(neighbour)
    # Nobody is told a lie about it, and the service itself is not impressed.
    assert platform.op.get(f"{API}/job-types?limit=100").status_code == 200
    submitted = platform.op.post(f"{API}/job-types/{name}/jobs", json={})
    assert 400 <= submitted.status_code < 500, submitted.text

    answer = platform.op.put(f"{API}/job-types/{name}", json=job_type(name, wait_task("healed")))
    assert answer.status_code in (200, 201), answer.text
    assert platform.run(name)["state"] == "success"
    eventually(
        lambda: not [error for error in platform.import_errors() if name in error["stack_trace"]],
        timeout=60,
        what="the end of the import error",
    )
    for neighbour in neighbours:
        platform.run(neighbour)


def test_the_revisions_cannot_be_changed_or_removed(platform: Platform, name: str) -> None:
    platform.register(job_type(name))
    for statement in (
        "UPDATE coinrequest_revision SET document = '{}' WHERE name = :name",
        "DELETE FROM coinrequest_revision WHERE name = :name",
    ):
        with pytest.raises(Exception, match="append-only"):
            platform.sql(statement, name=name)
