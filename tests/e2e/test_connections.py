"""How long the server keeps connections, on a real uvicorn with a keep-alive of half a second."""

import asyncio
import time
from typing import Any

import pytest
import uvicorn

from mlops_assets.serving.connections import Connection
from mlops_assets.serving.workers import Worker

pytestmark = pytest.mark.e2e

IDLE_SECONDS = 0.5
HEAD = b"GET / HTTP/1.1\r\nhost: endpoint\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nhost: endpoint\r\n\r\n"


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
    for part in sent:
        writer.write(part)
        try:
            answers += await asyncio.wait_for(reader.read(1000), 0.3)
        except TimeoutError:
            continue
    answers += await reader.read()
    writer.close()
    return time.monotonic() - started, answers


async def scenario() -> list[tuple[float, bytes]]:
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
        return await asyncio.gather(
            lasts(port),
            lasts(port, HEAD, b"a: 1\r\n"),
            lasts(port, HEAD + b"\r\n", HEAD + b"\r\n"),
            lasts(port, SLOW),
            lasts(port, SLOW + SLOW),
        )
    finally:
        server.should_exit = True
        await serving


def test_idle_connections_end_and_no_request_is_cut_off() -> None:
    ended = asyncio.run(asyncio.wait_for(scenario(), 30))  # uvicorn alone keeps the first two
    never_asked, half_a_head, answered, slow, pipelined = ended

    assert never_asked[1] == half_a_head[1] == b""
    assert min(never_asked[0], half_a_head[0]) >= IDLE_SECONDS
    assert answered[1].count(b"200 OK") == 2
    assert slow[1].count(b"200 OK") == 1
    assert slow[0] >= 4 * IDLE_SECONDS  # its answer, then the wait for another request
    assert pipelined[1].count(b"200 OK") == 2
