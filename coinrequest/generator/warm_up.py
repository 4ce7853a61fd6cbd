"""Imported once by every agent, before it forks the processes that run tasks.

`[celery] extra_celery_config` names this module in Celery's `imports`. What is loaded here is shared by all tasks,
and no task pays for it again: the database driver alone takes 0.2 s to import.
"""

import gc
import logging

import airflow.dag_processing.dagbag
import airflow.sdk.execution_time.task_runner  # noqa: F401
import jsonpath  # noqa: TID253 - this module is loaded once, before the forks
from airflow.dag_processing.bundles.manager import DagBundlesManager

from coinrequest import settings
from coinrequest.actions.catalogue import actions
from coinrequest.database import registry_connection
from coinrequest.generator import bundle, dag, loader
from coinrequest.http import exchange, transfers
from coinrequest.http.user_agent import user_agent
from coinrequest.jobtypes import json_schema, messages, registry
from coinrequest.worker import operator

# What actions load when they first need it is here too: libcurl and JSONPath take 0.1 s, and 4 MiB of each agent.
__all__ = ["bundle", "dag", "exchange", "jsonpath", "loader", "messages", "operator", "transfers"]

DagBundlesManager()
actions()
# Loads jsonschema, with which every task checks the params of its run: 0.06 s, and 5 MiB of each agent.
json_schema.instance_errors({}, {}, "params")
user_agent()
try:
    with registry_connection.connect() as _connection:
        registry.latest(_connection, "", as_of=0)
except settings.SettingMissing:
    # Flower imports what agents import, and runs no task. An agent does not start without (docker/run-process).
    pass
except Exception:
    logging.getLogger(__name__).warning("The registry cannot be read yet; the first task waits for it", exc_info=True)
gc.collect()
gc.freeze()
