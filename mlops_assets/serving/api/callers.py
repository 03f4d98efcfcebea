"""Who asks the endpoint: from which page, from where, and with which key."""

import hashlib
import hmac
from ipaddress import IPv6Address, IPv6Network

from mlops_assets.records.serving import EndpointLimits
from mlops_assets.runtime.same_site import is_own_host, is_own_origin
from mlops_assets.serving.wire.http import RequestError, Scope


def require_own_site(scope: Scope, limits: EndpointLimits) -> None:
    """Refuse by 403 what another page sent, or what was asked for by another server's name."""
    headers = dict(scope["headers"])
    host = headers.get(b"host", b"").decode("latin-1")
    if not is_own_host(host, limits.hosts):
        raise RequestError(
            403, "foreign_host", f"{host[:100]!r} is not this endpoint; see deployment.hosts"
        )
    if b"origin" in headers:
        origin = headers[b"origin"].decode("latin-1")
        if not is_own_origin(origin, host, limits.origins):
            raise RequestError(
                403,
                "foreign_origin",
                f"pages of {origin[:100]!r} may not ask; see deployment.origins",
            )


def client_address(scope: Scope) -> str:
    """Whose rate it is: an IPv4 address, or the network in which an IPv6 client picks its own."""
    address = (scope.get("client") or ("unknown",))[0]
    if ":" not in address:
        return address
    try:
        six = IPv6Address(address)
    except ValueError:  # e.g. what a named proxy wrote
        return address
    return str(six.ipv4_mapped or IPv6Network((int(six), 64), strict=False))


def identify(scope: Scope, limits: EndpointLimits) -> str | None:
    """The digest of the key that the request carries, if it is a known one.

    Every known digest is compared, each in constant time: the time tells nothing of any of them.
    """
    key = sent_key(scope)
    if key is None:
        return None
    digest = hashlib.sha256(key).hexdigest()
    known = (*limits.key_digests, *filter(None, [limits.operator_digest]))
    matches = [hmac.compare_digest(digest, one) for one in known]
    return digest if any(matches) else None


def sent_key(scope: Scope) -> bytes | None:
    """The key that the request carries, known or not."""
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            return value
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip()
    return None
