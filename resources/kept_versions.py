"""Older values of an asset, beside the newest: `<asset>/<version>.parquet` by `<asset>.parquet`.

A version is a second name of the file that was written for it, which costs no space while that is
the newest. Which values are kept, and for how many bytes, the I/O manager says.
"""

import os
import shutil
from pathlib import Path
from typing import Any

from mlops_assets.errors import ConfigError
from mlops_assets.runtime.atomic import write_atomically

KEEP_MB, USUAL_MB = "MLOPS_KEEP_MB", 1000
"""The variable that says how much is kept of an asset, and its default, in millions of bytes."""


def keep(file: Path, version: str, budget: int) -> None:
    """Keep what `file` holds now as a version, and of the others the newest that fit into `budget`.

    The newest version counts nothing: it shares its bytes with `file`.
    """
    kept = _folder(file) / f"{version}.parquet"
    write_atomically(kept, lambda temporary: _share(file, temporary))
    for other in _newest_first(file):
        if other == kept:
            continue
        budget -= other.stat().st_size
        if budget < 0:
            other.unlink(missing_ok=True)


def kept_versions(file: Path) -> dict[str, Path]:
    """Version -> its file, the newest first; of a value that names its version, itself too."""
    newest = {version: file for version in [_named_in(file)] if version}
    return {**newest, **{kept.stem: kept for kept in _newest_first(file)}}


def attributes(file: Path) -> dict[str, Any]:
    """What a stored frame says of itself; empty if nothing."""
    from mlops_assets.ml.stored_rows import StoredRows

    return StoredRows(file).attributes


def budget_bytes() -> int:
    """What MLOPS_KEEP_MB says, in bytes; `ConfigError` if it is no number of megabytes."""
    text = os.environ.get(KEEP_MB) or str(USUAL_MB)
    if not (text.isascii() and text.isdigit()):
        raise ConfigError(
            f"{KEEP_MB}={text!r} is no number of megabytes; write e.g. {USUAL_MB}, or 0 to keep "
            "the newest version only"
        )
    return int(text) * 1_000_000


def _folder(file: Path) -> Path:
    return file.with_suffix("")


def _newest_first(file: Path) -> list[Path]:
    found = _folder(file).glob("[!.]*.parquet")
    return sorted(found, key=lambda kept: kept.stat().st_mtime_ns, reverse=True)


def _named_in(file: Path) -> str | None:
    return attributes(file).get("raw", {}).get("md5") if file.exists() else None


def _share(file: Path, name: Path) -> None:
    """Make `name` a second name of the file, or a copy where the disk knows no such thing."""
    name.unlink()
    try:
        os.link(file, name)
    except OSError:
        shutil.copy2(file, name)
