"""What `serving.process.connections` relies on in uvicorn. Where one fails, look at that module.

How connections then behave is tested in `tests/e2e/endpoints/test_connections.py`.
"""

import asyncio
import inspect

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from mlops_assets.serving.process.connections import Connection, Worker, keep_connections_so


async def nobody(_scope: object, _receive: object, _send: object) -> None:
    """An application that is never asked."""


OVERRIDDEN = [name for name in vars(Connection) if hasattr(HttpToolsProtocol, name)]


@pytest.fixture
def config() -> uvicorn.Config:
    made = uvicorn.Config(nobody, http=Connection, log_config=None, server_header=False)
    made.load()
    return made


def test_the_protocol_has_every_call_that_we_answer_too() -> None:
    ours = {name for name, part in vars(Connection).items() if inspect.isfunction(part)}
    assert {name for name in ours if not name.startswith("_")} <= set(OVERRIDDEN)


@pytest.mark.parametrize("name", [one for one in OVERRIDDEN if not one.startswith("__")])
def test_a_call_is_made_with_the_same_arguments(name: str) -> None:
    ours, theirs = getattr(Connection, name), getattr(HttpToolsProtocol, name)
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


def test_a_connection_has_what_we_read(config: uvicorn.Config) -> None:
    async def made() -> dict:
        return vars(Connection(config, ServerState(), {}))

    read = {"cycle", "headers", "loop", "timeout_keep_alive", "transport"}
    assert read <= asyncio.run(made()).keys()
    answered = inspect.getsource(RequestResponseCycle.__init__)
    assert all(f"self.{name}" in answered for name in ("more_body", "response_complete"))


def test_uvicorn_still_keeps_a_connection_that_asks_nothing(config: uvicorn.Config) -> None:
    """When this fails, it ends such by itself: see what of `Connection` is still needed."""

    async def timer() -> object:
        connection = HttpToolsProtocol(config, ServerState(), {})
        connection.connection_made(asyncio.Transport())
        return connection.timeout_keep_alive_task

    assert asyncio.run(timer()) is None


def test_a_server_tells_its_connections_through_what_a_worker_changes(
    config: uvicorn.Config,
) -> None:
    worker = Worker(config)
    assert worker.server_state.default_headers == []
    assert worker.server_state.connections == set()
    assert config.encoded_headers == []
    assert list(inspect.signature(uvicorn.Server.shutdown).parameters) == ["self", "sockets"]
    assert "self.servers" in inspect.getsource(uvicorn.Server.startup)


def test_a_server_that_chooses_no_protocol_takes_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    from uvicorn.config import HTTP_PROTOCOLS

    monkeypatch.setitem(HTTP_PROTOCOLS, "auto", HTTP_PROTOCOLS["auto"])
    keep_connections_so()
    config = uvicorn.Config(nobody)
    config.load()
    assert config.http_protocol_class is Connection
