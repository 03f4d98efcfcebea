"""Clients that hold connections: `idle`, or with a body that comes one byte at a time.

`bad_clients.py KIND HOST:PORT COUNT FILE KEY` writes to FILE how many it holds once they all stand,
and goes on until it is killed.
"""

import resource
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

_KEY = sys.argv[5]
_LINES = ("POST /predict HTTP/1.1", "host: endpoint", f"x-api-key: {_KEY}", "content-length: 1000")
_HEAD = "\r\n".join((*_LINES, "", ""))


def hold(kind: str, address: str, count: int, file: Path) -> None:
    host, port = address.split(":")
    _, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest, highest))
    held = [open_one(kind, (host, int(port))) for _ in range(count)]
    file.write_text(str(len(held)))
    while True:
        time.sleep(0.5)
        if kind == "slow_bodies":
            held = [trickle(connection, (host, int(port))) for connection in held]


def open_one(kind: str, address: tuple[str, int]) -> socket.socket:
    connection = socket.create_connection(address, timeout=30)
    if kind == "slow_bodies":
        connection.sendall(_HEAD.encode())
    return connection


def trickle(connection: socket.socket, address: tuple[str, int]) -> socket.socket:
    """Send one byte more; a connection that the server closed is replaced."""
    with suppress(OSError):
        connection.sendall(b" ")
        connection.settimeout(0)
        with suppress(BlockingIOError):
            if connection.recv(4096):
                raise ConnectionResetError
        connection.settimeout(30)
        return connection
    connection.close()
    return open_one("slow_bodies", address)


if __name__ == "__main__":
    hold(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
