"""Many DAGs from one file: the loop over a list of definitions that most projects begin with."""

import json
from datetime import UTC, datetime
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

for definition in json.loads(Path(__file__).with_name("definitions.json").read_text()):
    with DAG(
        dag_id=definition["name"],
        description=definition["description"],
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        tags=definition["tags"],
        default_args={"owner": definition["owner"]},
    ) as dag:
        BashOperator(task_id="wait", bash_command="true")
    globals()[definition["name"]] = dag
