"""Peers that do not behave: what answers a connection on 127.0.0.1, and how."""

import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

ANSWERS: dict[str, bytes | None] = {
    "nothing": b"",
    "garbage": b"hello\r\n\r\n",
    "zeros": b"\0" * 4096,
    "another protocol": b"SSH-2.0-OpenSSH_9.9\r\n",
    "half a status": b"HTTP/1.1 2",
    "no number": b"HTTP/1.1 fine OK\r\n\r\n",
    "short body": b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{",
    "bad length": b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
    "endless header": b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000,
    "redirect nowhere": b"HTTP/1.1 302 Found\r\nlocation: gopher://x/\r\ncontent-length: 0\r\n\r\n",
    "refusal": b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
    "breakdown": b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\nno",
    "mail that ends": b"221 bye\r\n",
    "reset": None,
}
"""What a peer sends at once; None: it resets the connection."""


@contextmanager
def peer(answer: bytes | None, *, after_seconds: float = 0.0) -> Generator[int]:
    """The port of a server that reads a little, answers so, and hangs up."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        thread = threading.Thread(target=_serve, args=(server, answer, after_seconds), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def _serve(server: socket.socket, answer: bytes | None, after_seconds: float) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            try:
                connection.settimeout(0.2)
                if answer is None:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    continue
                if not answer.startswith(b"2"):  # a mail server speaks first
                    connection.recv(65536)
                time.sleep(after_seconds)
                connection.sendall(answer)
            except OSError:
                continue
