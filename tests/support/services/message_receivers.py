"""A real HTTP server and a real mail server that take messages, or refuse some."""

import base64
import json
import socketserver
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_string, policy
from http.server import BaseHTTPRequestHandler, HTTPServer

SECRET = "s3cret-t0ken"


@dataclass
class Receiver:
    """What a server took, and how it is reached."""

    url: str = ""
    taken: list[str] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    """Of mail."""
    logins: list[str] = field(default_factory=list)
    """The user and the password of each message that has some, decoded."""
    refuses: int = 0
    """So many of the next messages."""

    def refuse(self) -> bool:
        self.refuses -= 1
        return self.refuses >= 0


@contextmanager
def webhook() -> Generator[Receiver]:
    """Takes the text of JSON messages; its URL holds the secret."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if login := self.headers.get("authorization"):
                receiver.logins.append(base64.b64decode(login.removeprefix("Basic ")).decode())
            good = self.path == f"/hooks/{SECRET}" and not receiver.refuse()
            if good:
                receiver.taken.append(json.loads(body)["text"])
            self.send_response(200 if good else 503)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server, _serving(server):
        receiver.url = f"http://127.0.0.1:{server.server_port}/hooks/{SECRET}"
        yield receiver


@contextmanager
def mailbox() -> Generator[Receiver]:
    """Takes mail, as a line of its subject and one of its body; the secret is the password."""
    receiver = Receiver()

    class Handler(_Smtp):
        to = receiver

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server, _serving(server):
        receiver.url = f"smtp://ada:{SECRET}@127.0.0.1:{server.server_address[1]}"
        yield receiver


class _Smtp(socketserver.StreamRequestHandler):
    """As much of the protocol as a client needs that logs in."""

    to: Receiver

    def handle(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        answers = {"EHLO": self.greet, "AUTH": self.login, "RCPT": self.recipient}
        answers |= {"DATA": self.data, "QUIT": lambda _: b"221 bye\r\n"}
        while line := self.line():
            verb, _, rest = line.partition(" ")
            answer = answers.get(verb.upper(), lambda _: b"250 good\r\n")
            self.wfile.write(answer(rest))

    def line(self) -> str:
        return self.rfile.readline().decode().rstrip("\r\n")

    def greet(self, rest: str) -> bytes:
        return b"250-here\r\n250 AUTH PLAIN\r\n"

    def login(self, rest: str) -> bytes:
        told = base64.b64decode(rest.removeprefix("PLAIN ")).decode()
        self.to.logins.append(told.strip("\0").replace("\0", ":"))
        return b"235 welcome\r\n"

    def recipient(self, rest: str) -> bytes:
        self.to.recipients.append(rest.removeprefix("TO:").strip("<>"))
        return b"250 good\r\n"

    def data(self, rest: str) -> bytes:
        self.wfile.write(b"354 go on\r\n")
        text = "\n".join(iter(self.line, "."))
        if self.to.refuse():
            return b"451 later\r\n"
        mail = message_from_string(text, policy=policy.default)
        self.to.taken.append(f"{_one_line(mail['Subject'])}\n{_one_line(mail.get_payload())}")
        return b"250 good\r\n"


def _one_line(text: str) -> str:
    """A long line is folded on its way."""
    return " ".join(text.split())


@contextmanager
def _serving(server: socketserver.BaseServer) -> Generator[None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
