"""Check the health of the process of this container: `python health.py PROCESS`; exit code 0 if it is healthy.

A check takes tenths of a second. `airflow jobs check` and `celery inspect` would import Airflow each time, which takes
seconds of CPU on a small machine. For agents, `run-process` checks the age of a file, which takes even less.
"""

import os
import socket
import sys
import urllib.request

_JOBS = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}

# Airflow's processes send a heartbeat every 5 s, and count as dead after 30 s.
_OLDEST_HEARTBEAT_SECONDS = 30.0
_OLDEST_GATEWAY_REPORT_SECONDS = 20.0
_TIMEOUT_SECONDS = 8.0


class Unhealthy(Exception):
    """The process is not healthy; the message has the reason."""


def check_web_server() -> None:
    """Check the web server and its API for tasks, which is built at its first request."""
    _request(8080, "/api/v2/version", _TIMEOUT_SECONDS)
    _request(8080, "/execution/health", 60.0)


def check_flower() -> None:
    """Request Flower's own health check."""
    _request(5555, "/healthcheck", _TIMEOUT_SECONDS)


def check_heartbeat(process: str) -> None:
    """Check the last heartbeat of a process of this container in the metadata database."""
    query = (
        "SELECT extract(epoch FROM now() - max(latest_heartbeat)) FROM job"
        " WHERE job_type = %s AND hostname = %s AND state = 'running'"
    )
    _check_age(process, query, (_JOBS[process], socket.gethostname()), _OLDEST_HEARTBEAT_SECONDS)


def check_gateway() -> None:
    """Check the last report of the gateway of this container, which it sends even if its broker is down."""
    query = "SELECT extract(epoch FROM now() - max(seen_at)) FROM coinrequest_gateway WHERE starts_with(name, %s)"
    _check_age("gateway", query, (f"{socket.gethostname()}:",), _OLDEST_GATEWAY_REPORT_SECONDS)


def _request(port: int, path: str, timeout: float) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=timeout) as response:
        if response.status != 200:
            raise Unhealthy(f"{path} answered {response.status}")


def _check_age(process: str, query: str, values: tuple[str, ...], oldest: float) -> None:
    import psycopg

    url = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    with psycopg.connect(url, connect_timeout=int(_TIMEOUT_SECONDS)) as connection:
        row = connection.execute(query, values).fetchone()
    age = row[0] if row else None
    if age is None:
        raise Unhealthy(f"the {process} has not reported yet")
    if age > oldest:
        raise Unhealthy(f"the {process} last reported {age:.0f} s ago")


def main(process: str) -> int:
    """Check a process; return the exit code, and write a problem to standard error."""
    try:
        if process == "api-server":
            check_web_server()
        elif process == "flower":
            check_flower()
        elif process == "gateway":
            check_gateway()
        else:
            check_heartbeat(process)
    except Exception as error:
        sys.stderr.write(f"{process}: {type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
