"""API keys: made once, known here by their SHA-256 digests only.

A key is 256 random bits, so that a plain hash of it cannot be guessed back. The deployer has a key
of its own for each endpoint, in a file that only its user can read: it asks `/model` and the
recorded requests as anybody else would, past the number of requests that others are granted.
"""

import hashlib
import os
import re
import secrets
from pathlib import Path

from mlops_assets.blocks.operation import DeploymentSettings, RequestLimits
from mlops_assets.errors import ConfigError
from mlops_assets.records.serving import EndpointLimits
from mlops_assets.runtime.atomic import write_atomically

OPERATOR_KEY = "operator.key"
_DIGEST = re.compile(r"[0-9a-f]{64}")


def new_key() -> str:
    """A new random key, fit for a header."""
    return secrets.token_urlsafe(32)


def digest(key: str) -> str:
    """What is stored in place of the key."""
    return hashlib.sha256(key.encode()).hexdigest()


def limits(settings: DeploymentSettings, endpoint: Path) -> EndpointLimits:
    """What the endpoint in that folder shall enforce."""
    granted = settings.model_dump(include=set(RequestLimits.model_fields))
    return EndpointLimits(
        **granted, key_digests=key_digests(settings), operator_digest=digest(operator_key(endpoint))
    )


def key_digests(settings: DeploymentSettings) -> tuple[str, ...]:
    """The digests of the keys that the settings admit; none if they need no key.

    The `ConfigError` about a variable that is not set or holds something else never says what it
    holds.
    """
    if settings.api_keys is None:
        return ()
    name = settings.api_keys.env
    found = [text.strip().lower() for text in os.environ.get(name, "").split(",") if text.strip()]
    if not found:
        raise ConfigError(
            f"deployment.api_keys needs the variable {name}, which is not set: the SHA-256 digests "
            "of the keys, separated by commas. `mlops api-key` makes a key and its digest."
        )
    if wrong := [n for n, text in enumerate(found, start=1) if not _DIGEST.fullmatch(text)]:
        raise ConfigError(
            f"{name}: entries {wrong} are no SHA-256 digests of 64 hex digits. It holds digests, "
            "not keys: `mlops api-key` prints both."
        )
    return tuple(found)


def operator_key(endpoint: Path) -> str:
    """The deployer's own key of the endpoint in that folder; made on first use."""
    file = endpoint / OPERATOR_KEY
    if not file.exists():
        # The temporary file behind it is readable by this user only, and so is what it becomes.
        write_atomically(file, lambda path: path.write_text(new_key(), encoding="ascii"))
    return file.read_text(encoding="ascii")
