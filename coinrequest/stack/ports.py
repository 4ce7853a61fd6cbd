"""Free loopback ports, chosen at the first start and kept."""

import json
import random
import socket
from dataclasses import asdict, dataclass

from coinrequest.install.private_files import read_json, write_private
from coinrequest.stack.errors import StackError
from coinrequest.stack.layout import Layout

HOST = "127.0.0.1"
# Below the ports that Linux (from 32768) and macOS (from 49152) use for outgoing connections: while the stack is down,
# any program could occupy a kept port in that range.
_CANDIDATES = range(20_000, 32_000)


@dataclass(frozen=True)
class Ports:
    """The ports of one stack, all on the loopback address."""

    postgres: int
    redis: int
    web: int


def is_free(port: int) -> bool:
    """Return whether a server could listen on `port` now."""
    with socket.socket() as probe:
        # As servers do, so that connections of an earlier server in TIME_WAIT do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def choose_ports(layout: Layout, web: int | None = None) -> tuple[Ports, tuple[str, ...]]:
    """Return the stack's ports, and a note for each that had to change. Call this only while the stack is down.

    Args:
        layout: the paths of the stack, where the ports are stored.
        web: the requested port of the web server; it is never replaced by another one.

    Raises:
        StackError: `web` is in use.
    """
    kept = read_json(layout.ports)
    notes: list[str] = []
    chosen: dict[str, int] = {}
    if web is not None and not is_free(web):
        raise StackError(f"Port {web} is in use by another program. Stop the program, or choose another port.")
    for name in ("postgres", "redis", "web"):
        port = web if name == "web" and web is not None else kept.get(name)
        if not isinstance(port, int) or port in chosen.values() or not is_free(port):
            taken = port
            port = _find_free(exclude=set(chosen.values()) | ({web} if web else set()))
            if taken is not None:
                notes.append(f"port {taken} ({name}) is in use by another program; using {port} instead")
        chosen[name] = port
    ports = Ports(**chosen)
    write_private(layout.ports, json.dumps(asdict(ports)))
    return ports, tuple(notes)


def kept_ports(layout: Layout) -> Ports:
    """Return the ports of the last start.

    Raises:
        StackError: the stack was never started.
    """
    kept = {name: port for name, port in read_json(layout.ports).items() if isinstance(port, int)}
    try:
        return Ports(postgres=kept["postgres"], redis=kept["redis"], web=kept["web"])
    except KeyError:
        raise StackError(f"The stack in {layout.root} was never started; start it with `make up`.") from None


def _find_free(exclude: set[int]) -> int:
    for port in random.sample(_CANDIDATES, 200):
        if port not in exclude and is_free(port):
            return port
    raise StackError(f"There is no free port between {_CANDIDATES.start} and {_CANDIDATES.stop} on {HOST}.")
