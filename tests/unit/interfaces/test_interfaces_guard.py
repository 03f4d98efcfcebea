"""The guard before a user interface: pages, names, methods, and who logs in."""

import asyncio
import base64
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from mlops_assets.errors import ConfigError
from mlops_assets.interfaces.guard import Access, guarded
from mlops_assets.interfaces.login import Login
from resources.endpoints.api_keys import digest

OWN = {"host": "127.0.0.1:3000"}
CROSS_IMAGE = {
    "sec-fetch-site": "cross-site",
    "sec-fetch-mode": "no-cors",
    "sec-fetch-dest": "image",
}
LINK = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"}


async def page(request: Request) -> PlainTextResponse:
    user = request.scope.get("user")
    return PlainTextResponse(user.display_name if user else "nobody")


async def live(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("live")
    await socket.close()


class Client:
    """Asks the guarded pages without a server."""

    def __init__(self, access: Access, peer: str = "127.0.0.1") -> None:
        paths = ("/graphql", "/runs", "/server_info", "/health")
        routes: list[Any] = [Route(path, page, methods=["GET", "POST"]) for path in paths]
        app = Starlette(routes=[*routes, WebSocketRoute("/graphql", live)])
        self._app, self._peer = guarded(app, access), peer

    def ask(self, method: str, path: str, headers: Mapping[str, str] = OWN) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport: Any = httpx.ASGITransport(self._app, client=(self._peer, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as one:
                return await one.request(method, path, headers=headers)

        return asyncio.run(asked())

    def connect(self, headers: Mapping[str, str]) -> str:
        """The first message of a live connection."""
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "websocket", "path": "/graphql", "headers": named, "subprotocols": []}
        asyncio.run(self._app({**scope, "client": (self._peer, 1)}, receive, send))
        return sent[0]["type"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/graphql", {}, 200),
        ("POST", "/graphql", {"origin": "http://127.0.0.1:3000"}, 200),
        ("POST", "/graphql", {"origin": "http://127.0.0.1:5000"}, 403),
        ("POST", "/graphql", {"origin": "http://evil.example"}, 403),
        ("POST", "/graphql", {"origin": "null"}, 403),
        ("POST", "/graphql", {"sec-fetch-site": "cross-site"}, 403),
        ("POST", "/graphql", {"sec-fetch-site": "same-site"}, 403),
        ("POST", "/graphql", {"sec-fetch-site": "same-origin"}, 200),
        ("POST", "/graphql", LINK | {"sec-fetch-site": "cross-site"}, 403),  # a form
        ("POST", "/graphql", {"host": "evil.example"}, 403),
        ("POST", "/graphql", {"host": "evil.example", "origin": "http://evil.example"}, 403),
        ("GET", "/graphql", {}, 405),
        ("HEAD", "/graphql", CROSS_IMAGE, 403),
        ("GET", "/graphql", CROSS_IMAGE, 403),
        ("GET", "/graphql", CROSS_IMAGE | {"sec-fetch-site": "same-site"}, 403),
        ("GET", "/graphql", {"accept": "text/html"}, 200),  # the page for queries, which runs none
        ("GET", "/runs", CROSS_IMAGE, 403),
        ("GET", "/runs", LINK | {"sec-fetch-site": "cross-site"}, 200),
        ("GET", "/runs", LINK | {"sec-fetch-site": "cross-site", "sec-fetch-dest": "iframe"}, 403),
        ("GET", "/runs", {"sec-fetch-site": "none"}, 200),
        ("GET", "/runs", {"sec-fetch-site": "same-origin"}, 200),
    ],
)  # fmt: skip
def test_only_own_pages_move_anything(
    method: str, path: str, headers: Mapping[str, str], status: int
) -> None:
    answer = Client(Access()).ask(method, path, headers=OWN | dict(headers))
    assert answer.status_code == status, answer.text


def test_a_live_connection_is_for_own_pages_too() -> None:
    assert Client(Access()).connect(OWN) == "websocket.accept"
    foreign: list[dict[str, str]] = [
        *({"origin": "http://evil.example"}, {"host": "evil.example"}),
        LINK | {"sec-fetch-site": "cross-site"},
    ]
    for headers in foreign:
        assert Client(Access()).connect(OWN | headers) == "websocket.close"


def test_a_given_name_is_taken_also_of_a_proxy_that_hides_it() -> None:
    asked = Client(Access(hosts=("ui.example.com",)))
    for headers, status in (
        ({"host": "ui.example.com", "origin": "https://ui.example.com"}, 200),
        (OWN | {"origin": "https://ui.example.com"}, 200),
        (OWN | {"origin": "https://x.example"}, 403),
    ):
        assert asked.ask("POST", "/graphql", headers).status_code == status


def basic(name: str, key: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{key}".encode()).decode()}


def test_a_user_logs_in_by_name_and_key(monkeypatch: pytest.MonkeyPatch) -> None:
    users = f"ada:{digest('key of ada')}, bob@example.com:{digest('another')}"
    monkeypatch.setenv("MLOPS_UI_USERS", users)
    asked = Client(Access.of_environment())

    for name, key in (("ada", "key of ada"), ("bob@example.com", "another")):
        assert asked.ask("GET", "/runs", basic(name, key)).text == name
    for headers in (
        *({}, basic("ada", "another"), basic("eve", "key of ada"), basic("", ""), basic("eve", "")),
        *({"authorization": "Basic ///"}, {"authorization": f"Bearer {digest('key of ada')}"}),
    ):
        refused = asked.ask("GET", "/runs", headers=headers)
        assert (refused.status_code, refused.headers["www-authenticate"][:5]) == (401, "Basic")
    assert asked.ask("GET", "/server_info").status_code == 200  # probes cannot log in
    assert asked.connect(OWN) == "websocket.close"
    assert asked.connect(OWN | basic("ada", "key of ada")) == "websocket.accept"


def test_a_named_proxy_says_who_it_is_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_UI_USER_HEADER", "X-Forwarded-Email")
    monkeypatch.setenv("MLOPS_UI_PROXIES", "127.0.0.1, 10.0.0.0/8")
    said = {"x-forwarded-email": "ada@example.com"}

    for peer, status in (("10.1.2.3", 200), ("127.0.0.1", 200), ("192.0.2.1", 401)):
        answer = Client(Access.of_environment(), peer).ask("GET", "/runs", headers=said)
        assert answer.status_code == status
        assert (answer.text == "ada@example.com") == (status == 200)
    assert Client(Access.of_environment(), "10.1.2.3").ask("GET", "/runs").status_code == 401


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"MLOPS_UI_USERS": "ada:secret"}, "MLOPS_UI_USERS: entries [1]"),
        ({"MLOPS_UI_USERS": "adasecret"}, "MLOPS_UI_USERS: entries [1]"),
        ({"MLOPS_UI_USER_HEADER": "X-User"}, "set MLOPS_UI_PROXIES"),
        ({"MLOPS_UI_USER_HEADER": "X", "MLOPS_UI_PROXIES": "proxy"}, "MLOPS_UI_PROXIES: 'proxy'"),
    ],
)
def test_a_login_that_would_let_nobody_or_everybody_in_is_refused(
    monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as refused:
        Login.of_environment()
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)
