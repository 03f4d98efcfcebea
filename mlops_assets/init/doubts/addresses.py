"""Addresses of files that are refused before anything is fetched: with a secret."""

import re

from mlops_assets.errors import ConfigError
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
