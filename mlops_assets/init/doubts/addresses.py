"""Addresses that are refused before anything is fetched: with a secret, or of no database."""

import re
from pathlib import Path

from mlops_assets.errors import ConfigError, SourceError
from mlops_assets.redaction import without_secrets

_CONTAINER = re.compile(r"^(abfss?|az)://[^/@:]+@")
"""Of Azure: what stands before the @ is no user."""


def require_no_secret(address: str) -> None:
    """Refuse the address of a file with a password or a token, which would stand in the loader.

    Raises:
        ConfigError: It has one; shown without it.
    """
    shown = without_secrets(bare := _CONTAINER.sub(r"\1://", address))
    if shown != bare:
        raise ConfigError(
            f"the address {shown} holds a password or a token, which would stand in a file; put "
            "the address into a variable, e.g. SHOP_CSV, and name that: mlops init env:SHOP_CSV ..."
        )


def require_database(url: str) -> None:
    """Refuse a file of SQLite that is not there: connecting would make an empty one.

    Raises:
        SourceError: It is not.
    """
    from sqlalchemy import make_url

    made = make_url(url)
    file = made.database or ""
    if made.get_backend_name() != "sqlite" or file in ("", ":memory:") or file.startswith("file:"):
        return
    if not Path(file).is_file():
        raise SourceError(f"{file}: there is no such file; correct the path of the database")
