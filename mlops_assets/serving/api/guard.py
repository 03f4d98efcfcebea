"""What stands before the endpoint's application: who may ask, how often, how many, how long.

Everything it enforces comes with the manifest, so it changes as a version does: without a restart.
Rates are counted over the endpoint's workers together, what runs and waits by each alone. Metrics
and the page that shows the API need no key; health is anybody's.
"""

import asyncio
import math
import resource
import time
import types
from collections.abc import Callable, Coroutine, Generator, MutableMapping
from functools import partial
from typing import Any, cast

from starlette.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from mlops_assets.blocks.operation import RateLimitSettings
from mlops_assets.records.serving import EndpointLimits
from mlops_assets.serving.api.callers import client_address, identify, require_own_site, sent_key
from mlops_assets.serving.api.rates import Buckets
from mlops_assets.serving.wire.http import Receive, RequestError, Scope, Send, send_error

App = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]
Count = Callable[[Scope, RequestError], None]

HEALTH_PATHS = ("/livez", "/readyz")
"""For probes, under whatever name they ask."""
OPEN_PATHS = (*HEALTH_PATHS, "/metrics", "/", "/docs")
"""They need no key, and nobody counts them."""
WRONG_KEYS = RateLimitSettings(per_second=1, burst=20)
"""How many unknown keys an address may try."""
BUFFERED_BYTES = 64_000_000
"""How much of unfinished bodies a worker holds; many slow clients must not fill its memory."""

UNLOGGED = (b"x-mlops-log", b"no")
"""The header of the deployer's own checks: no traffic, so no rows of the prediction log."""


class Guard:
    """Passes a request on to `app` within the limits; answers it itself otherwise."""

    def __init__(
        self, app: App, limits: Callable[[], EndpointLimits | None], count: Count, buckets: Buckets
    ) -> None:
        """Ask `limits` at each request; None, before there is a manifest, limits nothing.

        `count` is told of each request that is refused here and never reached `app`'s own count.
        """
        self._app = app
        self._limits = limits
        self._count = count
        self._buckets = buckets
        self.running = 0
        """Complete requests that are not answered yet."""
        self.buffered = 0
        """Bytes of the bodies of all requests that are not answered yet."""
        self._built_for: EndpointLimits | None = None
        self._built: App = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        limits = self._limits()
        if scope["type"] != "http" or limits is None or scope["path"] in HEALTH_PATHS:
            return await self._app(scope, receive, send)
        return await self._entrance(limits)(scope, receive, send)

    def _entrance(self, limits: EndpointLimits) -> App:
        """What a request meets first: nothing but the guard, where no page or proxy is named."""
        if limits is not self._built_for:
            app: Any = partial(self._guarded, limits)
            if limits.origins:
                app = CORSMiddleware(
                    app,
                    allow_origins=limits.origins,
                    allow_methods=("GET", "POST"),
                    allow_headers=("authorization", "content-type", "x-api-key"),
                )
            if limits.proxies:
                app = ProxyHeadersMiddleware(cast("Any", app), [*limits.proxies])
            self._built_for, self._built = limits, cast("App", app)
        return self._built

    async def _guarded(
        self, limits: EndpointLimits, scope: Scope, receive: Receive, send: Send
    ) -> None:
        try:
            if scope["path"] in OPEN_PATHS:
                require_own_site(scope, limits)
                return await self._app(scope, receive, send)
            self._admit(scope, limits)
        except RequestError as err:
            return await self.refuse(scope, send, err)
        return await _Request(self, limits, receive, send).run(self._app, scope)

    async def refuse(self, scope: Scope, send: Send, err: RequestError) -> None:
        """Answer by the error, and count it."""
        self._count(scope, err)
        await send_error(send, err)

    def _admit(self, scope: Scope, limits: EndpointLimits) -> None:
        who = identify(scope, limits)
        if who is not None and who == limits.operator_digest:
            scope["operator"], scope["unlogged"] = True, UNLOGGED in scope["headers"]
            return
        require_own_site(scope, limits)
        if limits.key_digests and who is None:
            if sent_key(scope) is not None:
                address = client_address(scope)
                self._take(f"wrong key {address}", WRONG_KEYS, "requests with an unknown key")
            raise RequestError(
                401,
                "unauthorized",
                "send a valid key as `Authorization: Bearer KEY` or `X-API-Key: KEY`",
                headers={"www-authenticate": "Bearer"},
            )
        if limits.rate_limit is not None:
            self._take(who or client_address(scope), limits.rate_limit, "requests")

    def _take(self, who: str, limit: RateLimitSettings, what: str) -> None:
        wait = self._buckets.take(who, limit, time.monotonic())
        if wait > 0:
            raise RequestError(
                429,
                "too_many_requests",
                f"at most {limit.per_second:g} {what} per second; wait",
                headers={"retry-after": str(math.ceil(wait))},
            )


class _Request:
    """One admitted request: its clock, its share of the buffers, its place among those running."""

    def __init__(self, guard: Guard, limits: EndpointLimits, receive: Receive, send: Send) -> None:
        self._guard, self._limits = guard, limits
        self._receive, self._send = receive, send
        self._held, self._runs, self._started = 0, False, False
        self._clock: asyncio.Timeout | None = None

    async def run(self, app: App, scope: Scope) -> None:
        try:
            if scope["method"] != "POST":
                self._begin()
            # Most requests never wait: their body is there, and they are computed at once. They
            # need no clock, which would add 11 us to the 183 to 222 that one takes.
            answering = app(scope, self.receive, self.send)
            waits_for = _first_step(answering)
            if waits_for is not _ENDED:
                async with asyncio.timeout(self._allowed()) as self._clock:
                    await _rest(answering, waits_for)
        except RequestError as err:  # of `_begin`, before the application was called
            await self._guard.refuse(scope, self._send, err)
        except TimeoutError:
            if not self._started:
                await self._guard.refuse(scope, self._send, self._too_slow())
        finally:
            self._guard.running -= self._runs
            self._guard.buffered -= self._held

    async def receive(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        size = len(message.get("body", b""))
        self._held += size
        self._guard.buffered += size
        if self._guard.buffered > BUFFERED_BYTES:
            raise _busy("the bodies that are being received fill the memory set aside for them")
        if message["type"] == "http.request" and not message.get("more_body") and not self._runs:
            self._begin()
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self._started = True
        await self._send(message)

    def _begin(self) -> None:
        """The request is complete: from now on it counts, and its own time runs."""
        if self._guard.running >= self._limits.max_concurrent:
            raise _busy(f"{self._limits.max_concurrent} requests are being computed")
        self._runs, self._guard.running = True, self._guard.running + 1
        if self._clock is not None:
            self._clock.reschedule(asyncio.get_running_loop().time() + self._allowed())

    def _allowed(self) -> float:
        """Seconds for what it is at: receiving the body, or computing."""
        limits = self._limits
        return (limits.request_timeout if self._runs else limits.body_timeout).total_seconds()

    def _too_slow(self) -> RequestError:
        allowed = self._allowed()
        if self._runs:
            return RequestError(
                504, "timeout", f"not answered within {allowed:g} s; send fewer rows, or later"
            )
        return RequestError(
            408,
            "body_too_slow",
            f"the body was not complete within {allowed:g} s",
            headers={"connection": "close"},
        )


_ENDED = object()


def _first_step(coroutine: Coroutine[Any, Any, None]) -> Any:
    """Run until it waits; what it waits for, or `_ENDED`, which no task waits for."""
    try:
        return coroutine.send(None)
    except StopIteration:
        return _ENDED


@types.coroutine
def _rest(started: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Run to its end what `_first_step` left waiting."""
    while True:
        try:
            answer = yield waits_for
        except BaseException as err:
            resume = partial(started.throw, err)
        else:
            resume = partial(started.send, answer)
        try:
            waits_for = resume()
        except StopIteration:
            return


def _busy(why: str) -> RequestError:
    return RequestError(503, "overloaded", f"{why}; try again", headers={"retry-after": "1"})


def allow_many_connections() -> None:
    """Raise this process's limit of open files to the highest that the system lets it.

    At the usual 1,024 some thousand idle connections would lock everybody out.
    """
    _, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest, highest))
