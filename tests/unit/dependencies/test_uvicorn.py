"""What `serving.process.connections` relies on in uvicorn. Where one fails, look at that module.

How connections then behave is tested in `tests/e2e/endpoints/test_connections.py`.
"""

import asyncio
import inspect
from typing import Any

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


class Wire(asyncio.Transport):
    """Keeps each write; what is sent over it comes in at once."""

    def __init__(self) -> None:
        super().__init__()
        self.writes, self.closed = [], False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """Nothing comes."""

    def resume_reading(self) -> None:
        """Nothing comes."""


async def answers(scope: Any, receive: Any, send: Any) -> None:
    """As the path says: an answer, one in parts, one without a body, or none after its head."""
    await receive()
    sized = [] if scope["path"] == "/parts" else [(b"content-length", b"2")]
    status = 204 if scope["path"] == "/empty" else 200
    headers = [] if status == 204 else sized
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if scope["path"] == "/fails":
        raise ValueError("after its head")
    if scope["path"] == "/parts":
        for _ in range(2):
            await send({"type": "http.response.body", "body": b"part", "more_body": True})
            await asyncio.sleep(0)
    body = b"ok" if scope["path"] == "/" else b""
    await send({"type": "http.response.body", "body": body})


def sent(*requests: bytes) -> Wire:
    """What an application writes to a connection that is sent these pieces."""

    async def exchange() -> Wire:
        config = uvicorn.Config(answers, http=Connection, log_config=None, server_header=False)
        config.load()
        connection, wire = Connection(config, ServerState(), {}), Wire()
        connection.connection_made(wire)
        for request in requests:
            connection.data_received(request)
            for _ in range(10):
                await asyncio.sleep(0)
        connection.connection_lost(None)
        return wire

    return asyncio.run(exchange())


GET = b"GET %b HTTP/1.1\r\nhost: endpoint\r\n\r\n"
EXPECTING = (
    b"POST / HTTP/1.1\r\nhost: endpoint\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n"
)


@pytest.mark.parametrize("requests", [(GET % b"/", GET % b"/"), (2 * (GET % b"/"),)])
def test_an_answer_is_one_write_each(requests: tuple[bytes, ...]) -> None:
    writes = sent(*requests).writes
    assert len(writes) == 2
    for write in writes:
        head, _, body = write.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert body == b"ok"


def test_of_an_answer_in_parts_each_is_sent_when_it_is_there() -> None:
    first, *rest = sent(GET % b"/parts").writes
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert first.endswith(b"\r\n\r\n4\r\npart\r\n")
    assert rest == [b"4\r\npart\r\n", b"0\r\n\r\n"]


@pytest.mark.parametrize(
    "request_", [GET % b"/empty", (GET % b"/").replace(b"GET", b"HEAD")], ids=["204", "HEAD"]
)
def test_an_answer_without_a_body_is_its_head(request_: bytes) -> None:
    (head,) = [write for write in sent(request_).writes if write]
    assert head.endswith(b"\r\n\r\n")


def test_who_waits_to_be_told_to_send_on_is_told() -> None:
    asked, answer = sent(EXPECTING, b"ab").writes[0], b"".join(sent(EXPECTING, b"ab").writes)
    assert asked == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.endswith(b"\r\n\r\nok")
    assert b"HTTP/1.1 200 OK" in answer


def test_a_connection_of_which_an_answer_fails_is_closed() -> None:
    wire = sent(GET % b"/fails")
    assert wire.closed
    assert b"ok" not in b"".join(wire.writes)


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
