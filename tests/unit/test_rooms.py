"""An upgrade of Airflow is a walk through a few rooms: no other writes SQL on Airflow's tables.

`make check` looks at what the rooms import (`[tool.importlinter]` in pyproject.toml).
"""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "coinrequest"
# `database/` has the triggers on Airflow's table of runs, in its migrations.
ROOMS = ("airflow", "database")
TABLES = "dag|dag_run|dag_version|dag_bundle|serialized_dag|task_instance|xcom|backfill|import_error|slot_pool|ab_user"
SQL = re.compile(rf"\b(?:FROM|JOIN|UPDATE|INTO|TABLE|ON)\s+(?:public\.)?(?:{TABLES})\b")
MODELS = {"DagModel", "DagRun", "TaskInstance", "XComModel", "DagVersion", "SerializedDagModel", "Log", "Pool"}


PATHS = [path for path in sorted(PACKAGE.rglob("*.py")) if path.relative_to(PACKAGE).parts[0] not in ROOMS]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_airflows_tables_are_the_business_of_airflows_room(path: Path) -> None:
    tree = ast.parse(path.read_text())
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert [text for text in texts if SQL.search(text)] == []
    # Publishing hands a whole DAG over to Airflow's own functions.
    if path.relative_to(PACKAGE).parts[0] != "generator":
        assert {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & MODELS == set()
