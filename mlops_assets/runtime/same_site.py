"""Whether a request comes from where it may: for the endpoint, and for the user interfaces.

A browser sends requests to this machine for any web page that it shows. What tells them apart is
`Origin`, the page's own address; and, where the page's name was made to mean this machine (DNS
rebinding), `Host`, the name that was asked for. Addresses cannot be made to mean anything else, and
a name without a dot is nobody's in the public DNS.
"""

import re
from collections.abc import Collection
from functools import lru_cache
from ipaddress import ip_address

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?")
_LONGEST_NAME = 300


def is_own_host(host: str, names: Collection[str]) -> bool:
    """Whether a Host header names this server: an address, a name without a dot, one of `names`.

    Those are in lower case, without port; `*.example.com` stands for all below it, `*` for all. No
    browser sends no header.
    """
    return not host or "*" in names or (len(host) < _LONGEST_NAME and _is_own(host, tuple(names)))


@lru_cache(maxsize=256)
def _is_own(host: str, names: tuple[str, ...]) -> bool:
    parts = _HOST.fullmatch(host.lower())
    if parts is None:
        return False
    name = parts[1].strip("[]").removesuffix(".")
    if "." not in name or name.endswith(".localhost") or _is_address(name):
        return True
    return any(name.endswith(one[1:]) if one.startswith("*.") else name == one for one in names)


def is_own_origin(origin: str, host: str, origins: Collection[str]) -> bool:
    """Whether an Origin header is that of the server's own pages, or one of `origins`.

    The scheme is not compared: behind a proxy that ends TLS only the browser knows it.
    """
    return origin in origins or (host != "" and origin.partition("://")[2] == host)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
