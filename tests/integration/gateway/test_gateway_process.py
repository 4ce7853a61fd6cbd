"""The gateway as a process: from a message to its result, its heartbeat, its start and its stop."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from support import api_environment as environment
from support.brokers import Broker, empty, publish, shared_broker, take_all
from support.waiting import eventually

pytestmark = pytest.mark.usefixtures("airflow_app")


@pytest.fixture
def broker() -> Broker:
    found = shared_broker("redis")
    empty(found)
    return found


class Process:
    """A gateway process and its log."""

    def __init__(self, log: Path, **variables: str | None) -> None:
        self._log = log
        values = {**os.environ, **variables}
        with log.open("w") as output:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "coinrequest.cli", "gateway"],
                env={name: value for name, value in values.items() if value is not None},
                stdout=output,
                stderr=output,
            )

    def logged(self) -> str:
        return self._log.read_text()

    def await_logged(self, said: str) -> None:
        def seen() -> bool:
            assert self.child.poll() is None, f"the gateway ended:\n{self.logged()}"
            return said in self.logged()

        eventually(seen, timeout=90, what=said)

    def stop(self) -> tuple[int, float]:
        """Stop it with SIGTERM; return its exit code and how many seconds it took."""
        began = time.monotonic()
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(30), time.monotonic() - began


@contextmanager
def gateway(folder: Path, **variables: str | None) -> Iterator[Process]:
    process = Process(folder / "gateway.log", **variables)
    try:
        yield process
    finally:
        process.child.kill()
        process.child.wait()


def _rows(statement: str, **values: Any) -> list[Any]:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        found = session.execute(text(statement), values)
        return list(found.all()) if found.returns_rows else []


def test_from_a_message_to_its_result(op: Any, name: str, broker: Broker, tmp_path: Path) -> None:
    # Completions and notices of other tests would disturb this one.
    for table in ("coinrequest_completion", "coinrequest_notice", "coinrequest_gateway"):
        _rows(f"DELETE FROM {table}")  # noqa: S608 - names of tables
    assert op.post("/jobs/v1/job-types", json=environment.definition(name)).status_code == 201
    job_id = str(uuid.uuid4())
    with gateway(tmp_path, COINREQUEST_CHANNEL_URL=broker.url) as process:
        process.await_logged("Gateway is ready")
        publish(broker, json.dumps({"job_id": job_id, "job_payload": {"type": name}}))
        process.await_logged(f"Job {job_id}: stored")
        assert op.get(f"/jobs/v1/jobs/{job_id}").json()["origin"] == "channel"
        eventually(lambda: [row.channel for row in _rows("SELECT channel FROM coinrequest_gateway")] == ["connected"])

        environment.finish(name, job_id, outputs={"wait": '{"value": 0, "message": "job complete"}'})
        (message,) = take_all(broker, "result", 1)
        result = json.loads(message.body)
        assert (result["job_id"], result["job_type"], result["state"]) == (job_id, name, "success")
        assert result["result"] == {"value": 0, "message": "job complete"}
        assert message.properties["correlation_id"] == job_id
        process.await_logged(f"Job {job_id}: result published")

        code, seconds = process.stop()
        assert (code, seconds < 8) == (0, True), process.logged()
    assert _rows("SELECT * FROM coinrequest_gateway") == []
    assert "ERROR" not in process.logged()


def test_cloudwatch_metrics_are_on_a_line_of_their_own(tmp_path: Path) -> None:
    variables = {"COINREQUEST_CLOUDWATCH_NAMESPACE": "coinrequest/test", "AIRFLOW__LOGGING__JSON_LOGS": "True"}
    with gateway(tmp_path, **variables) as process:
        process.await_logged("CompletionsWaiting")
        assert process.stop()[0] == 0
    (line,) = [line for line in process.logged().splitlines() if "CompletionsWaiting" in line]
    assert json.loads(line)["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "coinrequest/test"


def test_a_gateway_starts_without_its_broker(tmp_path: Path) -> None:
    with gateway(tmp_path, COINREQUEST_CHANNEL_URL="redis://:secret@127.0.0.1:9/0") as process:
        process.await_logged("Gateway is ready")
        process.await_logged("The channel is disconnected")
        eventually(lambda: "disconnected" in [row.channel for row in _rows("SELECT channel FROM coinrequest_gateway")])
        assert process.stop()[0] == 0
    assert "secret" not in process.logged()


def test_a_gateway_waits_for_the_database(tmp_path: Path) -> None:
    nowhere = "postgresql://airflow:secret@127.0.0.1:9/airflow"
    with gateway(tmp_path, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=nowhere) as process:
        process.await_logged("Waiting for the database")
        assert process.stop()[0] == 0
    assert "secret" not in process.logged()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", None), ("COINREQUEST_CHANNEL_URL", "kafka://127.0.0.1")],
)
def test_missing_and_invalid_settings_are_named(variable: str, value: str | None, tmp_path: Path) -> None:
    with gateway(tmp_path, **{variable: value}) as process:
        assert process.child.wait(90) == 2
    assert variable in process.logged()
