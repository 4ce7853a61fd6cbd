"""Checks of all DAGs, hand-written or built in; a failure names the DAG."""

import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from coinrequest.stack.layout import project_root

DAGS = project_root() / "dags"
BUILT_IN = sorted((project_root() / "coinrequest" / "install" / "job_types").glob("*.yaml"))
# Actions that use a service which may be down for a moment, so that their tasks need retries. A URL test retries by
# itself, and its failure is a result.
NEEDS_RETRIES = {"coin.prices", "http.request", "email.send"}


def _hand_written() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=DAGS, bundle_path=DAGS, bundle_name="dags")


def _built_in(path: Path) -> Any:
    from coinrequest.generator.dag import build_dag
    from coinrequest.jobtypes.definition import parse_definition
    from coinrequest.jobtypes.document import load_document

    definition = parse_definition(load_document(path.read_bytes(), "application/yaml"))
    return build_dag(definition, number=1, created_at=datetime(2026, 1, 1, tzinfo=UTC))


def _report(problems: list[str]) -> None:
    """Fail with one line for each fault, which begins with the name of its DAG."""
    if problems:
        pytest.fail(f"{len(problems)} faults of DAGs:\n" + "\n".join(f"  {one}" for one in problems), pytrace=False)


def _all() -> list[Any]:
    return [*_hand_written().dags.values(), *map(_built_in, BUILT_IN)]


def test_the_dags_folder_has_dags_and_no_import_errors() -> None:
    bag = _hand_written()
    _report([f"{Path(file).name}: cannot be imported: {error}" for file, error in bag.import_errors.items()])
    assert "btc_price_operator" in bag.dags
    assert BUILT_IN


def test_every_file_of_the_dags_folder_makes_a_dag() -> None:
    with_dags = {Path(dag.fileloc).name for dag in _hand_written().dags.values()}
    files = sorted(path.name for path in DAGS.rglob("*.py"))
    _report([f"{file}: makes no DAG" for file in files if file not in with_dags])


def test_no_id_is_used_twice() -> None:
    from airflow.dag_processing.dagbag import DagBag

    # One bag for each file: a bag of the whole folder keeps only one of two DAGs with the same id.
    ids = [dag_id for path in DAGS.rglob("*.py") for dag_id in DagBag(dag_folder=path, bundle_path=DAGS).dags]
    counts = Counter([*ids, *(path.stem for path in BUILT_IN)])
    _report([f"{dag_id}: is the id of {count} DAGs" for dag_id, count in counts.items() if count > 1])


def test_every_dag_has_an_owner_tags_and_a_description() -> None:
    problems = []
    for dag in _all():
        owners = {task.owner for task in dag.tasks}
        if not owners or owners & {"", "airflow"}:
            problems.append(f"{dag.dag_id}: a task has no owner of its own")
        if not set(dag.tags) - {"job-type"}:
            problems.append(f"{dag.dag_id}: has no tags")
        if not (dag.description or "").strip():
            problems.append(f"{dag.dag_id}: has no description")
        if dag.catchup:
            problems.append(f"{dag.dag_id}: catches up")
    _report(problems)


def test_every_dag_limits_its_retries_and_its_time() -> None:
    problems = []
    for dag in _all():
        for task in dag.tasks:
            action = getattr(task, "action", None)
            if (action is None or action in NEEDS_RETRIES) and not 1 <= task.retries <= 10:
                problems.append(f"{dag.dag_id}: task {task.task_id} has {task.retries} retries; 1 to 10 are needed")
            if task.retries and not timedelta(seconds=1) <= task.retry_delay <= timedelta(hours=1):
                problems.append(f"{dag.dag_id}: task {task.task_id} waits {task.retry_delay} before a retry")
            if task.execution_timeout is None and dag.dagrun_timeout is None:
                problems.append(f"{dag.dag_id}: task {task.task_id} has no time limit")
    _report(problems)


def test_every_dag_serialises_the_same_each_time() -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    first, second = ({dag.dag_id: DagSerialization.to_dict(dag) for dag in _all()} for _ in range(2))
    _report([f"{dag_id}: is another DAG at the next parse" for dag_id in first if first[dag_id] != second[dag_id]])


@pytest.mark.parametrize("path", sorted(DAGS.rglob("*.py")), ids=lambda path: path.stem)
def test_a_parse_needs_no_network(path: Path, tmp_path: Path) -> None:
    """Files are parsed again and again, so a parse must not use the network or import what only tasks need."""
    program = (
        "import socket, runpy, sys\n"
        "import airflow.sdk\n"
        "def refuse(*_, **__): raise RuntimeError('a parse opened a connection')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        f"runpy.run_path({str(path)!r})\n"
        "heavy = {'requests', 'pycurl', 'fastapi', 'smtplib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    variables = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_failure_has_one_line_for_each_fault_and_names_the_dag() -> None:
    with pytest.raises(pytest.fail.Exception) as caught:
        _report(["one: has no tags", "two: catches up"])
    assert str(caught.value) == "2 faults of DAGs:\n  one: has no tags\n  two: catches up"
