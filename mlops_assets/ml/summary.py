"""What the columns of a table look like, in figures that a person reads at a glance."""

import math
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.records.data import ColumnSummary

MOST_COLUMNS = 200
"""More are not summed up: what is stated of an asset is kept for ever."""
_SAMPLE = 100_000
"""Rows in which values are told apart; missing ones and the range are of all."""
_LONGEST = 40
_LONGEST_NUMBER = 9


def summarized(rows: pd.DataFrame) -> tuple[ColumnSummary, ...]:
    """One record for each of the first 200 columns, in their order; `rows` is not modified."""
    return tuple(summary_of(rows[name]) for name in list(rows.columns)[:MOST_COLUMNS])


def summary_of(column: pd.Series) -> ColumnSummary:
    """One column of any type; of a number that is not finite only the finite ones have a mean."""
    known = column.dropna()
    facts: dict[str, Any] = {
        "column": str(column.name),
        "type": str(column.dtype),
        "rows": len(column),
    }
    facts["missing"] = round(1 - len(known) / len(column), 4) if len(column) else 0.0
    if known.empty:
        return ColumnSummary(**facts)
    some = evenly(known, _SAMPLE)
    at_least = "at least " if len(some) < len(known) else ""
    if pd.api.types.is_bool_dtype(known) or not _is_ordered(known):
        counts = some.astype(str).value_counts()
        facts["different"] = f"{at_least}{len(counts)}"
        facts["most_frequent"] = f"{counts.index[0][:_LONGEST]}, {counts.iloc[0] / len(some):.1%}"
        return ColumnSummary(**facts)
    facts["different"] = f"{at_least}{some.nunique()}"
    if pd.api.types.is_datetime64_any_dtype(known):
        return ColumnSummary(**facts, low=spelled(known.min()), high=spelled(known.max()))
    return ColumnSummary(**facts, **_figures(known.to_numpy(dtype=np.float64)))


def evenly(column: pd.Series, at_most: int) -> pd.Series:
    """About so many values from all over."""
    return column.iloc[:: -(-len(column) // at_most) or 1]


def spelled(value: object) -> str:
    """A number or moment as a person reads it: six digits, or three of what is longer so."""
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S}".removesuffix(" 00:00:00")
    text = f"{value:.6g}"
    return text if len(text) <= _LONGEST_NUMBER else f"{value:.3g}"


def spelled_period(first: datetime, last: datetime) -> str:
    """From when to when: in days, or to the minute where two days hold it all."""
    form = "%Y-%m-%d" if last - first > timedelta(days=2) else "%Y-%m-%d %H:%M"
    return f"{first:{form}} to {last:{form}}"


def _is_ordered(column: pd.Series) -> bool:
    kind = pd.api.types
    return kind.is_numeric_dtype(column) or kind.is_datetime64_any_dtype(column)


def _figures(values: np.ndarray) -> dict[str, str]:
    finite = values[np.isfinite(values)]
    told = {"low": values.min(), "high": values.max()}
    if len(finite):
        with np.errstate(over="ignore", invalid="ignore"):  # a square may be too large
            told |= {"mean": finite.mean(), "deviation": finite.std()}
    return {name: spelled(value) for name, value in told.items() if not math.isnan(value)}
