"""A web server that costs as little as Python allows: `python -m benchmarks.url_stub`, a process of its own.

The path says how it answers, in words that commas separate: `/delay=20` waits 20 ms before the first byte,
`/delay=20,size=200000,body=15` then sends a body of 200,000 bytes in two halves, 15 ms apart, and a last word such as
`to=http://127.0.0.1:8080/` redirects. Connections stay open unless the client asks otherwise. The process prints its
port, and ends when its input does.
"""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from coinrequest.stack.layout import project_root

try:  # Airflow's web server brings it; it makes the stub about twice as fast
    from uvloop import new_event_loop
except ImportError:
    from asyncio import new_event_loop

_BODY = b"<!doctype html><title>stub</title><p>" + b"It works. " * 20
_QUICK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)


class Stub(asyncio.Protocol):
    """Answers the requests of one connection; requests have no bodies."""

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        *requests, self._received = (self._received + data).split(b"\r\n\r\n")
        for request in requests:
            last = b"onnection: close" in request
            path = request.split(b" ", 2)[1]
            if path == b"/":
                self._send(_QUICK, last)
            else:
                self._answer(path[1:].decode(), last)

    def _answer(self, path: str, last: bool) -> None:
        before, _, location = path.partition("to=")
        words = dict(word.split("=", 1) for word in before.split(",") if word)
        parts = [_QUICK]
        if location:
            parts = [f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()]
        elif "size" in words:
            body = b"x" * int(words["size"])
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body)
            parts = [head + body[: len(body) // 2], body[len(body) // 2 :]]
        after = float(words.get("delay", 0)) / 1000
        for number, part in enumerate(parts, 1):
            asyncio.get_running_loop().call_later(after, self._send, part, last and number == len(parts))
            after += float(words.get("body", 0)) / 1000

    def _send(self, data: bytes, last: bool) -> None:
        self._transport.write(data)
        if last:
            self._transport.close()


def many_hosts(count: int) -> list[str]:
    """Return loopback addresses; each is a host of its own for a client. macOS has only the first."""
    return [f"127.0.{number // 250}.{number % 250 + 1}" for number in range(count)]


@contextmanager
def running(hosts: int = 1, certificate: str = "") -> Iterator[int]:
    """Run the stub in a process of its own; the value is its port.

    Args:
        hosts: on how many of the addresses of `many_hosts` it listens.
        certificate: a PEM file with key and certificate makes it speak TLS.
    """
    words = [sys.executable, "-m", "benchmarks.url_stub", str(hosts), certificate]
    process = subprocess.Popen(words, cwd=project_root(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


async def _serve(hosts: int, certificate: str) -> None:
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    first, *others = many_hosts(hosts)
    server = await loop.create_server(Stub, first, 0, ssl=context, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    more = [await loop.create_server(Stub, host, port, ssl=context, backlog=1024) for host in others]
    print(port, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    for one in (server, *more):
        one.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1]), sys.argv[2]))
