"""Airflow's SimpleAuthManager in place of FAB, for a while and in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch


@contextmanager
def simple_auth(app: Any, manager_class: type[Any]) -> Iterator[Any]:
    """Let the API server ask a manager of this class; yield it."""
    from airflow.api_fastapi.app import _AuthManagerState

    manager = manager_class()
    with patch.object(_AuthManagerState, "instance", manager), patch.object(app.state, "auth_manager", manager):
        yield manager


def token_of(manager: Any, role: str) -> str:
    """Return a token of a user of this role: VIEWER, USER, OP or ADMIN."""
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return str(manager.generate_jwt(SimpleAuthManagerUser(username=f"simple-{role.lower()}", role=role)))
