"""Profiles of columns: bins fixed by a reference, counts that merge.

Profiles of parts add up to that of the whole in any order, because all of them count in the bins
of the reference: exactly, and the sums to rounding. A value that many
rows share (0 in a column of mostly zeros, a flag, a small integer) has a bin of its own; quantile
edges alone would put it and its neighbours into one. No input is modified.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from mlops_assets.ml.scoring import FeatureDtypes, number_array, text_array
from mlops_assets.records.profile import Bins, ColumnProfile, Profile

PREDICTION = "prediction"
"""Name of the scores among the columns."""

_INTERVALS = 10
_FREQUENT = 0.05
_DISTINCT = 20
_CATEGORIES, _CATEGORY_CHARACTERS = 50, 2_000
"""The names of the categories may not make a profile long."""


def profile_reference(columns: pd.DataFrame, dtypes: FeatureDtypes) -> Profile:
    """Choose the bins of each column, and count.

    Args:
        columns: The features of `dtypes`, and the scores as `prediction`.
        dtypes: Of the features.
    """
    bins = {
        name: _text_bins(columns[name]) if kind == "string" else _number_bins(columns[name])
        for name, kind in with_prediction(dtypes).items()
    }
    return profile(columns, bins)


def profile(columns: pd.DataFrame, bins: Mapping[str, Bins]) -> Profile:
    """Count each column in given bins; a column that is not there counts as missing."""
    missing = pd.Series(np.full(len(columns), np.nan), index=columns.index)
    return Profile(
        rows=len(columns),
        columns={name: count(columns.get(name, missing), one) for name, one in bins.items()},
    )


def count(column: pd.Series, bins: Bins) -> ColumnProfile:
    """Count one column."""
    if bins.points and isinstance(bins.points[0], str):
        return _count_texts(column, bins)
    values = number_array(column)
    known = values[~np.isnan(values)]
    at_points, rest = _at_points(known, np.array(bins.points, dtype=np.float64))
    places = np.searchsorted(bins.edges, rest, side="right")
    intervals = len(bins.edges) + 1
    counts = [*at_points, *np.bincount(places, minlength=intervals)]
    return ColumnProfile(
        bins=bins,
        counts=tuple(map(int, counts)),
        sums=tuple(np.bincount(places, weights=rest, minlength=intervals).tolist()),
        missing=len(values) - len(known),
        low=float(known.min()) if len(known) else None,
        high=float(known.max()) if len(known) else None,
    )


def merge(profiles: Iterable[Profile]) -> Profile:
    """The profile of all rows together; of profiles in the same bins.

    Raises:
        ValueError: None was given, or their bins differ.
    """
    first, *others = profiles
    for other in others:
        columns = {name: _merge(one, other.columns[name]) for name, one in first.columns.items()}
        first = Profile(rows=first.rows + other.rows, columns=columns)
    return first


def with_prediction(dtypes: FeatureDtypes) -> FeatureDtypes:
    """The features and the prediction."""
    return {**dtypes, PREDICTION: "float64"}


def _merge(left: ColumnProfile, right: ColumnProfile) -> ColumnProfile:
    if left.bins != right.bins:
        raise ValueError("profiles of different bins do not add up; profile the rows again")
    lows = [low for low in (left.low, right.low) if low is not None]
    highs = [high for high in (left.high, right.high) if high is not None]
    return ColumnProfile(
        bins=left.bins,
        counts=tuple(a + b for a, b in zip(left.counts, right.counts, strict=True)),
        sums=tuple(a + b for a, b in zip(left.sums, right.sums, strict=True)),
        missing=left.missing + right.missing,
        low=min(lows, default=None),
        high=max(highs, default=None),
    )


def _number_bins(column: pd.Series) -> Bins:
    values = number_array(column)
    known = values[np.isfinite(values)]
    distinct, counts = np.unique(known, return_counts=True)
    scale = float(known.std()) if len(distinct) > 1 else 1.0
    if len(distinct) <= _DISTINCT:
        return Bins(points=tuple(distinct.tolist()), scale=scale)
    frequent = counts >= _FREQUENT * len(known)
    rest = known[~np.isin(known, distinct[frequent])]
    edges: tuple[float, ...] = ()
    if len(rest):
        edges = tuple(np.unique(np.quantile(rest, np.linspace(0, 1, _INTERVALS + 1)[1:-1])))
    return Bins(
        points=tuple(distinct[frequent].tolist()),
        edges=tuple(float(edge) for edge in edges),
        scale=scale,
    )


def _at_points(values: np.ndarray, points: np.ndarray) -> tuple[list[int], np.ndarray]:
    """How many values are at each point, and the other values."""
    found = []
    for point in points:
        here = values == point
        found.append(int(np.count_nonzero(here)))
        values = values[~here]  # fewer to look at: the points are where most rows are
    return found, values


def _text_bins(column: pd.Series) -> Bins:
    values = pd.Series(text_array(column)).dropna()
    names = [str(name) for name in values.value_counts().index[:_CATEGORIES]]
    lengths = np.cumsum([len(name) for name in names])
    kept = [n for n, length in zip(names, lengths, strict=True) if length <= _CATEGORY_CHARACTERS]
    return Bins(points=tuple(kept) or ("",))


def _count_texts(column: pd.Series, bins: Bins) -> ColumnProfile:
    known = text_array(column)[column.notna().to_numpy()]
    places = pd.Index(bins.points).get_indexer(known)
    places[places < 0] = len(bins.points)
    counts = np.bincount(places, minlength=bins.size)
    missing = len(column) - len(known)
    return ColumnProfile(bins=bins, counts=tuple(counts.tolist()), sums=(), missing=missing)
