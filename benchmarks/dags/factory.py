"""Loads every YAML file beside this one."""

from pathlib import Path

from airflow.sdk import DAG  # noqa: F401
from dagfactory import load_yaml_dags

load_yaml_dags(globals_dict=globals(), dags_folder=str(Path(__file__).parent))
