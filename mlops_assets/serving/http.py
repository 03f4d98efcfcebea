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
    """Read at most `limit` bytes, whatever Content-Length claims.

    Raises:
        RequestError: 413, the body is longer.
        ClientGoneError: The client closed the connection.
    """
    too_long = RequestError(
        413, "body_too_large", f"the body is longer than {limit} bytes; send fewer rows"
    )
    claimed = dict(scope["headers"]).get(b"content-length", b"")
    if claimed.isdigit() and int(claimed[:20]) > limit:
        raise too_long
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body += message.get("body", b"")
        if len(body) > limit:
            raise too_long
        if not message.get("more_body", False):
            return bytes(body)


async def send_bytes(
    send: Send, status: int, body: bytes, media: str, headers: Mapping[str, str] | None = None
) -> None:
    """Send a whole response."""
    fields = {"content-type": media, "content-length": str(len(body)), **(headers or {})}
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


async def send_error(send: Send, error: RequestError) -> None:
    """Send the error's body."""
    await send_bytes(send, error.status, msgspec.json.encode(error.body), JSON, error.headers)
