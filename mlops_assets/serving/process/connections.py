"""A connection that asks nothing is ended, also one that never did or never ends a request's head.

uvicorn alone ends only those that were answered before, lets any byte prolong them, and keeps all
that it is sent as a head, before anybody can look at who asks.

What is not uvicorn's interface is touched here and nowhere else (ruff's `banned-api`);
`tests/unit/dependencies/test_uvicorn.py` holds what we rely on.
"""

import asyncio
import socket
import time
from asyncio.events import TimerHandle
from typing import Any

import uvicorn
from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

IDLE_SECONDS = 75
"""Longer than the usual proxies keep theirs (60 s), so that not we end one that they are using."""
MOST_HEADERS = 100
"""Of a request, with its trailers."""
MOST_HEAD_BYTES = 65_536
"""Of its address, and of the names and values of its headers."""
_PIECE_BYTES = 262_144
"""The most that the event loops hand over at once."""
_MOST_KEPT_BYTES = _PIECE_BYTES + 2 * MOST_HEAD_BYTES
"""Of a head that is not complete, with what separates its parts and the piece in which it began."""
DRAIN_SECONDS = 2.0
"""How long a worker that must end waits for its clients to leave by themselves."""
_LINGER_SECONDS, _LOOK_SECONDS = 2.0, 0.05
_CLOSE = (b"connection", b"close")

_SAID = f"a request's head holds at most {MOST_HEADERS} headers and {MOST_HEAD_BYTES} bytes\n"
_TOO_LARGE = (
    "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\n"
    f"content-length: {len(_SAID)}\r\nconnection: close\r\n\r\n{_SAID}"
).encode()


class Connection(HttpToolsProtocol):
    """Waits `timeout_keep_alive` seconds for each request's head, and for nothing else.

    One timer per connection that looks whether it came too early, none per request. Of a head
    that is too large nothing more is kept, and the connection ends with 431.
    """

    _timer: TimerHandle | None = None
    _waits_since: float | None = None
    """Since when no request is in progress."""
    _newest = 0
    """Bytes of the newest piece."""
    _received = 0
    """Of all pieces since that in which a head or a part of a body was complete, with that one."""
    _refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(transport)  # ty: ignore[invalid-argument-type]
        self._waits_since = self.loop.time()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._refused:
            return
        self._newest = len(data)
        self._received += self._newest
        super().data_received(data)
        kept = self._received > _MOST_KEPT_BYTES or len(self.headers or ()) > MOST_HEADERS
        if kept and not self._refused:
            self._refuse()

    def on_headers_complete(self) -> None:
        """See `httptools`. No header is counted by itself: a call for each would cost most."""
        too_long = self._received > MOST_HEAD_BYTES and self._head_bytes() > MOST_HEAD_BYTES
        if too_long or len(self.headers) > MOST_HEADERS:
            self._refused = True
            raise _TooLargeError
        self._waits_since, self._received = None, self._newest
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """See `httptools`."""
        self._received = self._newest
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """Say why the parser stopped; uvicorn does not look whether we stopped it."""
        if self._refused:
            self._refuse()
        else:
            super().send_400_response(msg)

    def on_response_complete(self) -> None:
        """See uvicorn's `RequestResponseCycle`."""
        super().on_response_complete()
        if self.cycle.response_complete:  # else the client sent the next request already
            self._waits_since = self.loop.time()
            if self._refused and not self.transport.is_closing():
                self._end()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle.scope["method"] != "HEAD" and not cycle.waiting_for_100_continue:
            cycle.transport = _HeadWithBody(cycle)  # ty: ignore[invalid-assignment]
        super()._start_asgi_task(cycle, app)

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _refuse(self) -> None:
        """Answer after the requests before it, whose answers would be mixed with this one."""
        self._refused = True
        if self.cycle is None or self.cycle.response_complete:
            self._end()
        elif self.cycle.more_body:  # its trailers; it waits for their end
            self.transport.close()

    def _end(self) -> None:
        """Take what comes for a moment more: who is cut off while sending reads no answer."""
        self.transport.write(_TOO_LARGE)
        if self.transport.can_write_eof():  # not with TLS
            self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def _look(self) -> None:
        if self.transport.is_closing():
            return
        now = self.loop.time()
        since = now if self._waits_since is None else self._waits_since
        if now - since >= self.timeout_keep_alive:
            self.transport.close()
            return
        self._timer = self.loop.call_at(since + self.timeout_keep_alive, self._look)


class _HeadWithBody:
    """Takes the place of a response's transport until its head and first part are one write.

    uvicorn writes them apart: two system calls, and a client that is woken to read half an answer.
    """

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle, self._transport, self._head = cycle, cycle.transport, b""

    def write(self, data: bytes) -> None:
        if self._head:
            self._cycle.transport = self._transport
            self._transport.write(self._head + data)
        else:
            self._head = data

    def close(self) -> None:
        """A response that failed after its head."""
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()


class _TooLargeError(Exception):
    """Stops the parser."""


class Worker(uvicorn.Server):
    """Ends without failing a request: no new connections, the open ones told to close."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain for at most 2 s, then as uvicorn does."""
        for server in self.servers:
            server.close()
        self.config.encoded_headers.append(_CLOSE)
        self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]
        ends = time.monotonic() + DRAIN_SECONDS
        await asyncio.sleep(_LOOK_SECONDS)  # what was accepted just now is no connection yet
        while self.server_state.connections and time.monotonic() < ends:
            await asyncio.sleep(_LOOK_SECONDS)
        await super().shutdown(sockets)


def keep_connections_so() -> None:
    """Make servers that choose no protocol, as BentoML's, take ours."""
    HTTP_PROTOCOLS["auto"] = f"{Connection.__module__}:{Connection.__name__}"
