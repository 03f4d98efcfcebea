"""The server's limit: typed JSON, one ONNX Runtime call, JSON; no check, no log, no metric, no id.

The same graph, the same runtime and the same HTTP server (uvicorn) as the product's endpoint.
"""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime

Message = MutableMapping[str, Any]


class Flight(msgspec.Struct):
    """The features of one flight."""

    carrier: str
    origin: str
    dest: str
    distance: float
    weekday: float
    departure_minute: float
    temp: float
    dewp: float
    humid: float
    wind_dir: float
    wind_speed: float
    precip: float
    pressure: float
    visib: float


class Request(msgspec.Struct):
    """Rows to predict."""

    rows: list[Flight]


_decoder = msgspec.json.Decoder(Request)
_options = onnxruntime.SessionOptions()
_options.intra_op_num_threads = _options.inter_op_num_threads = 1
_session = onnxruntime.InferenceSession(Path(os.environ["PEER_ONNX"]).read_bytes(), _options)


def scores(body: bytes) -> list[float]:
    """The probability that each flight of a JSON request is late."""
    rows = [msgspec.structs.astuple(row) for row in _decoder.decode(body).rows]
    feeds = {
        "texts": np.array([row[:3] for row in rows], dtype=object),
        "numbers": np.array([row[3:] for row in rows], dtype=np.float64),
    }
    found: Any = _session.run(None, feeds)
    return found[0][:, 0].tolist()


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Answer any request as a prediction."""
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message.get("more_body"):
            break
    answer = msgspec.json.encode({"predictions": scores(body)})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
