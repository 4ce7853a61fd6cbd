"""The DAG that removes old jobs."""

from typing import Any

import pytest

from coinrequest.stack.layout import project_root
from coinrequest.worker import retention

DAGS = project_root() / "dags"


@pytest.fixture
def dag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=DAGS / "coinrequest_maintenance.py", bundle_path=DAGS)
    assert bag.import_errors == {}
    return bag.dags["coinrequest_maintenance"]


def test_it_runs_once_a_day_and_one_run_at_a_time(dag: Any) -> None:
    from airflow.sdk.definitions.timetables.trigger import CronTriggerTimetable

    assert isinstance(dag.timetable, CronTriggerTimetable)
    minute, hour, *days = dag.schedule.split()
    assert (minute.isdigit(), hour.isdigit(), days) == (True, True, ["*", "*", "*"])
    assert (dag.max_active_runs, dag.catchup) == (1, False)


def test_its_documentation_says_that_it_is_not_a_job_type(dag: Any) -> None:
    assert "not a job type" in dag.doc_md
    assert "job-type" not in dag.tags


def test_its_task_returns_how_many_jobs_were_removed(dag: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "clean", lambda: 42)
    (task,) = dag.tasks
    assert task.python_callable() == 42
