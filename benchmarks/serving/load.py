"""A closed loop of clients with kept connections, in a process of its own.

Reads one JSON object from stdin: `port`, `path`, `bodies` (sent in turn), `connections`, `seconds`;
writes `requests`, `seconds` and the sorted `latencies` in seconds. Each connection sends its next
request when its last one is answered. An answer other than 200 ends it with an error. The standard
library only, so that a load costs next to nothing to start: `python -I -S load.py`.
"""

import json
import selectors
import socket
import sys
import time
from typing import Any

_HOST = "127.0.0.1"
_PATIENCE_SECONDS = 30.0


class Connection:
    """One client: what it has sent, since when, and what came back so far."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((_HOST, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._sent = 0.0

    def ask(self, request: bytes) -> None:
        """Send a request; a whole one fits into the socket's buffer."""
        self._received, self._sent = b"", time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> float | None:
        """Take what came: the seconds since `ask` once the answer is whole, else None."""
        part = self.socket.recv(262_144)
        if not part:
            raise SystemExit(f"the server closed the connection after {self._received[:500]!r}")
        self._received += part
        return time.perf_counter() - self._sent if self._is_whole() else None

    def _is_whole(self) -> bool:
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return False
        fields = head.lower()
        if b"transfer-encoding: chunked" in fields:
            whole = body.endswith(b"0\r\n\r\n")
        else:
            length = fields.partition(b"content-length:")[2].partition(b"\r\n")[0]
            whole = len(body) >= int(length)
        if whole and not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"not 200: {self._received[:500]!r}")
        return whole


def run(
    port: int, path: str, bodies: list[str], connections: int, seconds: float
) -> dict[str, Any]:
    """Ask for `seconds`, then wait for what is still on its way."""
    requests = [_request(path, body.encode()) for body in bodies]
    selector, latencies, sent = selectors.DefaultSelector(), [], 0
    start = time.perf_counter()
    for _ in range(connections):
        connection = Connection(port)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.ask(requests[sent % len(requests)])
        sent += 1
    while len(latencies) < sent:
        ready = selector.select(_PATIENCE_SECONDS)
        if not ready:
            raise SystemExit(f"no answer within {_PATIENCE_SECONDS:g} s")
        for key, _ in ready:
            taken = key.data.receive()
            if taken is None:
                continue
            latencies.append(taken)
            if time.perf_counter() - start < seconds:
                key.data.ask(requests[sent % len(requests)])
                sent += 1
    elapsed = time.perf_counter() - start
    return {"requests": sent, "seconds": elapsed, "latencies": sorted(latencies)}


def _request(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {_HOST}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    print(json.dumps(run(**json.load(sys.stdin))))
