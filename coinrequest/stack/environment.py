"""The environment of each process of the stack.

`coinrequest.install.process_secrets` decides which process gets which secret. Of the settings in the environment of the
person who starts the stack, only gateways get the broker of the message channel, and only the API server gets the token
for the metrics.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from coinrequest.install import process_secrets
from coinrequest.install.secrets import OWN_CHANNEL_VARIABLE, ROLES, Secrets
from coinrequest.stack.known_settings import is_known
from coinrequest.stack.layout import ROOT_VARIABLE, Layout, project_root
from coinrequest.stack.options import Options
from coinrequest.stack.ports import HOST, Ports
from coinrequest.stack.processes import RUN_VARIABLE

_INHERITED = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"}
)
_OWN_VARIABLES = (
    "COINREQUEST_URL",
    "COINREQUEST_USERNAME",
    "COINREQUEST_PASSWORD",
    *(f"COINREQUEST_{role.upper()}_{what}" for role in ROLES for what in ("USERNAME", "PASSWORD")),
    "COINREQUEST_REGISTRY_URL",
    "COINREQUEST_BASE_URL",
    "COINREQUEST_AGENTS",
    "COINREQUEST_CONCURRENCY",
    "COINREQUEST_PORT",
    ROOT_VARIABLE,
    RUN_VARIABLE,
)
_CHANNEL_VARIABLE = "COINREQUEST_CHANNEL_URL"


def base_url(ports: Ports) -> str:
    """Return the address of the stack's web server."""
    return f"http://{HOST}:{ports.web}"


def database_url(ports: Ports, user: str, password: str) -> str:
    """Return the URL of the metadata database for one role."""
    return process_secrets.database_url(f"{HOST}:{ports.postgres}", user, password)


def own_channel_url(ports: Ports, secrets: Secrets) -> str:
    """Return the URL of the message channel over the stack's own Redis, beside Celery's two databases."""
    return process_secrets.channel_url(f"{HOST}:{ports.redis}", secrets)


def channel_url(ports: Ports, secrets: Secrets, options: Options) -> str:
    """Return the URL of the message channel: the person's choice, which may be empty for none, or the stack's Redis."""
    return _chosen(options).get(_CHANNEL_VARIABLE, own_channel_url(ports, secrets))


def inherited(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that processes inherit from the environment of the person who starts the stack.

    This is an allow list, because settings for another Airflow, Python or PostgreSQL must not reach the stack. Settings
    of this project (`COINREQUEST_*`) are inherited, except those that the stack sets itself.
    """
    if variables.get(_CHANNEL_VARIABLE) == variables.get(OWN_CHANNEL_VARIABLE):
        variables = {name: value for name, value in variables.items() if name != _CHANNEL_VARIABLE}
    kept = {name: value for name, value in variables.items() if name in _INHERITED}
    kept |= {
        name: value
        for name, value in variables.items()
        if name.startswith("COINREQUEST_") and name not in _OWN_VARIABLES and "_STACK_" not in name
    }
    direct = f"{HOST},localhost"
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = f"{variables[name]},{direct}" if variables.get(name) else direct
    return kept


def server_environment(run: str) -> dict[str, str]:
    """Return the environment of the PostgreSQL and Redis servers."""
    variables = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return variables | {"LC_ALL": "C", "TZ": "UTC", RUN_VARIABLE: run}


def process_environment(
    process: str, *, layout: Layout, ports: Ports, secrets: Secrets, options: Options, run: str
) -> dict[str, str]:
    """Return the environment of a process of Airflow, or of a gateway.

    Args:
        process: `prepare`, `api-server`, `scheduler`, `dag-processor`, `triggerer`, or the name of a gateway or agent.
        layout: the stack's files.
        ports: the stack's ports.
        secrets: the stack's secrets.
        options: the options of the stack.
        run: the mark that identifies the processes of this start.
    """
    project = project_root()
    variables = _chosen(options) | {
        RUN_VARIABLE: run,
        # First in PATH, so that a job starts the programs of the same installation.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
        # By default, glibc keeps up to eight heaps for each core; these processes have many idle threads.
        "MALLOC_ARENA_MAX": "2",
        "AIRFLOW_HOME": str(layout.airflow_home),
        "AIRFLOW_CONFIG": str(project / "config" / "airflow.cfg"),
        "AIRFLOW__CORE__EXECUTOR": "coinrequest.airflow.executor.fair_executor.FairCeleryExecutor",
        "AIRFLOW__CORE__DAGS_FOLDER": str(project / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(project / "plugins"),
        # Without a look-up: the host name of a laptop often does not resolve.
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{base_url(ports)}/execution/",
        "AIRFLOW__API__BASE_URL": base_url(ports),
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(ports.web),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(layout.logs / "tasks"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(layout.logs / "parsing"),
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(layout.bundles),
        "COINREQUEST_BASE_URL": base_url(ports),
    }
    # Jobs may send requests to the stack's own web server.
    variables.setdefault("COINREQUEST_ALLOWED_NETWORKS", f"{HOST}/32")
    if sys.platform == "darwin":
        # macOS kills a process that was forked while a system library was in use, and all of Airflow's processes fork.
        variables["OBJC_DISABLE_INITIALIZE_FORK_SAFETY"] = "YES"
    variables = {name: value for name, value in variables.items() if _may_know(process, name)}
    variables |= process_secrets.process_secrets(
        _kind(process), secrets, postgres=f"{HOST}:{ports.postgres}", redis=f"{HOST}:{ports.redis}"
    )
    if _kind(process) == "gateway":
        variables[_CHANNEL_VARIABLE] = channel_url(ports, secrets, options)
    variables |= {
        "AIRFLOW__{}__{}".format(*(part.upper().replace(".", "_") for part in name.rsplit(".", 1))): value
        for name, value in options.overrides.items()
    }
    return variables


def _chosen(options: Options) -> dict[str, str]:
    person = {name: value for name, value in os.environ.items() if not (options.settled and is_known(name))}
    return inherited({**person, **options.variables})


def _kind(process: str) -> str:
    """Return the kind of a process: the stack numbers its agents and gateways."""
    return re.sub(r"-\d+$", "", process)


def _may_know(process: str, variable: str) -> bool:
    """Return whether a process may inherit a setting; some hold a password."""
    if variable == _CHANNEL_VARIABLE:
        return _kind(process) == "gateway"
    return variable != "COINREQUEST_METRICS_TOKEN" or process == "api-server"
