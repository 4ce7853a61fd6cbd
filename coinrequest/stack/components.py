"""The processes of the stack that run the platform: their commands and their readiness checks."""

import http.client
import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from coinrequest.install.prepare import REGISTERED
from coinrequest.stack.layout import Layout
from coinrequest.stack.options import Options
from coinrequest.stack.ports import HOST, Ports
from coinrequest.stack.programs import Child, Program

# The names under which the web server reports the heartbeats of the other processes.
_HEARTBEATS = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}

# Seconds; 10 for the others. Tasks that an agent cannot finish in that time are retried by Airflow, as after a crash.
# The triggerer would wait 10 s for its child process, although deferred tasks are stored in the database, and the web
# server would wait for open connections.
_STOP_TIMEOUTS = {"triggerer": 2.0, "api-server": 5.0}

# The text that each process logs when it has loaded.
_LOADED = {
    "prepare": REGISTERED,
    "api-server": "Application startup complete",
    "scheduler": "Starting the scheduler",
    "dag-processor": "Starting the Dag Processor Job",
    "triggerer": "Starting the triggerer",
}
_GATEWAY_READY = "Gateway is ready"
_AGENT_READY = " ready."


def agent_names(options: Options) -> tuple[str, ...]:
    """Return the names of the stack's agents."""
    return tuple(f"agent-{number}" for number in range(1, options.agents + 1))


def gateway_names(options: Options) -> tuple[str, ...]:
    """Return the names of the stack's gateways: `gateway`, or `gateway-1`, `gateway-2`, ... if there are several."""
    if options.gateways == 1:
        return ("gateway",)
    return tuple(f"gateway-{number}" for number in range(1, options.gateways + 1))


def process_names(options: Options) -> tuple[str, ...]:
    """Return the names of all processes of the stack, in the order in which they are shown."""
    return ("postgres", "redis", "api-server", *_HEARTBEATS, *gateway_names(options), *agent_names(options))


def platform_program(
    name: str, environment: Mapping[str, str], *, layout: Layout, ports: Ports, options: Options
) -> Program:
    """Describe a process of Airflow, or a gateway.

    None of them serves its logs over HTTP: they share one folder of logs, and the log server would listen on all
    networks of the machine.
    """
    programs = Path(sys.executable).parent
    commands = {
        "api-server": ("api-server",),
        "scheduler": ("scheduler", "--skip-serve-logs"),
        "dag-processor": ("dag-processor",),
        "triggerer": ("triggerer", "--skip-serve-logs"),
    }
    if name.startswith("gateway"):
        command: tuple[str, ...] = (str(programs / "coinrequest"), "gateway")
    else:
        command = (str(programs / "airflow"), *(commands.get(name) or _agent_command(name, options)))
    return Program(
        name=name,
        command=command,
        environment=environment,
        log=layout.log(name),
        is_ready=_readiness(name, ports),
        stop_timeout=_STOP_TIMEOUTS.get(name, 10.0),
        needs=_needs(name),
    )


def _agent_command(name: str, options: Options) -> tuple[str, ...]:
    # Takes a second at the start, and is only needed to tell several agents apart.
    hostname = ("--celery-hostname", f"{name}@%h") if options.agents > 1 else ()
    numbers = ("--concurrency", str(options.concurrency), "--queues", options.queues)
    return ("celery", "worker", "--skip-serve-logs", *numbers, *hostname)


def _needs(name: str) -> tuple[str, ...]:
    if name.startswith("agent"):
        return ("redis",)
    # The scheduler exits if the broker does not respond when it asks for the tasks of the agents.
    return ("postgres", "redis") if name == "scheduler" else ("postgres",)


def has_loaded(child: Child) -> bool:
    """Return whether a process has imported its modules, which is the expensive part of its start."""
    name = child.program.name
    return child.logged(_LOADED.get(name) or _ready_line(name))


def _ready_line(name: str) -> str:
    return _GATEWAY_READY if name.startswith("gateway") else _AGENT_READY


def _readiness(name: str, ports: Ports) -> Callable[[Child], bool]:
    if name == "api-server":
        # The API for tasks is built at its first request. That takes seconds, and a task would run into its time-out.
        return lambda child: bool(_health(ports)) and bool(_get(ports, "/execution/health", timeout=90.0))
    if name in _HEARTBEATS:
        return lambda child: _has_heartbeat(_health(ports).get(_HEARTBEATS[name]), name, child.identity.created)
    return lambda child: child.logged(_ready_line(name))


def _has_heartbeat(report: object, name: str, since: float) -> bool:
    """Return whether a process has sent a heartbeat since it was started; older ones came from an earlier process."""
    heartbeat = report.get(f"latest_{_HEARTBEATS[name]}_heartbeat") if isinstance(report, dict) else None
    return isinstance(heartbeat, str) and datetime.fromisoformat(heartbeat).timestamp() >= since


def _health(ports: Ports) -> dict[str, object]:
    return _get(ports, "/api/v2/monitor/health", timeout=5.0)


def _get(ports: Ports, path: str, timeout: float) -> dict[str, object]:
    """Return the JSON object at a path of the web server; an empty one if it does not respond."""
    connection = http.client.HTTPConnection(HOST, ports.web, timeout=timeout)
    try:
        connection.request("GET", path)
        report = json.load(connection.getresponse())
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()
    return report if isinstance(report, dict) else {}
