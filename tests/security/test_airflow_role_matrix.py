"""Every role at every route of Airflow: for job types, Airflow's routes grant no more than ours (Airflow 3.3.2)."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from support import team_roles
from support.airflow_routes import ROUTES
from support.api_environment import Clients
from support.api_environment import definition as small

pytestmark = pytest.mark.security

EVERYBODY = {"nobody", "Viewer", "User", "Op", "Admin", "reads", "runs", "reads another", "runs another"}
READERS = {"Viewer", "User", "Op", "Admin", "reads", "runs"}
ALLOWED = {
    "public": EVERYBODY,
    "signed in": EVERYBODY - {"nobody"},
    "nobody": set[str](),
    "list": EVERYBODY - {"nobody"},
    "read": READERS,
    "view": {"Viewer", "User", "Op", "Admin"},
    "run": {"User", "Op", "Admin", "runs"},
    "define": {"Op", "Admin"},
    "op": {"Op", "Admin"},
    "installation": {"Op", "Admin"},
    "audit": {"Admin"},
    "admin": {"Admin"},
}
# Each request names one type, and runs, tasks and other objects that do not exist: a role with the right gets an error
# about them, and nothing is changed.
_NONE = "no-such-thing"
_UPDATE = [{"action": "update", "entities": [{"dag_run_id": _NONE, "state": "failed"}]}]
_DELETE = {"actions": [{"action": "delete", "entities": [_NONE]}]}
BODIES: dict[str, Any] = {
    "PATCH /api/v2/dags": {"is_paused": False},
    "PATCH /api/v2/dags/{dag_id}/dagRuns": {"actions": _UPDATE},
    "POST /api/v2/dags/{dag_id}/clearDagRuns": {"dag_runs": [{"dag_run_id": _NONE}]},
    "PATCH /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances": {"actions": []},
    "PATCH /api/v2/connections": _DELETE,
    "PATCH /api/v2/variables": _DELETE,
    "PATCH /api/v2/pools": _DELETE,
    "POST /api/v2/connections/test": {"connection_id": _NONE, "conn_type": "http"},
    "POST /api/v2/connections/enqueue-test": {"connection_id": _NONE, "conn_type": "http"},
    "POST /api/v2/backfills": {"dag_id": "{dag_id}"},
    "POST /api/v2/backfills/dry_run": {"dag_id": "{dag_id}"},
}
NAMED_IN_QUERY = {"/ui/structure/structure_data", "/ui/backfills", "/api/v2/backfills"}


def routes_of(app: Any) -> Iterator[tuple[str, str]]:
    from fastapi.routing import APIRoute
    from starlette.routing import Mount

    def walk(routes: Any, prefix: str) -> Iterator[tuple[str, str]]:
        for route in routes:
            if isinstance(route, Mount):
                yield from walk(getattr(route.app, "routes", ()), prefix + route.path)
            elif isinstance(route, APIRoute):
                for method in route.methods:
                    yield method, prefix + route.path

    return walk(app.routes, "")


def test_every_route_of_airflow_has_a_level(airflow_app: Any) -> None:
    found = set(routes_of(airflow_app))
    assert found - set(ROUTES) == set(), "new in Airflow: say in support/airflow_routes.py who may call it"
    assert set(ROUTES) - found == set()


def test_every_mounted_application_is_known(airflow_app: Any) -> None:
    """They serve the API for tasks, our service, FAB's pages, and files."""
    from starlette.routing import Mount

    assert {route.path for route in airflow_app.routes if isinstance(route, Mount)} == {
        "/execution",
        "/jobs",
        "/auth",
        "/static",
    }


@pytest.fixture(scope="module")
def made(airflow_app: Any, op: Any) -> dict[str, str]:
    """A job type with a backfill, and the token of its file."""
    from airflow.models.backfill import Backfill, ReprocessBehavior
    from airflow.utils.session import create_session
    from itsdangerous import URLSafeSerializer

    from coinrequest.airflow.dag_tables import BUNDLE_NAME
    from coinrequest.generator.shards import shard_path

    daily = {"schedule": {"cron": "0 0 1 1 *"}}
    assert op.post("/jobs/v1/job-types", json=small("matrix.a", **daily)).status_code == 201
    times = {"from_date": datetime(2020, 1, 1, tzinfo=UTC), "to_date": datetime(2020, 1, 2, tzinfo=UTC)}
    with create_session(scoped=False) as session:
        backfill = Backfill(
            dag_id="matrix.a",
            dag_run_conf={},
            is_paused=True,
            reprocess_behavior=ReprocessBehavior.NONE,
            max_active_runs=1,
            completed_at=datetime.now(UTC),
            **times,
        )
        session.add(backfill)
        session.flush()
        backfill_id = str(backfill.id)
    file = {"bundle_name": BUNDLE_NAME, "relative_fileloc": shard_path("matrix.a")}
    token = URLSafeSerializer(airflow_app.state.secret_key).dumps(file)
    return {"dag_id": "matrix.a", "backfill_id": backfill_id, "file_token": str(token)}


@pytest.fixture(scope="module")
def caller(airflow_app: Any, client_of: Clients) -> Callable[[str], Any]:
    members: dict[str, Any] = {"nobody": client_of(None)}

    def find(name: str) -> Any:
        if name not in members:
            kind, _, another = name.partition(" ")
            dags = "elsewhere.*" if another else "matrix.*"
            is_team = kind in team_roles.KINDS
            members[name] = team_roles.member(airflow_app, client_of, kind, dags) if is_team else client_of(name)
        return members[name]

    return find


def ask(client: Any, method: str, route: str, made: dict[str, str]) -> int:
    path = re.sub(r"\{(\w+)(:path)?\}", lambda found: made.get(found[1], "1" if "id" in found[1] else "0"), route)
    path = path.replace("/dagRuns/1", f"/dagRuns/{_NONE}")
    query = {"dag_id": made["dag_id"]} if route in NAMED_IN_QUERY else {}
    body = BODIES.get(f"{method} {route}", {})
    if body == {"dag_id": "{dag_id}"}:
        body = {"dag_id": made["dag_id"]}
    answer = client.request(
        method, path, params=query, json=None if method in ("GET", "DELETE") else body, follow_redirects=False
    )
    return int(answer.status_code)


@pytest.mark.parametrize("name", sorted(EVERYBODY))
def test_airflows_routes_require_the_same_roles(caller: Callable[[str], Any], made: dict[str, str], name: str) -> None:
    client = caller(name)
    refusals = {401} if name == "nobody" else {403}
    wrong = []
    for (method, route), level in ROUTES.items():
        if level == "session":
            continue
        status = ask(client, method, route, made)
        allowed = name in ALLOWED[level]
        # A backfill's id says nothing to those who may not read its DAG.
        refused = status in refusals or ("{backfill_id}" in route and status == 404)
        if refused == allowed:
            wrong.append(f"{method} {route} ({level}): {status}")
    assert not wrong, "\n".join(wrong)
