"""A connection that asks nothing is ended, also one that never did or never ends a request's head.

uvicorn alone ends only those that were answered before, and lets any byte prolong them.
"""

import asyncio
from asyncio.events import TimerHandle

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

IDLE_SECONDS = 75
"""Longer than the usual proxies keep theirs (60 s), so that not we end one that they are using."""


class Connection(HttpToolsProtocol):
    """Waits `timeout_keep_alive` seconds for each request's head, and for nothing else.

    One timer per connection that looks whether it came too early, none per request.
    """

    _timer: TimerHandle | None = None
    _waits_since: float | None = None
    """Since when no request is in progress."""

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

    def on_headers_complete(self) -> None:
        """See `httptools`."""
        self._waits_since = None
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """See uvicorn's `RequestResponseCycle`."""
        super().on_response_complete()
        if self.cycle.response_complete:  # else the client sent the next request already
            self._waits_since = self.loop.time()

    def _look(self) -> None:
        if self.transport.is_closing():
            return
        now = self.loop.time()
        since = now if self._waits_since is None else self._waits_since
        if now - since >= self.timeout_keep_alive:
            self.transport.close()
            return
        self._timer = self.loop.call_at(since + self.timeout_keep_alive, self._look)
