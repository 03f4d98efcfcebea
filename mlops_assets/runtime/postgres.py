"""What everybody who speaks to a Postgres must tell apart; who connects to which is not here."""

import re

from mlops_assets.errors import ConfigError

SCHEMES = ("postgres://", "postgresql://", "postgresql+psycopg2://")
"""What an address may begin with; all mean psycopg2, which is Dagster's driver."""
_SCHEME = re.compile(r"[\w+.-]+")
QUOTING = "with `/`, `?`, `#` and `@` of a password as %2F, %3F, %23 and %40"
"""What an address that cannot be read lacks, as a rule."""
_PARTS = re.compile(r"(?:[^:/]*(?::[^@]*)?@)?(?P<place>[^?]*)\??(?P<query>.*)", re.DOTALL)
"""What follows the scheme, as SQLAlchemy divides it: a user, where it is, and parameters."""
_REFUSALS = (
    *("authentication failed", "does not exist", "no pg_hba.conf entry", "not permitted"),
    *("permission denied", "certificate", "no password supplied"),
)


def is_refusal(said: str) -> bool:
    """Whether a server says so to every new connection; of one that failed it gives no code."""
    return any(one in said for one in _REFUSALS)


def require_address(address: str) -> str:
    """The same address of a Postgres; `ConfigError` if it is none, quoting nothing of a user."""
    scheme, mark, _ = address.partition("://")
    if mark and _SCHEME.fullmatch(scheme) and not address.startswith(SCHEMES):
        raise ConfigError(
            f"the database's address begins with {scheme!r}; "
            "write postgresql://USER:PASSWORD@HOST/NAME"
        )
    if not address.startswith(SCHEMES) or is_torn(address):
        raise ConfigError(
            "the database's address is none; write postgresql://USER:PASSWORD@HOST:PORT/NAME, "
            f"{QUOTING}"
        )
    return address


def is_torn(address: str) -> bool:
    """Whether an `@` stands where none belongs, so that what comes before it ends a password.

    Whoever connects to such a host says its name in an error. An address without a host, as of a
    file, is not torn.
    """
    rest = address.partition("://")[2]
    found = _PARTS.fullmatch(rest)
    if found is None or rest.startswith("/"):
        return False
    names = (one.partition("=")[0] for one in found["query"].split("&"))
    return any("@" in part for part in (found["place"], *names))
