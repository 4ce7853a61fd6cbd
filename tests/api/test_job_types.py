"""The life cycle of a job type over REST."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient
from support.api_environment import definition as small

from coinrequest.actions.integer_wait import IntegerWait

TYPES = "/jobs/v1/job-types"


def test_a_registration_returns_the_location_and_creates_a_dag(
    op: TestClient, name: str, definition: dict[str, Any]
) -> None:
    created = op.post(TYPES, json=definition)
    assert created.status_code == 201
    assert created.headers["location"] == f"{TYPES}/{name}"
    body = created.json()
    assert created.headers["etag"] == f'"{body["revision"]}"'
    assert body["author"] == "op"
    assert body["paused"] is False
    assert body["dag_url"] == f"http://airflow.test/dags/{name}"
    dag = op.get(f"/api/v2/dags/{name}")
    assert dag.status_code == 200
    assert dag.json()["is_stale"] is False
    assert op.get(created.headers["location"]).json() == body


def test_json_comes_back_unchanged(op: TestClient, name: str) -> None:
    document = small(name, description="Ünïcode ✓", tags=["b", "a"], params={"properties": {"z": {}, "a": {}}})
    op.post(TYPES, json=document)
    found = op.get(f"{TYPES}/{name}").json()["definition"]
    assert found == document
    assert list(found) == list(document)


def test_yaml_comes_back_unchanged_and_can_be_put_again(op: TestClient, name: str) -> None:
    text = f"""
name: {name}
description: "on"
schedule: {{cron: "*/5 * * * *", timezone: Europe/Dublin}}
tasks:
  - {{id: wait, action: integer.wait, inputs: {{value: 0}}}}
"""
    yaml_type = {"Content-Type": "application/yaml"}
    created = op.post(TYPES, content=text, headers=yaml_type)
    assert created.status_code == 201, created.text
    assert created.json()["definition"] == yaml.safe_load(text)
    back = op.get(f"{TYPES}/{name}", headers={"Accept": "application/yaml"})
    assert back.headers["content-type"].startswith("application/yaml")
    assert back.headers["etag"] == created.headers["etag"]
    assert yaml.safe_load(back.text) == yaml.safe_load(text)
    again = op.put(f"{TYPES}/{name}", content=back.text, headers=yaml_type)
    assert again.status_code == 200
    assert again.headers["etag"] == created.headers["etag"]


@pytest.mark.usefixtures("tables_unchanged")
def test_a_dry_run_returns_a_preview_and_stores_nothing(op: TestClient, name: str) -> None:
    document = small(name, schedule={"cron": "0 12 * * *", "timezone": "Europe/Dublin"})
    document["tasks"].append({**document["tasks"][0], "id": "again", "depends_on": ["wait"]})
    answer = op.post(f"{TYPES}?dry_run=true", json=document)
    assert answer.status_code == 200, answer.text
    assert answer.json()["definition"] == document
    assert answer.json()["edges"] == [{"source": "wait", "target": "again"}]
    assert len(answer.json()["next_run_times"]) == 5
    assert op.get(f"{TYPES}/{name}").status_code == 404


def test_a_second_registration_is_refused(op: TestClient, name: str, definition: dict[str, Any]) -> None:
    assert op.post(TYPES, json=definition).status_code == 201
    again = op.post(TYPES, json=definition)
    assert again.status_code == 409
    assert "PUT" in again.json()["detail"]


def test_one_of_two_concurrent_registrations_wins(op: TestClient, definition: dict[str, Any]) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: op.post(TYPES, json=definition), range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


def test_put_creates_then_replaces(op: TestClient, name: str, definition: dict[str, Any]) -> None:
    created = op.put(f"{TYPES}/{name}", json=definition)
    assert created.status_code == 201
    replaced = op.put(f"{TYPES}/{name}", json={**definition, "description": "new"})
    assert replaced.status_code == 200
    assert replaced.json()["revision"] > created.json()["revision"]
    assert op.get(f"{TYPES}/{name}").json()["definition"]["description"] == "new"


def test_if_match_protects_from_overwriting(op: TestClient, name: str, definition: dict[str, Any]) -> None:
    tag = op.post(TYPES, json=definition).headers["etag"]
    first = op.put(f"{TYPES}/{name}", json={**definition, "description": "1"}, headers={"If-Match": tag})
    assert first.status_code == 200
    second = op.put(f"{TYPES}/{name}", json={**definition, "description": "2"}, headers={"If-Match": tag})
    assert second.status_code == 412
    assert op.get(f"{TYPES}/{name}").json()["definition"]["description"] == "1"


def test_if_match_without_an_existing_type_is_refused(op: TestClient, name: str, definition: dict[str, Any]) -> None:
    assert op.put(f"{TYPES}/{name}", json=definition, headers={"If-Match": '"1"'}).status_code == 412
    assert op.put(f"{TYPES}/{name}", json=definition, headers={"If-Match": "*"}).status_code == 412
    malformed = op.put(f"{TYPES}/{name}", json=definition, headers={"If-Match": "one"})
    assert malformed.status_code == 422
    assert malformed.json()["errors"][0]["field"] == "If-Match"


def test_a_deleted_type_keeps_its_history_and_can_be_registered_again(
    op: TestClient, name: str, definition: dict[str, Any]
) -> None:
    op.post(TYPES, json=definition)
    assert op.delete(f"{TYPES}/{name}").status_code == 204
    assert op.get(f"{TYPES}/{name}").status_code == 404
    assert op.post(f"{TYPES}/{name}/jobs", json={}).status_code == 404
    assert op.get(f"/api/v2/dags/{name}").json()["is_stale"] is True
    changes = [entry["change"] for entry in op.get(f"{TYPES}/{name}/revisions").json()["revisions"]]
    assert changes == ["delete", "create"]
    assert op.post(TYPES, json=definition).status_code == 201
    assert op.post(f"{TYPES}/{name}/jobs", json={}).status_code == 202


def test_a_type_with_active_jobs_cannot_be_deleted(op: TestClient, name: str, definition: dict[str, Any]) -> None:
    op.post(TYPES, json=definition)
    op.post(f"{TYPES}/{name}/jobs", json={})
    refused = op.delete(f"{TYPES}/{name}")
    assert refused.status_code == 409
    assert "POST /jobs/v1/jobs/{id}/cancel" in refused.json()["detail"]
    assert op.get(f"{TYPES}/{name}").status_code == 200


def test_pause_and_resume(op: TestClient, name: str, definition: dict[str, Any]) -> None:
    op.post(TYPES, json=definition)
    assert op.post(f"{TYPES}/{name}/pause").json()["paused"] is True
    refused = op.post(f"{TYPES}/{name}/jobs", json={})
    assert refused.status_code == 409
    assert f"{name}/resume" in refused.json()["detail"]
    assert op.post(f"{TYPES}/{name}/resume").json()["paused"] is False
    assert op.post(f"{TYPES}/{name}/jobs", json={}).status_code == 202


def test_history_diff_and_rollback(op: TestClient, name: str, definition: dict[str, Any]) -> None:
    first = op.post(TYPES, json=definition).json()["revision"]
    second = op.put(f"{TYPES}/{name}", json={**definition, "description": "other"}).json()["revision"]
    difference = op.get(f"{TYPES}/{name}/diff?from={first}&to={second}").json()
    assert "+description: other" in difference["diff"]
    assert op.get(f"{TYPES}/{name}/diff?from={first}").json() == difference
    back = op.post(f"{TYPES}/{name}/rollback", json={"revision": first})
    assert back.status_code == 200
    assert back.json()["definition"] == definition
    assert back.json()["revision"] > second
    page = op.get(f"{TYPES}/{name}/revisions?limit=2").json()
    assert [entry["change"] for entry in page["revisions"]] == ["rollback", "update"]
    rest = op.get(f"{TYPES}/{name}/revisions?cursor={page['next_cursor']}").json()
    assert [entry["number"] for entry in rest["revisions"]] == [first]
    assert rest["next_cursor"] is None
    assert op.get(f"{TYPES}/{name}/revisions/{first}").json()["definition"] == definition
    assert op.get(f"{TYPES}/{name}/revisions/{second + 1000000}").status_code == 404
    assert op.post(f"{TYPES}/{name}/rollback", json={"revision": 999999999}).status_code == 404
    wrong = op.post(f"{TYPES}/{name}/rollback", json={"to": 1})
    assert wrong.status_code == 422
    assert {error["field"] for error in wrong.json()["errors"]} == {"revision", "to"}


def test_the_list_is_paged_and_ordered_by_name(op: TestClient, name: str) -> None:
    names = [f"{name}.{letter}" for letter in "abc"]
    for each in names:
        document = small(each, description=f"about {each}", tags=["x"], schedule={"every": "1h"})
        assert op.post(TYPES, json=document).status_code == 201
    found: dict[str, Any] = {}
    cursor, pages = "", 0
    while True:
        page = op.get(f"{TYPES}?limit=2{cursor}").json()
        assert len(page["job_types"]) <= 2
        found |= {entry["name"]: entry for entry in page["job_types"]}
        pages += 1
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert pages >= 2
    assert list(found) == sorted(found)
    entry = found[names[0]]
    assert (entry["description"], entry["tags"], entry["paused"]) == (f"about {names[0]}", ["x"], False)
    assert entry["schedule"] == {"every": "1h"}


def test_the_catalogue_has_schemas(op: TestClient) -> None:
    actions = {entry["name"]: entry for entry in op.get("/jobs/v1/actions").json()["actions"]}
    wait = actions["integer.wait"]
    assert (wait["available"], wait["unavailable"], wait["failures"]) == (True, None, [])
    failures = [failure for action in actions.values() for failure in action["failures"]]
    assert failures
    assert all(failure["name"] and failure["summary"] for failure in failures)
    detail = op.get("/jobs/v1/actions/integer.wait").json()
    assert "value" in detail["inputs"]["properties"]
    unknown = op.get("/jobs/v1/actions/integer.wiat")
    assert unknown.status_code == 404
    assert "integer.wait" in unknown.json()["detail"]


def test_a_disabled_action_is_refused_with_the_remedy(
    op: TestClient, definition: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    remedy = "integer.wait is switched off; an administrator sets CLOCK=1"
    monkeypatch.setattr(IntegerWait, "unavailable", classmethod(lambda _: remedy))
    answer = op.post("/jobs/v1/job-types", json=definition)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "tasks[0].action", "message": remedy}]
    found = op.get("/jobs/v1/actions/integer.wait").json()
    assert (found["available"], found["unavailable"]) == (False, remedy)
