"""Roles that see some job types only, made as docs/how-to/roles.md says, over FAB's REST service."""

import json
import re
import uuid
from collections.abc import Sequence
from typing import Any

from coinrequest.stack.layout import project_root
from support.api_environment import Clients

_PATTERN = "DAG:team-a.*"
# The blocks of docs/how-to/roles.md, each with what the next kind of role has besides.
KINDS = ("reads", "runs", "defines")


def permissions(kind: str, dags: str) -> list[dict[str, Any]]:
    """Return the permissions of a role of a kind, for `dags`: the name of a DAG, or the beginning of names and `*`."""
    text = (project_root() / "docs" / "how-to" / "roles.md").read_text()
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    assert len(blocks) == len(KINDS)
    chosen = [blocks[0]["actions"], *blocks[1:]][: KINDS.index(kind) + 1]
    every = [permission for block in chosen for permission in block]
    found: list[dict[str, Any]] = json.loads(json.dumps(every).replace(_PATTERN, f"DAG:{dags}"))
    return found


def make_role(admin: Any, role: str, actions: Sequence[dict[str, Any]]) -> None:
    """Make a role over FAB's REST service."""
    answer = admin.post("/auth/fab/v1/roles", json={"name": role, "actions": list(actions)})
    assert answer.status_code == 200, answer.text


def token_of_new_user(auth_manager: Any, role: str) -> str:
    """Create a user who has the role alone; return a token."""
    from airflow.providers.fab.auth_manager.models import User
    from airflow.providers.fab.www.security_appless import ApplessAirflowSecurityManager
    from airflow.utils.session import create_session
    from sqlalchemy import select

    name = f"member-{uuid.uuid4().hex[:8]}"
    with create_session() as session:
        security = ApplessAirflowSecurityManager(session=session)
        security.add_user(
            username=name,
            first_name="Team",
            last_name="Member",
            email=f"{name}@example.org",
            role=security.find_role(role),
            hashed_password="not a password",
        )
    with create_session() as session:
        return str(auth_manager.generate_jwt(session.scalars(select(User).where(User.username == name)).one()))


def member(app: Any, client_of: Clients, kind: str, *dags: str) -> Any:
    """Return the client of a new user, whose role is new too."""
    role = f"{kind} {uuid.uuid4().hex}"
    make_role(client_of("Admin"), role, [permission for each in dags for permission in permissions(kind, each)])
    client = client_of(None)
    client.headers["Authorization"] = f"Bearer {token_of_new_user(app.state.auth_manager, role)}"
    return client
