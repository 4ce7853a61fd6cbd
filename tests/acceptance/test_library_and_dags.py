"""The library is importable in every task, and Airflow shows the DAGs without import errors."""

import json
import re
import sys
from pathlib import Path

from support.platform import Platform

from coinrequest.stack.layout import project_root

_BUILT_IN = {"btc_price_operator", "coin-prices", "integer", "url-test"}
_VERSION_IN_PATH = re.compile(r"python3?\.\d+/|site-packages")


def test_a_task_imports_the_library_without_a_python_version_in_any_path(platform: Platform) -> None:
    assert platform.run("integer", {"value": 0})["result"]["message"] == "job complete"
    for process in ("agent-1", "dag-processor", "scheduler", "api-server"):
        variables = platform.stack.environment(process)
        assert "PYTHONPATH" not in variables
        assert not [name for name, value in variables.items() if name != "PATH" and _VERSION_IN_PATH.search(value)]
    for folder in ("config", "dags", "plugins"):
        for path in (project_root() / folder).rglob("*"):
            if path.is_file() and path.suffix in (".py", ".cfg", ".yaml"):
                assert not _VERSION_IN_PATH.search(path.read_text()), path


def test_airflow_lists_the_dags_and_no_import_errors(platform: Platform) -> None:
    output = platform.command([_airflow(), "dags", "list", "--output", "json"])
    listed = json.loads(output[output.index("[{") :])
    assert {dag["dag_id"] for dag in listed} >= _BUILT_IN
    shown = {dag["dag_id"] for dag in platform.airflow("/dags?limit=1000")["dags"]}
    assert shown >= _BUILT_IN
    assert [error for error in platform.import_errors() if not error["filename"].startswith("broken/")] == []


def _airflow() -> str:
    return str(Path(sys.executable).parent / "airflow")
