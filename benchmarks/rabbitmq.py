"""A RabbitMQ node of the benchmarks' own: loopback only, own ports, folder and cookie, no plugins."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.measure import wait_for

_HOST = "127.0.0.1"


def program() -> str | None:
    """Return RabbitMQ's own start script; the one on the path may be Debian's, which changes the user."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    return str(found[-1]) if found else shutil.which("rabbitmq-server")


@contextmanager
def running() -> Iterator[str]:
    """Run a node for the length of a block; give its URL."""
    with tempfile.TemporaryDirectory(prefix="coinrequest-rabbitmq-", ignore_cleanup_errors=True) as folder:
        port, distribution, mapper = _free_ports(3)
        environment = _environment(Path(folder), port, distribution, mapper)
        # Erlang would start a port mapper that stays for ever; this one ends with the node, as both are in one group.
        script = 'epmd -port "$1" -address "$2" & exec "$3"'
        command = ["sh", "-c", script, "sh", str(mapper), _HOST, str(program())]
        with Path(folder, "console.log").open("wb") as log:
            node = subprocess.Popen(
                command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
            )
        try:
            wait_for("RabbitMQ", lambda: _answers(port), timeout=90, interval=0.2)
            yield f"amqp://guest:guest@{_HOST}:{port}//"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGKILL)
            node.wait(30)


def _environment(folder: Path, port: int, distribution: int, mapper: int) -> dict[str, str]:
    (folder / "enabled_plugins").write_text("[].\n")
    # The default takes a warning for lack of disk from a machine that is shared.
    (folder / "rabbitmq.conf").write_text("disk_free_limit.absolute = 10MB\nlog.file.level = warning\n")
    (folder / "rabbitmq-env.conf").write_text("")
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "ERL_EPMD_ADDRESS": _HOST,
        "ERL_EPMD_PORT": str(mapper),
        "RABBITMQ_NODENAME": f"rabbit-{folder.name}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": _HOST,
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_BASE": str(folder),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_PID_FILE": str(folder / "rabbitmq.pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
    }


def _answers(port: int) -> bool:
    """Say whether the broker answers the header of the protocol; the port is open before."""
    try:
        with socket.create_connection((_HOST, port), timeout=2) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return bool(connection.recv(1))
    except OSError:
        return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server((_HOST, 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
