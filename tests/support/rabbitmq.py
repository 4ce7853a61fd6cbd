"""A RabbitMQ node of one's own: loopback only, own ports, own folder, own cookie, no plugins.

`apt-get install rabbitmq-server` brings the program; the machine's own broker is neither needed nor touched.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.ports import free_ports
from support.waiting import eventually

REMEDY = "RabbitMQ is not installed: apt-get install rabbitmq-server"
_HOST = "127.0.0.1"


def program() -> Path | None:
    """Return RabbitMQ's own start script; the one on the path may be Debian's, which changes the user."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    if found:
        return found[-1]
    on_path = shutil.which("rabbitmq-server")
    return Path(on_path) if on_path else None


def start_guarded(command: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
    """Start a server in a process group of its own, which is killed when this process ends, however it ends."""
    guard = '"$@" </dev/null & cat >/dev/null; kill -KILL 0'
    return subprocess.Popen(
        ["sh", "-c", guard, "sh", *command], stdin=subprocess.PIPE, start_new_session=True, **options
    )


def end_guarded(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """Send a signal to a server's group, and wait until all of it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    try:
        process.wait(60)
        eventually(lambda: _is_gone(process.pid), timeout=60, interval=0.02, what=f"group {process.pid} has ended")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.stdin is not None:
            process.stdin.close()


class RabbitMQ:
    """One node. Its queues and messages survive `stop` and `kill`.

    Args:
        folder: everything that it writes goes there.
    """

    def __init__(self, folder: Path) -> None:
        script = program()
        if script is None:
            pytest.skip(REMEDY)
        self._script = script
        self._folder = folder
        self._node = f"rabbit-{uuid.uuid4().hex[:10]}@localhost"
        self._port, self._distribution_port, self._mapper_port = free_ports(3)
        self._mapper: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        (folder / "enabled_plugins").write_text("[].\n")
        # Small: the default takes a warning for lack of disk, and many schedulers, from a machine that is shared.
        (folder / "rabbitmq.conf").write_text("disk_free_limit.absolute = 10MB\nlog.file.level = warning\n")
        (folder / "rabbitmq-env.conf").write_text("")

    @property
    def url(self) -> str:
        """The broker's URL."""
        return f"amqp://guest:guest@{_HOST}:{self._port}//"

    @property
    def running(self) -> bool:
        """Whether it was started and not ended."""
        return self._server is not None

    def start(self) -> None:
        """Start the node, and wait until it takes connections."""
        folder = self._folder
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "ERL_EPMD_ADDRESS": _HOST,
            "ERL_EPMD_PORT": str(self._mapper_port),
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_IP_ADDRESS": _HOST,
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_BASE": str(folder),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(folder / "rabbitmq.pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        }
        if self._mapper is None:
            # Erlang would start one that stays for ever.
            self._mapper = start_guarded(
                ["epmd", "-port", str(self._mapper_port), "-address", _HOST],
                env=environment,
                cwd=folder,
                stderr=subprocess.DEVNULL,
            )
            eventually(lambda: _listens(self._mapper_port), what="epmd listens")
        with (folder / "console.log").open("ab") as log:
            self._server = start_guarded([str(self._script)], env=environment, cwd=folder, stdout=log, stderr=log)
        try:
            eventually(self._answers, timeout=90, what="RabbitMQ takes connections")
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}\n{(folder / 'console.log').read_text()[-3000:]}") from error

    def _answers(self) -> bool:
        """Say whether the broker answers the header of the protocol; the port is open before."""
        try:
            with socket.create_connection((_HOST, self._port), timeout=2) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(connection.recv(1))
        except OSError:
            return False

    def stop(self) -> None:
        """Stop the node as an administrator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the node at once."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End everything that was started here."""
        self.kill()
        if self._mapper is not None:
            end_guarded(self._mapper, signal.SIGTERM)
            self._mapper = None

    def _end(self, number: signal.Signals) -> None:
        server, self._server = self._server, None
        if server is not None:
            end_guarded(server, number)


@contextmanager
def rabbitmq() -> Iterator[RabbitMQ]:
    """Run a node; everything of it is gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="coinrequest-rabbitmq-", ignore_cleanup_errors=True) as folder:
        node = RabbitMQ(Path(folder))
        try:
            node.start()
            yield node
        finally:
            node.close()


def _is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((_HOST, port)) == 0
