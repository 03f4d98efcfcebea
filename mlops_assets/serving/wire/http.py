"""The little HTTP that the endpoint needs: a bounded body in, JSON out, errors of one shape."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import msgspec

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"

PREDICTING = ("/predict", "/predict_features")
"""Paths that answer with predictions."""


class RequestError(Exception):
    """Answered as `{"error": {"code", "message", "details"}}`."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: list[dict[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.body = {"error": {"code": code, "message": message, "details": details or []}}


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete."""


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Read at most `limit` bytes, whatever Content-Length claims, as they are.

    Raises:
        RequestError: 413, the body is longer; 415, its bytes stand for others.
        ClientGoneError: The client closed the connection.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value[:20]) > limit:
            raise _too_long(limit)
        if name == b"content-encoding" and value.lower() != b"identity":
            raise _encoded(value)
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        part = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > limit:
            raise _too_long(limit)
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_long(limit: int) -> RequestError:
    message = f"the body is longer than {limit} bytes; send fewer rows"
    return RequestError(413, "body_too_large", message)


def _encoded(how: bytes) -> RequestError:
    message = f"content-encoding {how.decode('latin-1')[:40]!r} is not read here; send plain JSON"
    return RequestError(415, "encoded_body", message, headers={"accept-encoding": "identity"})


async def send_bytes(
    send: Send, status: int, body: bytes, media: str, headers: Mapping[str, str] | None = None
) -> None:
    """Send a whole response."""
    encoded = [(b"content-type", media.encode()), (b"content-length", b"%d" % len(body))]
    for name, value in (headers or {}).items():
        encoded.append((name.encode("latin-1"), value.encode("latin-1")))
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


async def send_error(send: Send, error: RequestError) -> None:
    """Send the error's body."""
    await send_bytes(send, error.status, msgspec.json.encode(error.body), JSON, error.headers)
