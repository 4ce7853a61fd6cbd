"""Imported once by every agent, before it forks the processes that run tasks.

`[celery] extra_celery_config` names this module in Celery's `imports`. What is loaded here is shared by all tasks,
and no task pays for it again: an unwarmed first task takes 5 to 11 s, a cold import of the catalogue 0.2 s.
"""

import gc

import airflow.dag_processing.dagbag
import airflow.sdk.execution_time.task_runner  # noqa: F401
import sqlalchemy.dialects.postgresql.psycopg2  # noqa: F401
from airflow.dag_processing.bundles.manager import DagBundlesManager

from coinrequest.actions.catalogue import action_names, find_action
from coinrequest.generator import bundle, dag, loader, operator, registry_connection  # noqa: F401

DagBundlesManager()
for _name in action_names():
    find_action(_name)
gc.collect()
gc.freeze()
