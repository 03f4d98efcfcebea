"""Datetimes of a flat table -> numbers that a model can be fed: ages, and what a clock shows."""

from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.blocks.features import DatePart
from mlops_assets.config import ModelSettings

DAY_US = 86_400_000_000


def date_features(
    rows: pd.DataFrame, moments: pd.Series, settings: ModelSettings
) -> dict[str, np.ndarray]:
    """One float64 array for each of `features.dates`, NaN where the datetime is missing.

    Args:
        rows: With the datetimes, in UTC.
        moments: The timestamp of each row, which ages are reckoned at; of any index.
        settings: With `features.dates`, and the zones of the columns in `contract`.
    """
    columns = settings.contract.columns
    return {
        name: _age_days(rows[date.column], moments)
        if date.part == "age_days"
        else _shown(rows[date.column], date.part, columns[date.column].timezone)
        for name, date in settings.features.dates.items()
    }


def _age_days(column: pd.Series, moments: pd.Series) -> np.ndarray:
    # As integers: a difference of pandas' own is none beyond 292 years.
    born, now = (one.dt.as_unit("us").to_numpy("datetime64[us]") for one in (column, moments))
    days = (now.astype(np.int64) - born.astype(np.int64)) / DAY_US
    return np.where(np.isnat(born), np.nan, days)


def _shown(column: pd.Series, part: DatePart, zone: str) -> np.ndarray:
    """What the clock of the zone shows: a day of the column is its day there, not in UTC."""
    clock: Any = column.dt.tz_convert(zone).dt
    return getattr(clock, part).to_numpy(dtype=np.float64, na_value=np.nan)
