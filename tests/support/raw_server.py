"""Servers on the loopback that say just what a test wants, byte by byte, with TLS if it wants that too."""

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coinrequest.http.guard import AddressGuard

LOOPBACK = AddressGuard(["127.0.0.0/8", "::1"])

Talk = Callable[["Conversation"], None]


class Conversation:
    """One connection, as the server sees it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.request = b""

    def hear(self) -> bytes:
        """Read a request up to the end of its headers; nothing, if the client has gone."""
        self.request = b""
        # What begins with 22 is TLS (RFC 8446, 5.1), in which no line ends.
        while b"\r\n\r\n" not in self.request and not self.request.startswith(b"\x16"):
            if not (received := self.connection.recv(65536)):
                break
            self.request += received
        return self.request

    def say(self, *parts: bytes) -> None:
        for part in parts:
            self.connection.sendall(part)

    def wait_for_the_end(self) -> None:
        """Return when the client has closed the connection."""
        with contextlib.suppress(OSError):
            while self.connection.recv(65536):
                pass


class RawServer:
    """Lets `talk` answer each connection in a thread of its own.

    Attributes:
        port: of 127.0.0.1.
        requests: what was heard, in order.
        open: how many connections are open now; one that is being closed is not.
        most_open: how many there were at most.
    """

    def __init__(self, talk: Talk, certificate: Path | None) -> None:
        self._talk = talk
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.open = 0
        self.most_open = 0
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    def wait_until_open(self, count: int) -> None:
        """Return when so many connections are open."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.open == count, 10), f"{self.open} connections are open"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            thread = threading.Thread(target=self._serve, args=[connection])
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        self._count(1)
        try:
            with contextlib.suppress(OSError):
                if self._context is not None:
                    connection = self._context.wrap_socket(connection, server_side=True)
                conversation = Conversation(connection)
                if conversation.hear():
                    self.requests.append(conversation.request)
                    self._talk(conversation)
        finally:
            # In this order: who sees the connection end finds it counted.
            self._count(-1)
            connection.close()

    def _count(self, change: int) -> None:
        with self._changed:
            self.open += change
            self.most_open = max(self.most_open, self.open)
            self._changed.notify_all()

    def close(self) -> None:
        # Closing alone does not wake a thread that waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for thread in self._threads:
            thread.join(10)


@contextlib.contextmanager
def raw_server(talk: Talk | bytes, certificate: Path | None = None) -> Iterator[RawServer]:
    """Run a server; bytes are said to everybody before the connection is closed."""
    server = RawServer(talk if callable(talk) else lambda conversation: conversation.say(talk), certificate)
    try:
        yield server
    finally:
        server.close()


def make_certificate(
    path: Path, *names: str, days: float = 30, subject: str = "Stub", begins: float = -1, critical: bool = False
) -> Path:
    """Write a key and a certificate that signs itself; who trusts the file trusts the server."""
    pytest.importorskip("cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def general_name(name: str) -> x509.GeneralName:
        try:
            return x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            return x509.DNSName(name)

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)] if subject else [])
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Stub")]) if not subject else name
    now = datetime.datetime.now(datetime.UTC)
    alternative = x509.SubjectAlternativeName([general_name(name) for name in names])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now + datetime.timedelta(days=begins))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(alternative, critical=critical)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path
