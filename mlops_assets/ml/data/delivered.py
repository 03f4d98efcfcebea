"""A delivery of raw data -> the rows that it declares to be, by the YAML of a model.

Whose YAML that is, today's or the one that a version was trained by, is the caller's to say.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.config import ModelSettings
from mlops_assets.ml.data.batches import read_batches
from mlops_assets.ml.data.contract import Checked, SeenKeys, enforce
from mlops_assets.ml.data.marks import Marks
from mlops_assets.ml.data.reading import read_table


def as_delivered(settings: ModelSettings) -> SourceSettings:
    """The source as the files of a version are written: Parquet, where it is no files itself."""
    source = settings.source
    return source if source.is_files else source.model_copy(update={"format": "parquet"})


def read_rows(files: Sequence[Path], settings: ModelSettings) -> pd.DataFrame:
    """The rows of a version: exactly what the contract reads, under the source's names.

    Raises:
        SourceError: As `read_table`.
    """
    source, contract = as_delivered(settings), settings.contract
    return read_table(files, source, contract.read_columns, contract.extra_columns)


def row_batches(files: Sequence[Path], settings: ModelSettings) -> Iterator[pd.DataFrame]:
    """The rows of `read_rows` in their order, some at once; raises what that does."""
    source, contract = as_delivered(settings), settings.contract
    tables = read_batches(files, source, contract.read_columns, contract.extra_columns)
    return (table.to_pandas(integer_object_nulls=True) for table in tables)


def checked_rows(files: Sequence[Path], settings: ModelSettings, now: datetime) -> Checked:
    """The rows of a version, typed, and those that break the contract.

    Raises:
        SourceError: As `read_table`.
        ContractError: As `enforce`.
    """
    return checked(read_rows(files, settings), settings, now)


def checked(
    frame: pd.DataFrame, settings: ModelSettings, now: datetime, seen: SeenKeys | None = None
) -> Checked:
    """Rows of a version, as they were read, by the contract; `ContractError` as `enforce`.

    What is before the first partition breaks it.
    """
    marks = Marks.written_in(settings.source)
    first = {settings.timestamp_column: settings.partitions.since} if settings.partitions else {}
    return enforce(frame, settings.contract, now, marks, seen, first)
