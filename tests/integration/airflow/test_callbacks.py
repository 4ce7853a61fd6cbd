"""`coinrequest.airflow.callbacks` against Airflow's own dag-processor: fails when Airflow changes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from coinrequest.airflow.dag_tables import BUNDLE_NAME

pytestmark = pytest.mark.usefixtures("airflow_app")


@pytest.fixture
def processor() -> Any:
    """A dag-processor that reads the job types."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.manager import DagFileProcessorManager

    bundle = DagBundlesManager().get_bundle(BUNDLE_NAME)
    bundle.initialize()
    return DagFileProcessorManager(max_runs=-1)


def requested(bundle_name: str, version: str | None) -> Any:
    """What the scheduler asks for when a run has failed."""
    from airflow.callbacks.callback_requests import DagCallbackRequest

    return DagCallbackRequest(
        filepath="shards/00.py",
        bundle_name=bundle_name,
        bundle_version=version,
        dag_id="integer",
        run_id="a-run",
        is_failure_callback=True,
        msg="failed",
    )


def test_a_callback_of_a_job_type_is_not_looked_for(processor: Any) -> None:
    processor._add_callback_to_queue(requested(BUNDLE_NAME, "1"))
    assert not processor._file_queue
    assert not processor._callback_to_execute


def test_a_callback_of_another_bundle_is(processor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    asked = []

    def look(_self: Any, name: str, version: str | None) -> Any:
        asked.append((name, version))
        raise ValueError

    monkeypatch.setattr(DagBundlesManager, "get_bundle", look)
    processor._add_callback_to_queue(requested("dags", None))
    assert asked == [("dags", None)]


def test_airflow_still_parses_a_file_again_and_again_after_a_callback_of_a_version(
    processor: Any, tmp_path: Path
) -> None:
    """When this fails, Airflow has mended it, and the module may go."""
    from airflow.dag_processing.manager import DagFileInfo, DagFileStat

    (tmp_path / "a.py").touch()
    file = DagFileInfo(rel_path=Path("a.py"), bundle_name=BUNDLE_NAME, bundle_path=tmp_path)
    of_a_version = DagFileInfo(rel_path=Path("a.py"), bundle_name=BUNDLE_NAME, bundle_path=tmp_path, bundle_version="1")
    processor._file_stats[file] = DagFileStat(last_finish_time=datetime.now(UTC))
    processor.prepare_file_queue({BUNDLE_NAME: {file}})
    assert not processor._file_queue
    processor._file_stats[of_a_version] = DagFileStat()
    processor.prepare_file_queue({BUNDLE_NAME: {file}})
    assert list(processor._file_queue) == [file]
