"""Aggregates of an event log over half-open time windows: arrays in, one float64 per entity out.

Only the arithmetic is here; from settings and frames to windows is `ml.features.arrays`, and what
each of these aggregates is in Ibis is `mlops_assets.engines.aggregates`. A window is a slice of the
events in time order, so nothing outside it can enter a result, not even as rounding: sums are not
differences of running totals.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import Aggregation
from mlops_assets.ml.frames import number_array

DAY_NS = 86_400_000_000_000


@dataclass(frozen=True)
class AggregationWindow:
    """The events of start <= t < end, sorted by time.

    Results have one element per entity and a last one that never has events, so that the index -1,
    an unknown entity, reads as an empty window.
    """

    end: int
    """In ns since the epoch."""
    size: int
    """Entities + 1."""
    codes: np.ndarray
    """Entity of each event, from 0."""
    times: np.ndarray
    """In ns since the epoch."""
    numbers: dict[str, np.ndarray]
    """float64 columns, NaN where missing."""
    labels: dict[str, np.ndarray]
    """int64 columns that stand for values of any kind, -1 where missing."""
    chosen: dict[str, np.ndarray]
    """By name, whether each event is one of those that something is computed of."""

    def only(self, name: str) -> "AggregationWindow":
        """The window without the events that are not chosen for `name`; itself if all are."""
        if name not in self.chosen:
            return self
        return self.part(self.chosen[name], self.end)

    def part(self, which: "slice | np.ndarray", end: int) -> "AggregationWindow":
        """The events of a slice or a mask, as a window that ends at `end`."""
        return replace(
            self,
            end=end,
            codes=self.codes[which],
            times=self.times[which],
            numbers={name: values[which] for name, values in self.numbers.items()},
            labels={name: values[which] for name, values in self.labels.items()},
            chosen={name: mask[which] for name, mask in self.chosen.items()},
        )

    def compute(self, agg: Aggregation, column: str | None = None) -> np.ndarray:
        """Aggregate per entity; missing values do not count.

        Returns:
            float64. Without events count, sum and nunique are 0 and the others NaN; std is that
            of a sample, so NaN for one event too; days are fractional, before `end`.
        """
        if agg == "count":
            return np.bincount(self.codes, minlength=self.size).astype(np.float64)
        if agg in _MOMENTS:
            return self._days_since(first=agg == "days_since_first")
        if agg == "nunique":
            return self._nunique(str(column))
        values = self.numbers[str(column)]
        known = ~np.isnan(values)
        return _NUMERIC[agg](self.codes[known], values[known], self.size)

    def _days_since(self, *, first: bool) -> np.ndarray:
        days = np.full(self.size, np.nan)
        step = -1 if first else 1  # of several assignments to one entity the last remains
        days[self.codes[::step]] = (self.end - self.times[::step]) / DAY_NS
        return days

    def _nunique(self, column: str) -> np.ndarray:
        labels = self.labels[column]
        known = labels >= 0
        kinds = int(labels.max(initial=0)) + 1
        pairs = np.unique(self.codes[known] * kinds + labels[known])
        return np.bincount(pairs // kinds, minlength=self.size).astype(np.float64)


@dataclass(frozen=True)
class SortedEvents:
    """All events of a log, sorted by time."""

    entities: pd.Index
    """Unique and sorted; the position is the code."""
    whole: AggregationWindow

    @property
    def oldest(self) -> pd.Timestamp:
        """Moment of the first event, UTC."""
        return _utc(self.whole.times[0])

    @property
    def newest(self) -> pd.Timestamp:
        """Moment of the last event, UTC."""
        return _utc(self.whole.times[-1])

    @classmethod
    def of(
        cls,
        keys: pd.DataFrame,
        events: pd.DataFrame,
        numbers: Iterable[str],
        labels: Iterable[str],
        chosen: Mapping[str, np.ndarray],
    ) -> Self:
        """Sort the events once.

        Args:
            keys: Entity and UTC timestamp of each event, without missing values.
            events: The same rows in the same order.
            numbers: Columns to aggregate as numbers.
            labels: Columns to count distinct values of.
            chosen: As of the window, of these rows.

        Raises:
            FeatureError: A column of `numbers` holds something that is no number.
        """
        times = keys.iloc[:, 1].to_numpy(dtype="datetime64[ns]").astype(np.int64)
        order = np.argsort(times, kind="stable")
        codes, entities = pd.factorize(keys.iloc[:, 0], sort=True)
        whole = AggregationWindow(
            end=int(times.max()) + 1,
            size=len(entities) + 1,
            codes=codes[order].astype(np.int64),
            times=times[order],
            numbers={name: number_array(events[name])[order] for name in numbers},
            labels={name: pd.factorize(events[name])[0][order] for name in labels},
            chosen={name: mask[order] for name, mask in chosen.items()},
        )
        return cls(pd.Index(entities), whole)

    def window(self, start: int | None, end: int) -> AggregationWindow:
        """The events of start <= t < end, in ns since the epoch; no start means all before end."""
        whole = self.whole
        left = 0 if start is None else int(np.searchsorted(whole.times, start, side="left"))
        part = slice(left, int(np.searchsorted(whole.times, end, side="left")))
        return whole.part(part, end)


def _utc(ns: int) -> pd.Timestamp:
    return pd.DatetimeIndex([ns], tz="UTC")[0]


def _sum(codes: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    # Of no events it counts in integers, whatever the weights are.
    return np.bincount(codes, weights=values, minlength=size).astype(np.float64, copy=False)


def _mean(codes: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    return _ratio(_sum(codes, values, size), np.bincount(codes, minlength=size))


def _min(codes: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    smallest = np.full(size, np.nan)
    np.fmin.at(smallest, codes, values)
    return smallest


def _max(codes: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    return -_min(codes, -values, size)


def _std(codes: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    squares = _sum(codes, (values - _mean(codes, values, size)[codes]) ** 2, size)
    return np.sqrt(_ratio(squares, np.bincount(codes, minlength=size) - 1))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """NaN where the denominator is not positive."""
    result = np.full(len(numerator), np.nan)
    return np.divide(numerator, denominator, out=result, where=denominator > 0)


_MOMENTS = ("days_since_first", "days_since_last")
_NUMERIC: dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = {
    "sum": _sum,
    "mean": _mean,
    "min": _min,
    "max": _max,
    "std": _std,
}
