"""A role for some job types can read, run and change those, and learns nothing about others."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from support import team_roles
from support.api_environment import Clients, finish
from support.api_environment import definition as small

pytestmark = pytest.mark.security

V1 = "/jobs/v1"


@dataclass(frozen=True)
class World:
    """Two types of a team and one of others, each with jobs; the ids of the last job of each."""

    prefix: str
    own: str
    also: str
    foreign: str
    job: dict[str, str]


@pytest.fixture(scope="module")
def world(op: Any) -> World:
    prefix = f"team-{uuid.uuid4().hex[:8]}."
    own, also, foreign = f"{prefix}report", f"{prefix}check", f"other-{uuid.uuid4().hex[:8]}"
    jobs = {}
    for name in (own, also, foreign):
        assert op.post(f"{V1}/job-types", json=small(name)).status_code == 201
    for _ in range(3):
        for name in (own, foreign, also, foreign):
            jobs[name] = op.post(f"{V1}/job-types/{name}/jobs", json={}).json()["id"]
    finish(own, jobs[own], outputs={"wait": 42})
    return World(prefix, own, also, foreign, jobs)


@pytest.fixture(scope="module")
def member(airflow_app: Any, client_of: Clients, world: World) -> Callable[[str], Any]:
    return {kind: team_roles.member(airflow_app, client_of, kind, f"{world.prefix}*") for kind in team_roles.KINDS}.get


def pages(client: Any, path: str, field: str, limit: int) -> list[list[Any]]:
    """Read all pages of a list."""
    found, cursor = [], None
    while True:
        page = client.get(path, params={"limit": limit, **({"cursor": cursor} if cursor else {})}).json()
        found.append(page[field])
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_the_list_of_jobs_has_full_pages_of_the_teams_jobs(member: Callable[[str], Any], world: World) -> None:
    found = pages(member("reads"), f"{V1}/jobs", "jobs", 4)
    assert [len(page) for page in found] == [4, 2]
    jobs = [job for page in found for job in page]
    assert {job["job_type"] for job in jobs} == {world.own, world.also}
    submitted = [(job["submitted_at"], job["id"]) for job in jobs]
    assert submitted == sorted(submitted, reverse=True)


@pytest.mark.parametrize(
    ("query", "count"),
    [("type={own}", 3), ("type={foreign}", 0), ("type=no-such-type", 0), ("state=success", 1), ("submitted_by=op", 6)],
)
def test_filters_apply_to_the_teams_jobs(member: Callable[[str], Any], world: World, query: str, count: int) -> None:
    answer = member("reads").get(f"{V1}/jobs?{query.format(own=world.own, foreign=world.foreign)}")
    assert len(answer.json()["jobs"]) == count


def test_the_list_of_types_has_full_pages_of_the_teams_types(member: Callable[[str], Any], world: World) -> None:
    found = pages(member("reads"), f"{V1}/job-types", "job_types", 1)
    assert [[entry["name"] for entry in page] for page in found] == [[world.also], [world.own]]


def test_rights_are_not_checked_for_each_type_if_a_role_reads_all(
    op: Any, world: World, airflow_app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_arguments: Any) -> None:
        raise AssertionError("the ids of all DAGs are read")

    monkeypatch.setattr(airflow_app.state.auth_manager, "get_authorized_dag_ids", fail)
    for path in ("/jobs", "/job-types", f"/jobs/{world.job[world.own]}"):
        assert op.get(f"{V1}{path}").status_code == 200


# Everything that is asked about one type, with what is forbidden to this role and would change something for others.
BY_NAME = [
    ("GET", "", None),
    ("GET", "/revisions", None),
    ("GET", "/revisions/1", None),
    ("GET", "/diff?from=1", None),
    ("POST", "/jobs", {}),
    ("PUT", "", "document"),
    ("POST", "/pause", None),
    ("POST", "/resume", None),
    ("POST", "/rollback", {"revision": 1}),
    ("DELETE", "", None),
]


@pytest.mark.parametrize(("method", "path", "body"), BY_NAME, ids=str)
@pytest.mark.usefixtures("tables_unchanged")
def test_forbidden_and_missing_types_get_the_same_response(
    member: Callable[[str], Any], world: World, method: str, path: str, body: Any
) -> None:
    answers = []
    for name in (world.foreign, "never-was"):
        document = small(name) if body == "document" else body
        answer = member("defines").request(method, f"{V1}/job-types/{name}{path}", json=document)
        answers.append((answer.status_code, answer.text.replace(name, "NAME")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/jobs/{id}"),
        ("GET", "/jobs/{id}?wait=1"),
        ("GET", "/jobs/{id}/events"),
        ("GET", "/jobs/{id}/log"),
        ("GET", "/jobs/{id}/notices"),
        ("POST", "/jobs/{id}/cancel"),
        ("POST", "/jobs/{id}/retry"),
        ("POST", "/notices/{id}/redeliver"),
    ],
)
@pytest.mark.usefixtures("tables_unchanged")
def test_jobs_of_other_teams_and_missing_jobs_get_the_same_response(
    member: Callable[[str], Any], world: World, method: str, path: str
) -> None:
    answers = []
    for job in (world.job[world.foreign], str(uuid.uuid4())):
        answer = member("defines").request(method, V1 + path.format(id=job))
        answers.append((answer.status_code, answer.text.replace(job, "ID")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404


@pytest.mark.parametrize("dry_run", ["true", "false"])
@pytest.mark.usefixtures("tables_unchanged")
def test_a_team_can_register_only_its_own_names(member: Callable[[str], Any], world: World, dry_run: str) -> None:
    answers = [
        member("defines").post(f"{V1}/job-types?dry_run={dry_run}", json=small(name)).text.replace(name, "NAME")
        for name in (world.foreign, "never-was")
    ]
    assert answers[0] == answers[1]
    assert "may not change the job type 'NAME'" in answers[0]


def test_a_team_defines_its_own_types(member: Callable[[str], Any], world: World) -> None:
    author, name = member("defines"), f"{world.prefix}new"
    assert author.post(f"{V1}/job-types", json=small(world.own)).status_code == 409
    assert author.post(f"{V1}/job-types", json=small(name)).status_code == 201
    assert author.put(f"{V1}/job-types/{name}", json=small(name, description="new")).status_code == 200
    assert author.patch(f"/api/v2/dags/{name}", json={"is_paused": True}).status_code == 200
    assert author.patch(f"/api/v2/dags/{world.foreign}", json={"is_paused": True}).status_code == 403
    assert author.delete(f"{V1}/job-types/{name}").status_code == 204
    assert author.get(f"{V1}/job-types/{name}/revisions").json()["revisions"][0]["change"] == "delete"


@pytest.mark.usefixtures("tables_unchanged")
def test_a_definition_cannot_follow_a_type_that_its_author_may_not_read(
    member: Callable[[str], Any], world: World
) -> None:
    answers = []
    for other in (world.foreign, "never-was"):
        document = small(f"{world.prefix}after", schedule={"after": [world.own, other]})
        for path in (f"{V1}/job-types", f"{V1}/job-types?dry_run=true"):
            answer = member("defines").post(path, json=document)
            answers.append((answer.status_code, answer.json()["errors"][0]["message"].replace(other, "NAME")))
        put = member("defines").put(f"{V1}/job-types/{document['name']}", json=document)
        answers.append((put.status_code, put.json()["errors"][0]["message"].replace(other, "NAME")))
    assert set(answers) == {(422, "no job type 'NAME'; register it first")}


def test_a_team_runs_its_own(member: Callable[[str], Any], world: World) -> None:
    runner, reader = member("runs"), member("reads")
    assert reader.post(f"{V1}/job-types/{world.own}/jobs", json={}).status_code == 403
    job = runner.post(f"{V1}/job-types/{world.own}/jobs", json={}).json()["id"]
    assert reader.post(f"{V1}/jobs/{job}/cancel").status_code == 403
    assert runner.post(f"{V1}/jobs/{job}/cancel").json()["state"] == "cancelled"
    assert runner.post(f"{V1}/jobs/{job}/retry").json()["state"] == "queued"
    assert reader.get(f"{V1}/jobs/{world.job[world.own]}").json()["result"] == 42
    assert runner.post(f"{V1}/job-types/{world.own}/pause").status_code == 403


def test_a_team_cannot_read_the_metrics_of_all(member: Callable[[str], Any], client_of: Clients) -> None:
    assert member("defines").get("/jobs/metrics").status_code == 403
    assert client_of("Viewer").get("/jobs/metrics").status_code == 200


def test_the_tasks_of_others_on_agents_are_anonymous(
    member: Callable[[str], Any], op: Any, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime

    from coinrequest.airflow.celery_pool import Agent, Running
    from coinrequest.airflow.workload import Workload
    from coinrequest.api.routes import agents
    from coinrequest.single_flight import SingleFlight

    now = datetime.now(UTC)
    running = tuple(
        Running(Workload(name, world.job.get(name, "manual"), "wait", None, 1, 1), now)
        for name in (world.own, world.foreign, "hand-written")
    )
    one = Agent("one@host", "host", ("default",), 4, now, 1, running)
    monkeypatch.setattr(agents, "inspection", SingleFlight(lambda: [one], keep=0, name="test"))
    seen = member("reads").get(f"{V1}/agents").json()["agents"][0]["running"]
    assert [(task["job"], task["dag_id"]) for task in seen] == [
        (world.job[world.own], world.own),
        (None, None),
        (None, None),
    ]
    assert op.get(f"{V1}/agents").json()["agents"][0]["running"][2]["dag_id"] == "hand-written"


@pytest.mark.parametrize(
    ("without", "path"),
    [("XComs", "/jobs/{job}"), ("DAG Runs", "/jobs/{job}"), ("Task Logs", "/jobs/{job}/log")],
)
def test_a_role_without_a_part_of_its_dags_sees_no_more_here(
    airflow_app: Any, client_of: Clients, world: World, without: str, path: str
) -> None:
    role = f"partly {uuid.uuid4().hex}"
    some = [part for part in team_roles.permissions("reads", world.own) if part["resource"]["name"] != without]
    team_roles.make_role(client_of("Admin"), role, some)
    client = client_of(None)
    client.headers["Authorization"] = f"Bearer {team_roles.token_of_new_user(airflow_app.state.auth_manager, role)}"
    assert client.get(f"{V1}/job-types/{world.own}").status_code == 200
    assert client.get(V1 + path.format(job=world.job[world.own])).status_code in (403, 404)
    listed = client.get(f"{V1}/jobs").json()["jobs"]
    assert bool(listed) == (without != "DAG Runs")


def test_airflows_own_resource_names_for_one_dag_are_accepted(
    airflow_app: Any, client_of: Clients, world: World
) -> None:
    """`DAG:name` and `DAG Run:name` as Airflow writes them itself, with nothing about runs of all DAGs."""
    role = f"one {uuid.uuid4().hex}"
    wanted = [
        ("can_read", f"DAG:{world.own}"),
        ("can_edit", f"DAG:{world.own}"),
        ("can_read", f"DAG Run:{world.own}"),
        ("can_create", f"DAG Run:{world.own}"),
        ("can_read", "XComs"),
    ]
    team_roles.make_role(
        client_of("Admin"), role, [{"action": {"name": act}, "resource": {"name": what}} for act, what in wanted]
    )
    client = client_of(None)
    client.headers["Authorization"] = f"Bearer {team_roles.token_of_new_user(airflow_app.state.auth_manager, role)}"
    job = client.post(f"{V1}/job-types/{world.own}/jobs", json={})
    assert job.status_code == 202, job.text
    assert client.get(f"{V1}/jobs/{job.json()['id']}").status_code == 200
    assert client.post(f"{V1}/job-types/{world.also}/jobs", json={}).status_code == 403
    assert {entry["job_type"] for entry in client.get(f"{V1}/jobs").json()["jobs"]} == {world.own}
    runs = f"/api/v2/dags/{{}}/dagRuns/{job.json()['id']}"
    assert client.get(runs.format(world.own)).status_code == 200
    assert client.get(runs.format(world.also)).status_code == 403


@pytest.mark.parametrize("name", ["DAG:no slash/", "DAG:a*b", "DAG:**", "Dag:team", "DAG: x"])
def test_only_names_of_dags_are_made_for_a_role(client_of: Clients, name: str) -> None:
    answer = client_of("Admin").post(
        "/auth/fab/v1/roles",
        json={"name": uuid.uuid4().hex, "actions": [{"action": {"name": "can_read"}, "resource": {"name": name}}]},
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("role", ["Viewer", "User", "Op"])
def test_nobody_but_an_administrator_makes_a_role(client_of: Clients, role: str) -> None:
    answer = client_of(role).post("/auth/fab/v1/roles", json={"name": "mine", "actions": []})
    assert answer.status_code == 403


# Flask's own, at the start of its extensions.
@pytest.mark.filterwarnings("ignore")
def test_the_command_line_makes_such_a_role(client_of: Clients) -> None:
    from argparse import Namespace

    from airflow.providers.fab.auth_manager.cli_commands import role_command

    role, dags = uuid.uuid4().hex, f"DAG:{uuid.uuid4().hex[:8]}.*"
    role_command.roles_create(Namespace(subcommand="create", role=[role], verbose=True))
    added = {"role": [role], "resource": [dags], "action": ["can_read"]}
    role_command.roles_add_perms(Namespace(subcommand="add-perms", verbose=True, **added))
    found = client_of("Admin").get(f"/auth/fab/v1/roles/{role}").json()["actions"]
    assert {"action": {"name": "can_read"}, "resource": {"name": dags}} in found
