"""A Redis server for one test, without a port."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from coinrequest.stack.servers import redis_binary
from support.waiting import eventually


@contextmanager
def redis_server() -> Iterator[str]:
    """Run a Redis server that keeps nothing; give the path of its socket."""
    with tempfile.TemporaryDirectory(prefix="coinrequest-redis-") as folder:
        socket = Path(folder) / "redis.sock"
        command = [str(redis_binary()), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            eventually(lambda: _answers(socket), timeout=30)
            yield str(socket)
        finally:
            process.terminate()
            process.wait()


def _answers(socket: Path) -> bool:
    with redis.Redis(unix_socket_path=str(socket)) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False
