"""Profiles of the prediction log: each day is counted once, and a window is the sum of its parts.

A day is cut where its windows meet, so a window of any length is made of whole parts.

Which windows a window is compared with is `ml.monitoring.seasons`; the counts of a day are kept by
`resources.prediction_log.day_profiles`.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.ml.monitoring.judged import judged_parts
from mlops_assets.ml.monitoring.prediction_log import FEATURE
from mlops_assets.ml.monitoring.profiles import PREDICTION, count_aged, merge, nothing
from mlops_assets.records.monitoring import Window
from mlops_assets.records.profile import ColumnProfile, Counting, Part, Profile

EPOCH = datetime.fromtimestamp(0, UTC)
KEYS = ("event_time", "features_as_of", "role", "model_version")
"""Columns of the prediction log by which rows are told apart."""


def window_of(moment: datetime, length: timedelta) -> Window:
    """The window that holds `moment`; windows are aligned to the UTC epoch."""
    start = EPOCH + (moment - EPOCH) // length * length
    return Window(start=start, end=start + length)


def complete_windows(
    newest: datetime | None, now: datetime, length: timedelta, most: int
) -> list[Window]:
    """The newest windows that are over by now, up to that of the newest prediction, if any."""
    last = window_of(min(newest or now, now), length)
    end = last.end if last.end <= now else last.start
    starts = [end - number * length for number in range(most, 0, -1)]
    return [Window(start=start, end=start + length) for start in starts]


def log_column(name: str) -> str:
    """The column of the prediction log that a profile calls so."""
    return "score" if name == PREDICTION else f"{FEATURE}{name}"


def as_profiled(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the prediction log under the names that profiles use.

    A feature may be called as a column of the log, `source` or `role`; then that column is left
    out.
    """
    names = {
        name: PREDICTION if name == "score" else name.removeprefix(FEATURE)
        for name in map(str, rows.columns)
        if name == "score" or name.startswith(FEATURE)
    }
    taken = {*names, *names.values()}
    others = [name for name in rows.columns if name not in taken]
    return rows[[*others, *names]].rename(columns=names)


def count_parts(
    keys: pd.DataFrame,
    read: Callable[[str], pd.Series | None],
    counting: Counting,
    versions: Collection[int],
) -> list[Part]:
    """Count rows of the prediction log by window, version and role, of these versions only.

    `keys` are the columns `KEYS`; `read` is asked for the others one after the other, so that they
    need not all be in memory, and returns None of one that the log has not.
    """
    groups = {key: rows for key, rows in _groups(keys, counting).items() if key[1] in versions}
    moments = keys["features_as_of"].fillna(keys["event_time"])
    columns: dict[Any, dict[str, ColumnProfile]] = {key: {} for key in groups}
    for name, bins in counting.bins.items():
        column = read(log_column(name))
        if column is None:
            column = pd.Series(np.full(len(keys), np.nan), index=keys.index)
        for key, rows in groups.items():
            columns[key][name] = count_aged(column.iloc[rows], bins, moments.iloc[rows])
    return [
        Part(
            start=start.to_pydatetime(),
            model_version=int(version),
            role=str(role),
            profile=Profile(rows=len(keys.iloc[rows]), columns=columns[start, version, role]),
        )
        for (start, version, role), rows in groups.items()
    ]


def _groups(keys: pd.DataFrame, counting: Counting) -> dict[Any, Any]:
    """Where the rows of each window, version and role are; all is a slice, which copies nothing."""
    starts = pd.Timestamp(EPOCH) + (keys["event_time"] - EPOCH) // counting.window * counting.window
    found = keys.groupby([starts, "model_version", "role"], observed=True).indices
    return {key: slice(None) if len(rows) == len(keys) else rows for key, rows in found.items()}


def answered(
    parts: Iterable[Part],
    counting: Counting,
    versions: Collection[int] | None = None,
    enough: int = 0,
) -> Profile:
    """The sum of what windows are judged by, of these versions or of all; without rows if of none.

    Batches count in windows with fewer than `enough` rows of clients: `judged_parts`.
    """
    ours = [
        part.profile
        for part in judged_parts(parts, enough)
        if versions is None or part.model_version in versions
    ]
    return merge([nothing(counting.bins), *ours])
