"""Loads what tasks need into an agent, once, before it forks the processes that run tasks.

`[celery] extra_celery_config` names this module in Celery's `imports`. The processes of all tasks share what is loaded
here. Otherwise each task would load it again: the database driver alone takes 0.2 s to import.
"""

import gc
import logging

import airflow.dag_processing.dagbag
import airflow.sdk.execution_time.task_runner  # noqa: F401
import jsonpath  # noqa: TID253 - this module is loaded once, before the forks
import requests  # noqa: TID253 - as above
from airflow.dag_processing.bundles.manager import DagBundlesManager

from coinrequest import settings
from coinrequest.actions.catalogue import actions
from coinrequest.database import registry_connection
from coinrequest.generator import bundle, dag, loader
from coinrequest.http import exchange, transfers
from coinrequest.http.user_agent import user_agent
from coinrequest.jobtypes import json_schema, messages, registry
from coinrequest.worker import operator

# Some of it actions would load at their first use: libcurl and JSONPath take 0.1 s, and 4 MiB of each agent's memory;
# requests takes 0.1 s and 5 MiB.
__all__ = ["bundle", "dag", "exchange", "jsonpath", "loader", "messages", "operator", "requests", "transfers"]

log = logging.getLogger(__name__)

DagBundlesManager()
actions()
# Loads jsonschema, which every task uses to check the params of its run: 0.06 s, and 5 MiB of each agent's memory.
json_schema.instance_errors({}, {}, "params")
user_agent()
try:
    with registry_connection.connect() as _connection:
        registry.latest(_connection, "", as_of=0)
except settings.SettingMissing:
    # Flower imports what agents import, but runs no tasks. An agent does not start without the setting
    # (docker/run-process).
    pass
except Exception:
    log.warning("Cannot read the registry yet; the first task connects by itself", exc_info=True)
gc.collect()
gc.freeze()
