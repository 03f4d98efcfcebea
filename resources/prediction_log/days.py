"""The Parquet files of the days: read, and new rows held against them.

Which files there are, and who may write them, is for `resources.prediction_log.log`; how they are
written for `resources.prediction_log.merging`.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_assets.ml.monitoring.prediction_log import (
    KEY,
    are_new,
    key_digests,
    to_frame,
    without_duplicates,
)
from mlops_assets.ml.stored_rows import row_batches
from mlops_assets.records.monitoring import Window

ROWS_AT_ONCE = 131_072
"""Of a day that are in memory at one time, and a group of its file."""
_DAY = timedelta(days=1) // timedelta(microseconds=1)


def read_between(
    files: Iterable[Path], fresh: pa.Table, start: datetime, end: datetime
) -> pd.DataFrame:
    """Rows of the files, and `fresh` ones, with `start <= event_time < end`; none twice."""
    inside = [("event_time", ">=", start), ("event_time", "<", end)]
    tables = [pq.read_table(file, filters=inside, partitioning=None) for file in files]
    return without_duplicates(to_frame([*tables, fresh]))


def rows_of_request(file: Path, request_id: str) -> pd.DataFrame:
    """Those rows of a day that answer a request; of the file only what may hold it is read."""
    wanted = [("request_id", "==", request_id)]
    return to_frame([pq.read_table(file, filters=wanted, partitioning=None)])


def rows_in(file: Path) -> int:
    """How many rows a file holds, by its footer."""
    return pq.read_metadata(file).num_rows


def newest_in(file: Path) -> datetime:
    """Event time of the newest row of a day."""
    return pd.read_parquet(file, columns=["event_time"])["event_time"].max().to_pydatetime()


def digests_in(file: Path) -> np.ndarray:
    """Of each row of a day the digest of its key; none of a day that is not there."""
    nothing = np.empty((0, 2), dtype=np.uint64)
    if not file.exists():
        return nothing
    with pq.ParquetFile(file) as opened:
        batches = row_batches(opened, ROWS_AT_ONCE, KEY)
        found = [key_digests(pa.Table.from_batches([batch])) for batch in batches]
    return np.concatenate([nothing, *found])


def without_those_in(file: Path, rows: pa.Table) -> pa.Table:
    """Each row once, and none that a crash left both in the endpoint's file and in the day's."""
    return rows.filter(pa.array(are_new(digests_in(file), key_digests(rows))))


def days_of(window: Window) -> list[str]:
    """The UTC days that a window touches."""
    first, last = window.start, window.end - timedelta(microseconds=1)
    return [f"{day:%Y-%m-%d}" for day in pd.date_range(first.date(), last.date())]


def by_day(rows: pa.Table) -> dict[str, pa.Table]:
    """The rows of each UTC day of event time."""
    days = rows["event_time"].cast(pa.int64()).to_numpy() // _DAY
    return {
        f"{np.datetime64(int(day), 'D')}": rows.filter(pa.array(days == day))
        for day in np.unique(days)
    }
