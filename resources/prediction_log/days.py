"""The Parquet files of the days: read, merged with new rows, and held against them.

Which files there are, and who may write them, is for `resources.prediction_log.log`.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from mlops_assets.ml.monitoring.prediction_log import KEY, combine, without_duplicates
from mlops_assets.records.monitoring import Window
from mlops_assets.runtime.atomic import make_durable, write_atomically


def read_between(
    files: Iterable[Path], fresh: pd.DataFrame, start: datetime, end: datetime
) -> pd.DataFrame:
    """Rows of the files, and `fresh` ones, with `start <= event_time < end`; none twice."""
    rows = without_duplicates(combine([*map(pd.read_parquet, files), fresh]))
    inside = (rows["event_time"] >= start) & (rows["event_time"] < end)
    return rows[inside].reset_index(drop=True)


def rows_of_request(file: Path, request_id: str) -> pd.DataFrame:
    """Those rows of a day that answer a request; of the file only what may hold it is read."""
    return pd.read_parquet(file, filters=[("request_id", "==", request_id)])


def newest_in(file: Path) -> datetime:
    """Event time of the newest row of a day."""
    return pd.read_parquet(file, columns=["event_time"])["event_time"].max().to_pydatetime()


def merge_into(folder: Path, new: pd.DataFrame) -> tuple[int, list[str]]:
    """Write each day's old and new rows; the number of rows added, and the days."""
    added, days = 0, []
    for day, rows in new.groupby(new["event_time"].dt.strftime("%Y-%m-%d")):
        path = folder / f"{day}.parquet"
        old = [pd.read_parquet(path)] if path.exists() else []
        # Old rows first, so that they are the ones that stay.
        merged = without_duplicates(combine([*old, rows]))
        added += len(merged) - sum(map(len, old))
        write_atomically(path, lambda file, merged=merged: merged.to_parquet(file, index=False))
        days.append(str(day))
    if days:
        make_durable(folder)
    return added, days


def without_those_in(file: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """Each row once, and none that a crash left both in the endpoint's file and in the day's."""
    rows = without_duplicates(rows)
    if not file.exists():
        return rows
    stored = pd.MultiIndex.from_frame(pd.read_parquet(file, columns=KEY))
    return rows[~pd.MultiIndex.from_frame(rows[KEY]).isin(stored)]


def days_of(window: Window) -> list[str]:
    """The UTC days that a window touches."""
    first, last = window.start, window.end - timedelta(microseconds=1)
    return [f"{day:%Y-%m-%d}" for day in pd.date_range(first.date(), last.date())]
