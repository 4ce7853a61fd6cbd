"""Invalid input: every error is named, and nothing is stored."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.api_environment import definition as small

TYPES = "/jobs/v1/job-types"
Change = Callable[[dict[str, Any]], None]


def with_task(**fields: Any) -> Change:
    return lambda document: document["tasks"][0].update(fields)


def with_field(**fields: Any) -> Change:
    return lambda document: document.update(fields)


def with_second(**fields: Any) -> Change:
    def change(document: dict[str, Any]) -> None:
        document["tasks"].append({**document["tasks"][0], "id": "second", **fields})

    return change


def many_tasks(document: dict[str, Any]) -> None:
    document["tasks"] = [{**document["tasks"][0], "id": f"t{number}"} for number in range(101)]


def cycle(document: dict[str, Any]) -> None:
    first = document["tasks"][0]
    document["tasks"] = [
        {**first, "id": "one", "depends_on": ["two"]},
        {**first, "id": "two", "depends_on": ["one"]},
    ]


BAD: dict[str, tuple[Change, str]] = {
    "101 tasks": (many_tasks, "tasks"),
    "a cycle": (cycle, "tasks"),
    "a duplicate task id": (with_second(id="wait"), "tasks[1].id"),
    "an unknown action": (with_task(action="integer.wiat"), "tasks[0].action"),
    "a bad cron": (with_field(schedule={"cron": "61 * * * *"}), "schedule.cron"),
    "a bad time zone": (
        with_field(schedule={"cron": "* * * * *", "timezone": "Europe/Dublinn"}),
        "schedule.timezone",
    ),
    "a reference to nothing": (with_task(inputs={"value": "{{ nothing.x }}"}), "tasks[0].inputs.value"),
    "an unknown task": (with_task(inputs={"value": "{{ tasks.gone.output }}"}), "tasks[0].inputs.value"),
    "a task that is not upstream": (
        with_second(inputs={"value": "{{ tasks.wait.output.value }}"}),
        "tasks[1].inputs.value",
    ),
    "braces with anything else": (with_task(inputs={"value": "{{ 1 + 1 }}"}), "tasks[0].inputs.value"),
    "a connection": (with_task(inputs={"value": "{{ conn.x }}"}), "tasks[0].inputs.value"),
    "a variable": (with_task(inputs={"value": "{{ var.value.x }}"}), "tasks[0].inputs.value"),
    "a statement": (with_task(inputs={"value": "{% for x in y %}"}), "tasks[0].inputs.value"),
    "a name with two dots": (with_field(name="a..b"), "name"),
    "a name with a slash": (with_field(name="a/b"), "name"),
    "a name that climbs": (with_field(name="../../etc/passwd"), "name"),
    "an unknown field": (with_field(shedule={"every": "1h"}), "shedule"),
    "an unknown pool": (with_task(pool="no_such_pool"), "tasks[0].pool"),
    "an unknown type to run after": (with_field(schedule={"after": ["no-such-type"]}), "schedule.after[0]"),
    "no tasks": (with_field(tasks=[]), "tasks"),
    "a NUL character": (with_field(description="a\x00b"), "description"),
}


@pytest.mark.usefixtures("tables_unchanged")
@pytest.mark.parametrize("case", BAD)
def test_a_bad_definition_names_its_field_and_stores_nothing(op: TestClient, name: str, case: str) -> None:
    change, field = BAD[case]
    document = small(name)
    change(document)
    for answer in (
        op.post(TYPES, json=document),
        op.post(f"{TYPES}?dry_run=true", json=document),
        op.put(f"{TYPES}/{name}", json=document),
    ):
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        fields = [error["field"] for error in answer.json()["errors"]]
        assert any(found == field or found.startswith(f"{field}[") for found in fields), answer.json()


@pytest.mark.usefixtures("tables_unchanged")
def test_all_errors_are_reported_together(op: TestClient, name: str) -> None:
    document = small(name, schedule={"cron": "never"}, colour="red")
    document["tasks"][0]["action"] = "url.tset"
    errors = op.post(TYPES, json=document).json()["errors"]
    assert {"schedule.cron", "colour", "tasks[0].action"} <= {error["field"] for error in errors}
    assert any("url.test" in error["message"] for error in errors)


def sized(name: str, size: int) -> bytes:
    empty = len(json.dumps(small(name)))
    return json.dumps(small(name)).encode() + b" " * (size - empty)


@pytest.mark.usefixtures("tables_unchanged")
def test_more_than_64_kib_are_refused(op: TestClient, name: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = op.post(TYPES, content=sized(name, 64 * 1024 + 1), headers=headers)
    assert answer.status_code == 413
    assert "64 KiB" in answer.json()["detail"]

    def chunks() -> Any:
        for _ in range(70):
            yield b" " * 1024

    assert op.post(TYPES, content=chunks(), headers=headers).status_code == 413
    assert op.put(f"{TYPES}/{name}", content=chunks(), headers=headers).status_code == 413


def test_64_kib_are_accepted(op: TestClient, name: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = op.post(TYPES, content=sized(name, 64 * 1024), headers=headers)
    assert answer.status_code == 201, answer.text


@pytest.mark.usefixtures("tables_unchanged")
@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/xml", b"<a/>", 415),
        ("text/plain", b"{}", 415),
        ("application/json", b"{", 422),
        ("application/json", b"", 422),
        ("application/json", b"[]", 422),
        ("application/json", b'{"name": "a", "name": "b"}', 422),
        ("application/json", b'{"name": NaN}', 422),
        ("application/json", b"\xff\xfe", 422),
        ("application/json", b"[" * 60_000, 422),
        ("application/yaml", b"a: &x [*x]", 422),
        ("application/yaml", b"!!python/object/apply:os.system ['true']", 422),
        ("application/yaml", b"a: 1\n---\nb: 2", 422),
    ],
)
def test_a_body_that_is_not_a_document(op: TestClient, content_type: str, body: bytes, status: int) -> None:
    for answer in (
        op.post(TYPES, content=body, headers={"Content-Type": content_type}),
        op.post(f"{TYPES}/integer/jobs", content=body, headers={"Content-Type": content_type}),
    ):
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.usefixtures("tables_unchanged")
def test_a_name_that_differs_from_the_path_is_refused(op: TestClient, definition: dict[str, Any]) -> None:
    answer = op.put(f"{TYPES}/other-name", json=definition)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "name"


@pytest.mark.usefixtures("tables_unchanged")
@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/jobs/v1/job-types?limit=0", "limit"),
        ("/jobs/v1/job-types?limit=101", "limit"),
        ("/jobs/v1/job-types?cursor=%00", "cursor"),
        ("/jobs/v1/jobs?cursor=bm90IG91cnM", "cursor"),
        ("/jobs/v1/jobs?state=asleep", "state"),
        ("/jobs/v1/jobs?type=%00", "type"),
        ("/jobs/v1/jobs/not-a-uuid", "id"),
        ("/jobs/v1/jobs/0197f1f0-0000-7000-8000-000000000000?wait=61", "wait"),
        ("/jobs/v1/job-types/x/diff?from=0", "from"),
        ("/jobs/v1/job-types/x/revisions/0", "number"),
    ],
)
def test_a_bad_parameter_is_named(op: TestClient, path: str, field: str) -> None:
    answer = op.get(path)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.usefixtures("tables_unchanged")
@pytest.mark.parametrize("unknown", ["gone", "a%00b", "%2e%2e", "x" * 300])
def test_an_unknown_type_is_not_found(op: TestClient, unknown: str) -> None:
    for method, path in [("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("GET", "/revisions")]:
        answer = op.request(method, f"{TYPES}/{unknown}{path}")
        assert answer.status_code == 404, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
