"""A mail server on the loopback that keeps what it is given: no mail leaves the machine."""

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class Mail:
    """One mail that came in."""

    sender: str
    recipients: list[str]
    data: str


class SmtpStub:
    """As much of RFC 5321 as a client that sends one mail needs; `refused` are recipients that get a 550."""

    def __init__(self, port: int = 0) -> None:
        self.mails: list[Mail] = []
        self.refused: set[str] = set()
        self.refuse_data = False
        stub = self

        class Handler(socketserver.StreamRequestHandler):
            def say(self, text: str) -> None:
                self.wfile.write(text.encode() + b"\r\n")

            def handle(self) -> None:
                self.say("220 stub")
                mail = Mail("", [], "")
                while line := self.rfile.readline().decode().strip():
                    verb, address = line.upper(), line.partition("<")[2].partition(">")[0]
                    if verb.startswith("EHLO"):
                        self.say("250-stub")
                        self.say("250 8BITMIME")
                    elif verb.startswith("MAIL"):
                        mail.sender = address
                        self.say("250 ok")
                    elif verb.startswith("RCPT") and address in stub.refused:
                        self.say("550 no such person")
                    elif verb.startswith("RCPT"):
                        mail.recipients.append(address)
                        self.say("250 ok")
                    elif verb.startswith("DATA") and stub.refuse_data:
                        self.say("451 come back later")
                    elif verb.startswith("DATA"):
                        self.say("354 go on")
                        lines = []
                        while (data := self.rfile.readline()) not in (b".\r\n", b""):
                            lines.append(data.decode().removeprefix("."))
                        mail.data = "".join(lines)
                        stub.mails.append(mail)
                        self.say("250 taken")
                    elif verb.startswith("QUIT"):
                        self.say("221 bye")
                        return
                    else:
                        self.say("250 ok")

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.server = Server(("127.0.0.1", port), Handler)
        self.port: int = self.server.server_address[1]
        self.url = f"smtp://127.0.0.1:{self.port}"


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
