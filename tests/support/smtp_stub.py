"""A mail server on the loopback that keeps what it is given: no mail leaves the machine."""

import base64
import contextlib
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Mail:
    """One mail that came in; `login` is who signed in, `encrypted` whether it came over TLS."""

    sender: str
    recipients: list[str]
    data: str
    login: str = ""
    encrypted: bool = False


class SmtpStub:
    """As much of RFC 5321 as a client that sends one mail needs.

    Attributes:
        refused: recipients that get a 550.
        refuse_data: whether the mail itself gets a 451.
        accounts: names and passwords; with any, the server offers to sign in (RFC 4954).
        certificate: with a PEM file the server offers STARTTLS (RFC 3207).
        goodbye: what it answers at the end.
        silent: holds back the greeting until it is set, or for 30 seconds.
    """

    def __init__(self, port: int = 0) -> None:
        self.mails: list[Mail] = []
        self.refused: set[str] = set()
        self.refuse_data = False
        self.accounts: dict[str, str] = {}
        self.certificate: Path | None = None
        self.goodbye = "221 bye"
        self.silent: threading.Event | None = None
        self.server = _Server(("127.0.0.1", port), _Handler)
        self.server.stub = self
        self.port: int = self.server.server_address[1]
        self.url = f"smtp://127.0.0.1:{self.port}"


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    stub: SmtpStub


class _Handler(socketserver.StreamRequestHandler):
    server: "_Server"

    def say(self, *lines: str) -> None:
        for number, line in enumerate(lines, 1):
            code, _, text = line.partition(" ")
            self.wfile.write(f"{code}{' ' if number == len(lines) else '-'}{text}\r\n".encode())

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # the client has gone
            self.converse()

    def converse(self) -> None:
        if self.server.stub.silent is not None:
            self.server.stub.silent.wait(30)
        self.say("220 stub")
        mail = Mail("", [], "")
        while line := self.rfile.readline().decode().strip():
            verb, address = line.upper(), line.partition("<")[2].partition(">")[0]
            if verb.startswith("EHLO"):
                offers = ["250 stub", "250 8BITMIME"]
                offers += ["250 STARTTLS"] if self.server.stub.certificate and not mail.encrypted else []
                offers += ["250 AUTH PLAIN"] if self.server.stub.accounts else []
                self.say(*offers)
            elif verb.startswith("STARTTLS") and self.server.stub.certificate:
                self.say("220 go on")
                self.encrypt(self.server.stub.certificate)
                mail.encrypted = True
            elif verb.startswith("AUTH PLAIN"):
                _, login, password = base64.b64decode(line.split()[2]).decode().split("\0")
                if self.server.stub.accounts.get(login) == password:
                    mail.login = login
                    self.say("235 welcome")
                else:
                    self.say(f"535 {login} with {password} is unknown")
            elif verb.startswith("MAIL"):
                mail.sender = address
                self.say("250 ok")
            elif verb.startswith("RCPT") and address in self.server.stub.refused:
                self.say("550 no such person")
            elif verb.startswith("RCPT"):
                mail.recipients.append(address)
                self.say("250 ok")
            elif verb.startswith("DATA") and self.server.stub.refuse_data:
                self.say("451 come back later")
            elif verb.startswith("DATA"):
                self.say("354 go on")
                lines = []
                while (data := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(data.decode().removeprefix("."))
                mail.data = "".join(lines)
                self.server.stub.mails.append(mail)
                self.say("250 taken")
            elif verb.startswith("QUIT"):
                self.say(self.server.stub.goodbye)
                return
            else:
                self.say("250 ok")

    def encrypt(self, certificate: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.request = self.connection = context.wrap_socket(self.request, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.request.close()


@contextlib.contextmanager
def smtp_server(port: int = 0) -> Iterator[SmtpStub]:
    """Run a mail server; with a `port` of an earlier one it comes back under the same address."""
    stub = SmtpStub(port)
    thread = threading.Thread(target=stub.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.server.shutdown()
        stub.server.server_close()
        thread.join()
