"""Moments counted in calendar units: when features are computed, and where a test period begins.

What is computed at them is `ml.features.build`; moments in a column are read by
`ml.data.datetimes`.
"""

from datetime import UTC, datetime
from typing import Any

import pandas as pd

from mlops_assets.blocks.features import SnapshotSettings
from mlops_assets.errors import FeatureError


def snapshot_times(settings: SnapshotSettings, newest: pd.Timestamp) -> pd.DatetimeIndex:
    """The snapshots from `start` to `end`, or to `newest`, both inclusive, in UTC.

    Steps are counted from `start`, so that monthly snapshots of a 31st stay at the month's end.
    A moment without an offset is UTC.

    Raises:
        FeatureError: `start` is later than the last possible snapshot.
    """
    start, step = _utc(settings.start), calendar_step(settings.every)
    end = newest if settings.end is None else _utc(settings.end)
    times: list[datetime] = []
    moment: datetime = start
    while moment <= end:
        times.append(moment)
        moment = start + len(times) * step
    if not times:
        raise FeatureError(
            f"no snapshot between {start} and {end}; "
            "set features.snapshots.start before the newest event and before `end`"
        )
    return pd.DatetimeIndex(times, tz="UTC").as_unit("ns")


def calendar_step(step: str) -> pd.DateOffset:
    """`3 months` as an offset."""
    number, unit = step.split()
    length: dict[str, Any] = {f"{unit.removesuffix('s')}s": int(number)}
    return pd.DateOffset(**length)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
