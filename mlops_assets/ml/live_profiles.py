"""Profiles of the prediction log: each day is counted once, and a window is the sum of its parts.

A day is cut where its windows meet, so a window of any length is made of whole parts.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from mlops_assets.ml.prediction_log import FEATURE
from mlops_assets.ml.profiles import PREDICTION, merge, nothing, profile
from mlops_assets.records.monitoring import Window
from mlops_assets.records.profile import Counting, Part, Profile

EPOCH = datetime.fromtimestamp(0, UTC)


def window_of(moment: datetime, length: timedelta) -> Window:
    """The window that holds `moment`; windows are aligned to the UTC epoch."""
    start = EPOCH + (moment - EPOCH) // length * length
    return Window(start=start, end=start + length)


def log_columns(names: Iterable[str]) -> list[str]:
    """Columns of the prediction log that a profile of these features is made of."""
    used = ("event_time", "features_as_of", "role", "score", "model_version")
    return [*used, *(f"{FEATURE}{name}" for name in names if name != PREDICTION)]


def as_profiled(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the prediction log under the names that profiles use."""
    named = rows.copy(deep=False)
    named.columns = [
        PREDICTION if name == "score" else str(name).removeprefix(FEATURE) for name in rows
    ]
    return named


def count_parts(rows: pd.DataFrame, counting: Counting, versions: Collection[int]) -> list[Part]:
    """Count rows of the prediction log, apart by window, version and role.

    Args:
        rows: At least the columns of `log_columns` that the log has.
        counting: How.
        versions: Whose rows; those of others are left out.
    """
    starts = pd.Timestamp(EPOCH) + (rows["event_time"] - EPOCH) // counting.window * counting.window
    parts = []
    keys = [starts, "model_version", "role"]
    groups: Any = rows.groupby(keys, observed=True)
    for (start, version, role), group in groups:
        if version not in versions:  # here, not before: a filter would copy every row once more
            continue
        moments = group["features_as_of"].fillna(group["event_time"])
        parts.append(
            Part(
                start=start.to_pydatetime(),
                model_version=int(version),
                role=str(role),
                profile=profile(as_profiled(group), counting.bins, moments),
            )
        )
    return parts


def answered(
    parts: Iterable[Part], counting: Counting, versions: Collection[int] | None = None
) -> Profile:
    """The sum of what clients got, from these versions or from all; without rows if from none."""
    ours = [
        part.profile
        for part in parts
        if part.role == "primary" and (versions is None or part.model_version in versions)
    ]
    return merge([nothing(counting.bins), *ours])
