"""Connections are looked up without a failure of one hiding the others."""

from types import SimpleNamespace
from typing import Any

import pytest

from coinrequest.airflow import known_connections
from coinrequest.airflow.known_connections import Known


class _Encrypted:
    """A connection whose password was encrypted with another key."""

    conn_type = "http"

    @property
    def password(self) -> str:
        raise ValueError("cannot decrypt")


class _Backend:
    def get_connection(self, conn_id: str) -> Any:
        return _Encrypted() if conn_id == "locked" else SimpleNamespace(conn_type="smtp", password="x")


def test_a_password_that_cannot_be_read_hides_no_other_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow.configuration.ensure_secrets_loaded", lambda: [_Backend()])
    assert known_connections.find(["locked", "mail"], 5) == {"mail": Known("smtp", True)}
