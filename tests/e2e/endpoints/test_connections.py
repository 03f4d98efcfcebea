"""How long the server keeps connections, on a real uvicorn with a keep-alive of half a second."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import uvicorn

from mlops_assets.serving.process.connections import (
    MOST_HEAD_BYTES,
    MOST_HEADERS,
    Connection,
    Worker,
)

pytestmark = pytest.mark.e2e

IDLE_SECONDS = 0.5
HEAD = b"GET / HTTP/1.1\r\nhost: endpoint\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nhost: endpoint\r\n\r\n"
LINES = b"X: a\r\n" * 150_000
LINE = b"X: " + b"a" * 1_000_000
CHUNKED = b"POST / HTTP/1.1\r\nhost: endpoint\r\ntransfer-encoding: chunked\r\n\r\n"
Clients = Callable[[int], list[Awaitable[tuple[float, bytes]]]]


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(3 * IDLE_SECONDS)
    length = (b"content-length", b"2")
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": b"ok"})


async def lasts(port: int, *sent: bytes) -> tuple[float, bytes]:
    """Send each part when the one before was answered or 0.3 s passed, until the server closes."""
    started, answers = time.monotonic(), b""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(ConnectionResetError):
        for part in sent:
            writer.write(part)
            with suppress(TimeoutError):
                answers += await asyncio.wait_for(reader.read(1000), 0.3)
        answers += await reader.read()
    writer.close()
    return time.monotonic() - started, answers


async def scenario(clients: Clients) -> list[tuple[float, bytes]]:
    config = uvicorn.Config(
        app, port=0, http=Connection, ws="none", lifespan="off", log_config=None,
        timeout_keep_alive=IDLE_SECONDS,  # ty: ignore[invalid-argument-type]
    )  # fmt: skip
    server = Worker(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        return await asyncio.gather(*clients(port))
    finally:
        server.should_exit = True
        await serving


def test_idle_connections_end_and_no_request_is_cut_off() -> None:
    def clients(port: int) -> list[Awaitable[tuple[float, bytes]]]:
        return [
            lasts(port),
            lasts(port, HEAD, b"a: 1\r\n"),
            lasts(port, HEAD + b"\r\n", HEAD + b"\r\n"),
            lasts(port, SLOW),
            lasts(port, SLOW + SLOW),
        ]

    ended = asyncio.run(asyncio.wait_for(scenario(clients), 30))  # uvicorn keeps the first two
    never_asked, half_a_head, answered, slow, pipelined = ended

    assert never_asked[1] == half_a_head[1] == b""
    assert min(never_asked[0], half_a_head[0]) >= IDLE_SECONDS
    assert answered[1].count(b"200 OK") == 2
    assert slow[1].count(b"200 OK") == 1
    assert slow[0] >= 4 * IDLE_SECONDS  # its answer, then the wait for another request
    assert pipelined[1].count(b"200 OK") == 2


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (HEAD + LINES, 0),
        (HEAD + LINE, 0),
        (HEAD + LINE + b"\r\n\r\n", 0),
        (HEAD + b"a" * 1_000_000, 0),
        (b"GET /" + b"a" * 1_000_000, 0),
        (b"\r\n" * 500_000, 0),
        (HEAD + b"\r\n" + HEAD + LINES, 1),
        (SLOW + SLOW + HEAD + LINE, 2),
    ],
)
def test_a_head_without_end_is_refused_while_it_is_sent(sent: bytes, answered: int) -> None:
    ((_, answers),) = asyncio.run(scenario(lambda port: [lasts(port, sent)]))
    assert answers.count(b"200 OK") == answered
    assert answers.partition(b" 431 ")[2].endswith(b"bytes\n")


@pytest.mark.parametrize("trailers", [LINES, LINE])
def test_trailers_without_end_end_the_connection(trailers: bytes) -> None:
    sent = CHUNKED.replace(b"/ ", b"/slow ") + b"2\r\nab\r\n0\r\n" + trailers
    ((seconds, answers),) = asyncio.run(scenario(lambda port: [lasts(port, sent)]))
    assert seconds < 3 * IDLE_SECONDS
    assert answers == b""


def test_the_bounds_of_a_head_hold_for_each_request_of_a_connection() -> None:
    def head(count: int, size: int) -> bytes:
        return HEAD + b"".join(b"a%d: %s\r\n" % (n, b"b" * size) for n in range(count)) + b"\r\n"

    large, many = head(1, MOST_HEAD_BYTES - 100), head(MOST_HEADERS - 1, 10)
    body = CHUNKED + b"30d40\r\n" + b"a" * 200_000 + b"\r\n0\r\n\r\n"
    sent = [
        *((large * 5, 5, 0), (many * 5, 5, 0), ((body + large) * 3, 6, 0)),
        *((many + head(MOST_HEADERS, 1), 1, 1), (large + head(1, MOST_HEAD_BYTES), 1, 1)),
    ]
    ended = asyncio.run(scenario(lambda port: [lasts(port, one) for one, _, _ in sent]))
    for (_, answers), (_, taken, refused) in zip(ended, sent, strict=True):
        assert (answers.count(b"200 OK"), answers.count(b" 431 ")) == (taken, refused)
