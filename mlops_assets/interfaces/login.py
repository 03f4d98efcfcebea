"""Who uses a user interface: by a key of one's own, or as a proxy that knows the users says.

`MLOPS_UI_USERS` holds `NAME:DIGEST` entries, separated by commas; `mlops api-key` makes a key and
its digest, and the browser asks for name and key. Or `MLOPS_UI_USER_HEADER` names the header in
which the proxy at one of the addresses of `MLOPS_UI_PROXIES` says who it is, e.g. oauth2-proxy's
`X-Forwarded-Email`. From any other address the header means nothing.
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Self

from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    SimpleUser,
)
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response

from mlops_assets.errors import ConfigError

_ENTRY = re.compile(r"([A-Za-z0-9._@+-]{1,100}):([0-9a-f]{64})")


@dataclass(frozen=True)
class Login(AuthenticationBackend):
    """The users, or whose word is taken for them."""

    users: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 digests of their keys, by name."""
    header: str = ""
    """In which a proxy names the user."""
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of_environment(cls) -> Self | None:
        """Read the variables; None where nobody has to log in.

        Raises:
            ConfigError: A variable holds what cannot be meant; never with what it holds.
        """
        users, header = _variable("MLOPS_UI_USERS"), "".join(_variable("MLOPS_UI_USER_HEADER")[:1])
        if not users and not header:
            return None
        entries = [_ENTRY.fullmatch(text) for text in users]
        if wrong := [n for n, entry in enumerate(entries, start=1) if entry is None]:
            raise ConfigError(
                f"MLOPS_UI_USERS: entries {wrong} are not NAME:DIGEST; `mlops api-key` makes a key "
                "and its digest"
            )
        proxies = tuple(_network(text) for text in _variable("MLOPS_UI_PROXIES"))
        if header and not proxies:
            raise ConfigError(
                "MLOPS_UI_USER_HEADER is believed of nobody; set MLOPS_UI_PROXIES to the addresses "
                "of the proxy, e.g. 127.0.0.1"
            )
        return cls({entry[1]: entry[2] for entry in entries if entry}, header, proxies)

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser]:
        """Say who asks; `AuthenticationError` for nobody known."""
        name = self._by_proxy(conn) or self._by_key(conn)
        if not name:
            raise AuthenticationError("log in")
        return AuthCredentials(["authenticated"]), SimpleUser(name)

    def _by_proxy(self, conn: HTTPConnection) -> str | None:
        if not self.header or conn.client is None:
            return None
        peer = ip_address(conn.client.host)
        known = any(peer in network for network in self.proxies)
        return conn.headers.get(self.header) if known else None

    def _by_key(self, conn: HTTPConnection) -> str | None:
        scheme, _, encoded = conn.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            name, _, key = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        digest = hashlib.sha256(key.encode()).hexdigest()
        matches = hmac.compare_digest(digest, self.users.get(name, ""))
        return name if matches else None


def ask_to_log_in(_conn: HTTPConnection, _err: AuthenticationError) -> Response:
    """What a browser asks its user by."""
    asks = {"www-authenticate": 'Basic realm="mlops", charset="UTF-8"'}
    return PlainTextResponse("log in\n", 401, asks)


def _variable(name: str) -> list[str]:
    return [text.strip() for text in os.environ.get(name, "").split(",") if text.strip()]


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as err:
        raise ConfigError(f"MLOPS_UI_PROXIES: {err}; write e.g. 127.0.0.1 or 10.0.0.0/8") from err
