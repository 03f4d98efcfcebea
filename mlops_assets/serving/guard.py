"""What stands before the endpoint's application: who may ask, how often, how many, how long.

Everything it enforces comes with the manifest, so it changes as a version does: without a restart.
Rates are counted over the endpoint's workers together, what runs and waits by each alone. Health,
metrics and the page that shows the API pass it.
"""

import asyncio
import hashlib
import hmac
import math
import resource
import time
import types
from collections.abc import Callable, Coroutine, Generator, MutableMapping
from functools import partial
from typing import Any

from mlops_assets.records.serving import Limits
from mlops_assets.serving.http import Receive, RequestError, Scope, Send, send_error
from mlops_assets.serving.rates import Buckets

App = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]
Count = Callable[[Scope, RequestError], None]

OPEN_PATHS = ("/livez", "/readyz", "/metrics", "/", "/docs")
BUFFERED_BYTES = 64_000_000
"""How much of unfinished bodies a worker holds; many slow clients must not fill its memory."""

UNLOGGED = (b"x-mlops-log", b"no")
"""The header of the deployer's own checks: no traffic, so no rows of the prediction log."""


class Guard:
    """Passes a request on to `app` within the limits; answers it itself otherwise."""

    def __init__(
        self, app: App, limits: Callable[[], Limits | None], count: Count, buckets: Buckets
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        limits = self._limits()
        if scope["type"] != "http" or limits is None or scope["path"] in OPEN_PATHS:
            return await self._app(scope, receive, send)
        try:
            self._admit(scope, limits)
        except RequestError as err:
            return await self.refuse(scope, send, err)
        return await _Request(self, limits, receive, send).run(self._app, scope)

    async def refuse(self, scope: Scope, send: Send, err: RequestError) -> None:
        """Answer by the error, and count it."""
        self._count(scope, err)
        await send_error(send, err)

    def _admit(self, scope: Scope, limits: Limits) -> None:
        who = identify(scope, limits)
        if who is not None and who == limits.operator_digest:
            scope["unlogged"] = UNLOGGED in scope["headers"]
            return
        if limits.key_digests and who is None:
            raise RequestError(
                401,
                "unauthorized",
                "send a valid key as `Authorization: Bearer KEY` or `X-API-Key: KEY`",
                headers={"www-authenticate": "Bearer"},
            )
        if limits.rate_limit is not None:
            address = (scope.get("client") or ("unknown",))[0]
            wait = self._buckets.take(who or address, limits.rate_limit, time.monotonic())
            if wait > 0:
                raise RequestError(
                    429,
                    "too_many_requests",
                    f"at most {limits.rate_limit.per_second:g} requests per second; wait",
                    headers={"retry-after": str(math.ceil(wait))},
                )


class _Request:
    """One admitted request: its clock, its share of the buffers, its place among those running."""

    def __init__(self, guard: Guard, limits: Limits, receive: Receive, send: Send) -> None:
        self._guard, self._limits = guard, limits
        self._receive, self._send = receive, send
        self._held, self._runs, self._started = 0, False, False
        self._clock: asyncio.Timeout | None = None

    async def run(self, app: App, scope: Scope) -> None:
        try:
            if scope["method"] != "POST":
                self._begin()
            # Most requests never wait: their body is there, and they are computed at once. They
            # need no clock, which would be a tenth of what they cost.
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


def identify(scope: Scope, limits: Limits) -> str | None:
    """The digest of the key that the request carries, if it is a known one.

    Every known digest is compared, each in constant time: the time tells nothing of any of them.
    """
    key = _key(scope)
    if key is None:
        return None
    digest = hashlib.sha256(key).hexdigest()
    known = (*limits.key_digests, *filter(None, [limits.operator_digest]))
    matches = [hmac.compare_digest(digest, one) for one in known]
    return digest if any(matches) else None


def _key(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            return value
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip()
    return None


def _busy(why: str) -> RequestError:
    return RequestError(503, "overloaded", f"{why}; try again", headers={"retry-after": "1"})


def allow_many_connections() -> None:
    """Raise this process's limit of open files to the highest that the system lets it.

    At the usual 1,024 some thousand idle connections would lock everybody out.
    """
    _, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest, highest))
