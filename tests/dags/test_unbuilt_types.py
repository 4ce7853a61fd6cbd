"""A task whose process cannot build its job type says why: Airflow ends the process, and tells its log alone."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

Reason = Callable[[Path], str]


@pytest.fixture
def reason_of(monkeypatch: pytest.MonkeyPatch) -> Reason:
    """Parse a file as the process of a task does that finds no DAG in it; return the reason that it stores."""
    from airflow.dag_processing.dagbag import BundleDagBag
    from airflow.sdk.execution_time import task_runner

    sent: list[Any] = []
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", SimpleNamespace(send=sent.append), raising=False)
    monkeypatch.setattr("socket.gethostname", lambda: "host-a")

    def parse(what: Any, _log: Any) -> None:
        bag = BundleDagBag(str(what.file), bundle_path=what.file.parent, bundle_name="job_types", safe_mode=False)
        if what.ti.dag_id not in bag.dags:
            sys.exit(1)

    def reason(file: Path) -> str:
        from coinrequest.worker import task_log

        task = SimpleNamespace(dag_id="a-type", run_id="run", task_id="wait", map_index=-1, try_number=1)
        with pytest.raises(SystemExit):
            task_log.record_parse_failure(parse)(SimpleNamespace(ti=task, file=file), None)
        (message,) = sent
        return str(message.value["text"])

    return reason


def stub(folder: Path, data: str) -> Path:
    from coinrequest.generator.shards import STUB

    (folder / "00.py").write_text(STUB)
    (folder / "00.json").write_text(data)
    return folder / "00.py"


def test_a_definition_that_cannot_be_built_is_explained(tmp_path: Path, reason_of: Reason) -> None:
    entry = {"number": 7, "document": '{"name": "a-type"}', "announces": False, "created_at": "2026-03-01T12:00:00Z"}
    text = reason_of(stub(tmp_path, json.dumps({"a-type": entry})))
    assert text.startswith("the agent on 'host-a' cannot build the job type: revision 7: ")
    assert "tasks" in text


def test_definitions_that_cannot_be_read_are_explained(tmp_path: Path, reason_of: Reason) -> None:
    text = reason_of(stub(tmp_path, "{"))
    assert text.startswith("the agent on 'host-a' cannot build the job type: JSONDecodeError: ")


def test_a_task_that_is_not_there_is_named(tmp_path: Path, reason_of: Reason) -> None:
    assert reason_of(stub(tmp_path, "{}")) == "the agent on 'host-a' finds no task 'wait' in its version of 'a-type'"
