"""What a task process loads: every tenth of a second here is paid by every task, or by every agent's start."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from coinrequest.stack.layout import project_root

# Each costs a task process 30 ms to 600 ms, and none is needed to build a DAG and to run an action of another kind.
BANNED = (
    "airflow.api_fastapi",
    "celery",
    "croniter",
    "email",
    "fastapi",
    "jsonschema",
    "pycurl",
    "redis",
    "requests",
    "smtplib",
    "starlette",
    "uvicorn",
)
# What Airflow's task process has loaded by itself before our first module.
# The first DAG makes Airflow load its own timetables, and with them croniter and a part of airflow.api_fastapi.
_AIRFLOW = """
import airflow.sdk, airflow.sdk.execution_time.task_runner, airflow.plugins_manager, pydantic, sqlalchemy
airflow.sdk.DAG("a", schedule=None)
"""

PROGRAM = """
import json, sys, time
exec({before!r})
known = set(sys.modules)
started = time.process_time()
exec({tried!r})
took = time.process_time() - started
print(json.dumps([sorted(set(sys.modules) - known), took]))
"""

# Reading entry points loads the standard library's `email`; every Python program with plugins pays for that.
_ENTRY_POINTS = "import pydantic; from importlib.metadata import entry_points; entry_points(group='nothing')"

_PLUGIN = f"import runpy; runpy.run_path({str(project_root() / 'plugins' / 'coinrequest_plugin.py')!r})"
_TASK = """
import coinrequest
from coinrequest.actions.catalogue import action_names, find_action
from coinrequest.generator import bundle, dag, loader
from coinrequest.worker import operator
from coinrequest.jobtypes.definition import load_definition
action_names()
definition = load_definition({"name": "a", "params": {"type": "object"}, "tasks": [
    {"id": "wait", "action": "integer.wait", "inputs": {"value": "{{ params.value }}"}}]})
dag.build_dag(definition, number=1)
find_action("integer.wait")().run(find_action("integer.wait").Inputs(value=0))
"""


def _loaded(tried: str, tmp_path: Path, before: str = _AIRFLOW) -> tuple[list[str], float]:
    variables = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before, tried=tried)],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    modules, took = json.loads(done.stdout.splitlines()[-1])
    return modules, took


def _banned(modules: list[str]) -> list[str]:
    return [name for name in modules if any(name == banned or name.startswith(f"{banned}.") for banned in BANNED)]


def test_the_package_itself_loads_nothing(tmp_path: Path) -> None:
    modules, _took = _loaded("import coinrequest", tmp_path, before="import contextlib, typing, warnings")
    assert [name for name in modules if not name.startswith("coinrequest")] == []


def test_the_catalogue_lists_names_without_loading_actions(tmp_path: Path) -> None:
    tried = "from coinrequest.actions.catalogue import action_names; assert action_names()"
    modules, _took = _loaded(tried, tmp_path, before=_ENTRY_POINTS)
    own = [name for name in modules if name.startswith("coinrequest")]
    actions = (f"coinrequest.actions.{name}" for name in ("base", "catalogue", "context"))
    assert own == ["coinrequest", "coinrequest.actions", *actions, "coinrequest.errors", "coinrequest.whole_numbers"]
    assert _banned(modules) == []


def test_the_plugin_which_every_process_imports_loads_next_to_nothing(tmp_path: Path) -> None:
    modules, took = _loaded(_PLUGIN, tmp_path)
    assert _banned(modules) == []
    assert len(modules) <= 15, modules
    assert took < 0.1


def test_a_task_loads_only_what_it_needs(tmp_path: Path) -> None:
    modules, took = _loaded(_TASK, tmp_path)
    assert _banned(modules) == []
    own = [name for name in modules if name.startswith("coinrequest")]
    assert not [name for name in own if name.split(".")[1:2] in (["api"], ["stack"], ["jobs"], ["prices"], ["urltest"])]
    assert len(modules) <= 60, f"{len(modules)} modules: {modules}"
    # Processor time, generous for a busy machine: measured 0.1 s.
    assert took < 1


@pytest.mark.parametrize("action", ["coin.report", "integer.wait"])
def test_an_action_that_needs_no_network_loads_none_of_it(tmp_path: Path, action: str) -> None:
    tried = f"from coinrequest.actions.catalogue import find_action; find_action({action!r})"
    modules, _took = _loaded(tried, tmp_path, before=_ENTRY_POINTS)
    assert _banned(modules) == []
