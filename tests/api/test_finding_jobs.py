"""Finding jobs again: labels of definitions, owners, tags, times as people write them, several values, short errors."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.airflow_runs import trigger
from support.api_environment import definition as small
from support.api_environment import finish

from coinrequest.jobs import listing

TYPES = "/jobs/v1/job-types"
JOBS = "/jobs/v1/jobs"


def listed(client: TestClient, **query: Any) -> list[dict[str, Any]]:
    answer = client.get(JOBS, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["jobs"]
    return found


def ids(client: TestClient, **query: Any) -> list[str]:
    return [job["id"] for job in listed(client, **query)]


def register(op: TestClient, name: str, **fields: Any) -> None:
    answer = op.post(TYPES, json=small(name, **fields))
    assert answer.status_code == 201, answer.text


def submit(op: TestClient, name: str, **body: Any) -> str:
    answer = op.post(f"{TYPES}/{name}/jobs", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def test_a_submission_adds_labels_to_those_of_the_definition_and_overrides_them(op: TestClient, name: str) -> None:
    register(op, name, labels={"team": "data", "kind": "report"})
    plain, own = submit(op, name), submit(op, name, labels={"kind": "check", "ticket": "7"})
    assert op.get(f"{JOBS}/{plain}").json()["labels"] == {"team": "data", "kind": "report"}
    assert op.get(f"{JOBS}/{own}").json()["labels"] == {"team": "data", "kind": "check", "ticket": "7"}
    assert ids(op, type=name, label="kind:report") == [plain]
    assert ids(op, type=name, label="team:data") == [own, plain]


def test_a_run_that_airflow_starts_has_the_labels_and_the_defaults(op: TestClient, name: str) -> None:
    params = {"type": "object", "properties": {"value": {"type": "integer", "default": 3}}}
    register(op, name, labels={"team": "data"}, params=params)
    op.put(f"{TYPES}/{name}", json=small(name, labels={"team": "web"}, params=params))
    assert trigger(op, name, conf={}).status_code == 200
    (job,) = listed(op, type=name, label="team:web")
    assert (job["origin"], job["params"]) == ("airflow", {"value": 3})
    assert op.get(f"{JOBS}/{job['id']}").json()["params"] == {"value": 3}


@pytest.mark.usefixtures("tables_unchanged")
@pytest.mark.parametrize(
    ("labels", "field"),
    [
        ({"a b": "x"}, "labels.a b"),
        ({"team": "a\nb"}, "labels.team"),
        ({"team": 7}, "labels.team"),
        ({"team": "{{ params.team }}"}, "labels.team"),
        ({"team": "x" * 201}, "labels.team"),
        ({f"l{number}": "x" for number in range(21)}, "labels"),
        (["team"], "labels"),
    ],
)
def test_a_bad_label_of_a_definition_is_named(op: TestClient, name: str, labels: Any, field: str) -> None:
    answer = op.post(TYPES, json=small(name, labels=labels))
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_jobs_and_types_are_found_by_owner_and_tags(op: TestClient, name: str) -> None:
    register(op, f"{name}-a", owner=f"{name} x", tags=[f"{name}-1", f"{name}-2"])
    register(op, f"{name}-b", owner=f"{name} y", tags=[f"{name}-1"])
    first, second = submit(op, f"{name}-a"), submit(op, f"{name}-b")
    assert ids(op, owner=f"{name} x") == [first]
    assert ids(op, owner=[f"{name} x", f"{name} y"]) == [second, first]
    assert ids(op, tag=f"{name}-1") == [second, first]
    assert ids(op, tag=[f"{name}-1", f"{name}-2"]) == [first]
    assert ids(op, tag=f"{name}-1", owner=f"{name} y", type=f"{name}-b") == [second]
    assert ids(op, tag=f"{name}-2", type=f"{name}-b") == []
    types = op.get(TYPES, params={"tag": f"{name}-1"}).json()["job_types"]
    assert [(found["name"], found["owner"]) for found in types] == [
        (f"{name}-a", f"{name} x"),
        (f"{name}-b", f"{name} y"),
    ]
    assert [found["name"] for found in op.get(TYPES, params={"owner": f"{name} y"}).json()["job_types"]] == [
        f"{name}-b"
    ]


def test_several_states_types_and_submitters_mean_any_of_them(
    op: TestClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(op, f"{name}-a")
    register(op, f"{name}-b")
    done, failed, queued = submit(op, f"{name}-a"), submit(op, f"{name}-b"), submit(op, f"{name}-b")
    finish(f"{name}-a", done)
    finish(f"{name}-b", failed, "failed")
    both = [f"{name}-a", f"{name}-b"]
    assert ids(op, type=both) == [queued, failed, done]
    assert ids(op, type=both, state=["success", "failed"]) == [failed, done]
    assert ids(op, type=both, state=["success", "queued"], submitted_by=["op", "nobody"]) == [queued, done]
    assert ids(op, type=both, state=["failed"], limit=1) == [failed]
    monkeypatch.setattr(listing, "_MOST_SCANS", 2)
    assert ids(op, type=both, state=["success", "queued"], submitted_by=["op", "nobody"]) == [queued, done]


def test_jobs_are_found_by_the_time_of_their_end(op: TestClient, name: str) -> None:
    register(op, name)
    ended, queued = submit(op, name), submit(op, name)
    finish(name, ended)
    end = datetime.fromisoformat(op.get(f"{JOBS}/{ended}").json()["ended_at"])
    assert ids(op, type=name, ended_since="1h") == [ended]
    assert ids(op, type=name, ended_since=end.isoformat()) == [ended]
    assert ids(op, type=name, ended_until=end.isoformat()) == []
    assert ids(op, type=name, ended_until=(end + timedelta(seconds=1)).isoformat()) == [ended]
    assert ids(op, type=name, since="1h") == [queued, ended]


def test_times_are_read_as_people_write_them(op: TestClient, name: str) -> None:
    register(op, name)
    job = submit(op, name)
    now = datetime.now(UTC)
    before, after = now - timedelta(minutes=5), now + timedelta(minutes=5)
    east = after.isoformat()
    for earlier in ("5m", "1h30m", "2d", before.strftime("%Y-%m-%dT%H:%M:%S"), before.strftime("%Y-%m-%d %H:%M:%S")):
        assert ids(op, type=name, since=earlier) == [job], earlier
    for later in (east, east.replace("+00:00", "Z"), after.strftime("%Y%m%dT%H%M%S")):
        assert ids(op, type=name, until=later) == [job], later
        assert ids(op, type=name, since=later) == [], later
    # A plus that was not escaped arrives as a space.
    answer = op.get(f"{JOBS}?type={name}&until={east}")
    assert [found["id"] for found in answer.json()["jobs"]] == [job]


def test_a_list_says_shortly_why_jobs_failed(op: TestClient, name: str) -> None:
    register(op, name)
    failed, cancelled, queued = submit(op, name), submit(op, name), submit(op, name)
    finish(name, failed, "failed")
    op.post(f"{JOBS}/{cancelled}/cancel", json={"reason": "x" * 999})
    rows = {job["id"]: job["error"] for job in listed(op, type=name)}
    assert rows[queued] is None
    assert "'wait' failed" in rows[failed]["message"]
    assert rows[failed] == op.get(f"{JOBS}/{failed}").json()["error"]
    assert rows[cancelled]["message"].startswith("Cancelled by op: xxx")
    assert len(rows[cancelled]["message"]) == 300


@pytest.mark.parametrize("field", ["type", "owner", "tag", "label"])
def test_an_empty_list_names_what_there_is_not(op: TestClient, name: str, field: str) -> None:
    known = f"{name}-known"
    register(op, known, owner=known, tags=[known], labels={known: "x"})
    submit(op, known)
    value = "" if field != "label" else ":x"
    answer = op.get(JOBS, params={field: f"{name}-konwn{value}"}).json()
    assert answer["jobs"] == []
    (warning,) = answer["warnings"]
    assert warning["field"] == field
    assert warning["message"].endswith(f"{name}-konwn'; did you mean '{known}'?")
    assert op.get(JOBS, params={field: known + value}).json()["warnings"] == []


def test_a_warning_names_no_type_that_the_user_may_not_see(
    airflow_app: Any, client_of: Any, op: TestClient, name: str
) -> None:
    from support import team_roles

    register(op, f"{name}-secret", owner=f"{name}-owner")
    member = team_roles.member(airflow_app, client_of, "reads", f"{name}-open")
    for query in ({"type": f"{name}-secrets"}, {"owner": f"{name}-owners"}):
        (warning,) = member.get(JOBS, params=query).json()["warnings"]
        assert "did you mean" not in warning["message"]
        assert "did you mean" in op.get(JOBS, params=query).json()["warnings"][0]["message"]
