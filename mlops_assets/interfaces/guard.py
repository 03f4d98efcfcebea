"""What stands before a user interface: no other web page moves anything in it, nobody unknown.

Neither Dagster nor MLflow tells its own pages' requests from those that any other page makes the
same browser send, and Dagster executes what a GET asks for, as an `<img>` sends it. Here a request
must name this server (`Host`), come from its own pages (`Origin`, and `Sec-Fetch-Site` where a
browser sends no origin), and change nothing by GET. A link from elsewhere to a page is followed.
"""

import os
from dataclasses import dataclass
from typing import Any, Self

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from mlops_assets.interfaces.login import Login, ask_to_log_in
from mlops_assets.runtime.same_site import is_own_host, is_own_origin

_PROBES = ("/server_info", "/health")
"""What Kubernetes asks, without a login."""


@dataclass(frozen=True)
class Access:
    """Who may use the interfaces, and under which names."""

    hosts: tuple[str, ...] = ()
    """Names besides addresses and names without a dot, as `same_site` reads them."""
    login: Login | None = None
    """Without, everybody who reaches the port."""

    @property
    def origins(self) -> tuple[str, ...]:
        """Of the pages under these names, for a proxy that does not pass `Host` on."""
        return tuple(f"{scheme}://{host}" for host in self.hosts for scheme in ("https", "http"))

    @classmethod
    def of_environment(cls) -> Self:
        """Read `MLOPS_UI_HOSTS`, and what `Login` reads; `ConfigError` for what cannot be meant."""
        names = os.environ.get("MLOPS_UI_HOSTS", "").lower().split(",")
        hosts = tuple(name.strip() for name in names if name.strip())
        return cls(hosts, Login.of_environment())


def guarded(app: ASGIApp, access: Access) -> ASGIApp:
    """The application behind the guard; `scope["user"]` is who logged in."""
    if access.login is None:
        return _Guard(app, app, access)
    known: Any = AuthenticationMiddleware(app, access.login, on_error=ask_to_log_in)
    return _Guard(known, app, access)


class _Guard:
    def __init__(self, app: ASGIApp, unasked: ASGIApp, access: Access) -> None:
        self._app, self._unasked, self._access = app, unasked, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._unasked(scope, receive, send)
        if refused := self._refusal(scope, Headers(scope=scope)):
            return await _refuse(scope, receive, send, refused)
        probed = scope["type"] == "http" and scope["path"] in _PROBES
        return await (self._unasked if probed else self._app)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> HTTPException | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if not is_own_host(host, self._access.hosts):
            return HTTPException(403, f"{host[:100]!r} is not this server; see MLOPS_UI_HOSTS")
        if origin is not None and not is_own_origin(origin, host, self._access.origins):
            return HTTPException(403, f"pages of {origin[:100]!r} may not ask; see MLOPS_UI_HOSTS")
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        asked = reads or origin is None
        if asked and not (_is_own_page(headers) or (reads and _is_followed_link(headers))):
            return HTTPException(403, "another page may not ask; open this address by itself")
        if not reads:
            return None
        if scope["path"].endswith("/graphql") and "text/html" not in headers.get("accept", ""):
            return HTTPException(405, "send a query by POST", {"allow": "POST"})
        return None


def _is_own_page(headers: Headers) -> bool:
    """Also what was typed, and what no browser sends."""
    return headers.get("sec-fetch-site", "none") in ("none", "same-origin")


def _is_followed_link(headers: Headers) -> bool:
    sent = [headers.get(f"sec-fetch-{what}") for what in ("mode", "dest")]
    return sent == ["navigate", "document"]


async def _refuse(scope: Scope, receive: Receive, send: Send, why: HTTPException) -> None:
    if scope["type"] == "websocket":
        return await WebSocketClose(1008, why.detail)(scope, receive, send)
    answer = PlainTextResponse(f"{why.detail}\n", why.status_code, why.headers)
    return await answer(scope, receive, send)
