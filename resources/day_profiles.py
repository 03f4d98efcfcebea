"""Profiles of the prediction log's daily files, each counted once and kept beside them.

`<day>.parquet` is counted into `profiles/<counting>/<day>.json`, once for each way of counting,
that is for each reference profile. A file that changed since, because late rows came, is counted
again; one that is gone or cannot be read any more is known by its profile alone. All of it may be
deleted: it is counted again from the files that are there.
"""

from collections.abc import Collection
from pathlib import Path

import pandas as pd
from pydantic import ValidationError

from mlops_assets.atomic import write_atomically
from mlops_assets.errors import PredictionLogError
from mlops_assets.ml.live_profiles import count_parts, log_columns
from mlops_assets.records.profile import Counting, DayProfiles, Part

FOLDER = "profiles"


def day_parts(file: Path, counting: Counting, versions: Collection[int]) -> list[Part]:
    """The parts of one daily file, which need not exist; counted now only if they never were.

    Raises:
        PredictionLogError: The file must be counted and cannot be read.
    """
    kept = file.parent / FOLDER / counting.digest() / f"{file.stem}.json"
    stored, state = _read(kept), _state(file)
    fresh = stored is not None and set(versions) <= set(stored.versions)
    if stored and fresh and state in (stored.file, None):
        return [part for part in stored.parts if part.model_version in versions]
    if state is None:
        return []
    parts = count_parts(_rows(file, counting), counting, versions)
    counted = DayProfiles(file=state, versions=tuple(sorted(versions)), parts=tuple(parts))
    text = counted.model_dump_json()
    write_atomically(kept, lambda path: path.write_text(text, encoding="utf-8"))
    return parts


def _rows(file: Path, counting: Counting) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(file)
        names = [name for name in log_columns(counting.bins) if name in schema.names]
        # As categories: a quarter of the time, and each text is in memory once.
        texts = [name for name in names if schema.field(name).type == pa.string()]
        return pd.read_parquet(file, columns=names, read_dictionary=texts)
    except (OSError, pa.ArrowException) as err:
        raise PredictionLogError(
            f"cannot count {file}: {err}; restore it, or move it away to do without its rows"
        ) from err


def _state(file: Path) -> str | None:
    """What changes whenever the file is replaced; None without one. Its content is not read."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return f"{found.st_size} bytes, {found.st_mtime_ns}"


def _read(kept: Path) -> DayProfiles | None:
    """What is kept; None if nothing is, or it is of another release."""
    try:
        return DayProfiles.model_validate_json(kept.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
