"""The same trivial job in three forms: a job type, a hand-written DAG, and a DAG of dag-factory."""

import json
from pathlib import Path

FIRST_DAY = "2026-01-01"


def name_of(index: int) -> str:
    """Return the name of the job type number `index`."""
    return f"bench-{index:05d}"


def definition(name: str) -> dict[str, object]:
    """Return a job type that waits 0 seconds."""
    return {
        "name": name,
        "description": "Does nothing, for the benchmarks",
        "owner": "benchmark",
        "tags": ["benchmark"],
        "tasks": [{"id": "wait", "action": "integer.wait", "inputs": {"value": 0}}],
    }


PLAIN_DAG = '''"""A hand-written DAG that does what the job type of the benchmarks does."""

import time
from datetime import datetime

from airflow.sdk import DAG, task

with DAG(
    dag_id="plain",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    is_paused_upon_creation=False,
):

    @task
    def wait(value: int) -> dict[str, object]:
        """Wait."""
        time.sleep(value)
        return {"value": value, "message": "job complete"}

    wait(0)
'''

CALLBACK_DAG = '''"""A hand-written DAG that tells of its end in Airflow's own way: its callback posts to an address."""

import json
from datetime import datetime
from urllib.request import Request, urlopen

from airflow.sdk import DAG, task


def tell(context):
    """Post the run's state to the address that the run was started with."""
    run = context["dag_run"]
    body = json.dumps({"run_id": run.run_id, "state": "success"}).encode()
    urlopen(Request(run.conf["url"], data=body, method="POST"), timeout=10).close()


with DAG(
    dag_id="callback",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    is_paused_upon_creation=False,
    on_success_callback=tell,
):

    @task
    def nothing():
        """Do nothing."""

    nothing()
'''

LOOP_FILE = '''"""Many DAGs from one file: the loop over a list of definitions that most projects begin with."""

import json
from datetime import datetime
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

for definition in json.loads(Path(__file__).with_name("definitions.json").read_text()):
    with DAG(
        dag_id=definition["name"],
        description=definition["description"],
        schedule=None,
        start_date=datetime(2026, 1, 1),
        tags=definition["tags"],
        default_args={"owner": definition["owner"]},
    ) as dag:
        BashOperator(task_id="wait", bash_command="true")
    globals()[definition["name"]] = dag
'''

# As dag-factory's own documentation shows it: one Python file that loads a folder of YAML files.
FACTORY_LOADER = '''"""Loads every YAML file beside this one."""

from pathlib import Path

from airflow.sdk import DAG  # noqa: F401
from dagfactory import load_yaml_dags

load_yaml_dags(globals_dict=globals(), dags_folder=str(Path(__file__).parent))
'''

_FACTORY_YAML = """\
{name}:
  description: Does nothing, for the benchmarks
  default_args: {{owner: benchmark, start_date: "{first_day}"}}
  schedule: null
  catchup: false
  is_paused_upon_creation: false
  tags: [benchmark]
  tasks:
    - task_id: wait
      operator: airflow.providers.standard.operators.bash.BashOperator
      bash_command: "true"
"""


def write_loop_file(folder: Path, count: int) -> Path:
    """Write the file that makes `count` DAGs in a loop, with its data; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    documents = [definition(name_of(index)) for index in range(count)]
    (folder / "definitions.json").write_text(json.dumps(documents))
    path = folder / "many.py"
    path.write_text(LOOP_FILE)
    return path


def write_factory_file(folder: Path, name: str) -> None:
    """Write the YAML file of one DAG, as a whole."""
    text = _FACTORY_YAML.format(name=name, first_day=FIRST_DAY)
    draft = folder / f".{name}.draft"
    draft.write_text(text)
    draft.replace(folder / f"{name}.yaml")


def write_factory_folder(folder: Path, count: int) -> Path:
    """Write the loader and `count` YAML files, keeping those that are there; return the loader."""
    folder.mkdir(parents=True, exist_ok=True)
    loader = folder / "loader.py"
    if not loader.exists():
        loader.write_text(FACTORY_LOADER)
    for index in range(count):
        if not (folder / f"{name_of(index)}.yaml").exists():
            write_factory_file(folder, name_of(index))
    return loader
