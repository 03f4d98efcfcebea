"""Profiles of columns: counts in the bins of a reference, which merge.

Profiles of parts add up to that of the whole in any order, because all of them count in the same
bins: exactly, and sums and squares to rounding (Chan, Golub and LeVeque 1983, Am. Stat. 37). Bins
are chosen in `ml.monitoring.column_bins`. No input is modified.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from mlops_assets.ml.file_part import Part, frames_in
from mlops_assets.ml.frames import FeatureDtypes, number_array, text_array
from mlops_assets.ml.monitoring.column_bins import number_bins, sample, text_bins
from mlops_assets.records.profile import Ageing, Bins, ColumnProfile, Profile

PREDICTION = "prediction"
"""Name of the scores among the columns."""
NEAR = 1e-9
"""Standard deviations of the reference within which two numbers are one."""


def profile_reference(
    columns: Part,
    dtypes: FeatureDtypes,
    *,
    ageing: Mapping[str, Ageing] | None = None,
    moments: pd.Series | None = None,
) -> Profile:
    """Choose the bins of the features of `dtypes` and of `prediction`, and count.

    Columns of `ageing` grow by the calendar: they need `moments`, which the rows describe, UTC.
    """
    some, aged = sample(columns), ageing or {}
    bins = {}
    for name, kind in with_prediction(dtypes).items():
        if name in aged:
            young = some[name] - _growth(aged[name], moments)[some.index]
            bins[name] = number_bins(young).model_copy(update={"ageing": aged[name]})
        else:
            bins[name] = text_bins(some[name]) if kind == "string" else number_bins(some[name])
    parts = [
        profile(frame, bins, None if moments is None else moments.loc[frame.index])
        for frame in frames_in(columns)
    ]
    return merge(parts)


def profile(
    columns: pd.DataFrame, bins: Mapping[str, Bins], moments: pd.Series | None = None
) -> Profile:
    """Count each column in given bins; a column that is not there counts as missing."""
    missing = pd.Series(np.full(len(columns), np.nan), index=columns.index)
    found = {
        name: count_aged(columns.get(name, missing), one, moments) for name, one in bins.items()
    }
    return Profile(rows=len(columns), columns=found)


def nothing(bins: Mapping[str, Bins]) -> Profile:
    """The profile of no rows, which changes no sum."""
    none = pd.Series(dtype="object")
    return Profile(rows=0, columns={name: count(none, one) for name, one in bins.items()})


def count_aged(column: pd.Series, bins: Bins, moments: pd.Series | None) -> ColumnProfile:
    """Count one column, if its bins age as it was, or will be, at their moment."""
    return count(column - _growth(bins.ageing, moments) if bins.ageing else column, bins)


def count(column: pd.Series, bins: Bins) -> ColumnProfile:
    """Count one column, as it is."""
    if bins.are_texts:
        return _count_texts(column, bins)
    values = number_array(column)
    unknown = np.isnan(values)
    known = values[~unknown] if unknown.any() else values
    places = _places(known, bins)
    # Infinite values are at no distance from their mean, huge ones at one that has no square.
    with np.errstate(invalid="ignore", over="ignore"):
        apart = known - known.mean() if len(known) else known
        squares = float(apart @ apart)
    return ColumnProfile(
        bins=bins,
        counts=tuple(np.bincount(places, minlength=bins.size).tolist()),
        sums=tuple(_interval_sums(known, places, bins).tolist()),
        missing=len(values) - len(known),
        low=float(known.min()) if len(known) else None,
        high=float(known.max()) if len(known) else None,
        squares=squares if np.isfinite(squares) else None,
    )


def merge(profiles: Iterable[Profile]) -> Profile:
    """The profile of all rows together; `ValueError` if there is none, or their bins differ."""
    first, *others = profiles
    for other in others:
        columns = {name: _merge(one, other.columns[name]) for name, one in first.columns.items()}
        first = Profile(rows=first.rows + other.rows, columns=columns)
    return first


def coarsened(found: Profile, bins: Mapping[str, Bins]) -> Profile:
    """The same rows in coarser bins: those that were `refined`, or some of the columns as is."""
    columns = {name: _coarsened(column, bins[name]) for name, column in found.columns.items()}
    return found.model_copy(update={"columns": columns})


def with_prediction(dtypes: FeatureDtypes) -> FeatureDtypes:
    """The features and the prediction."""
    return {**dtypes, PREDICTION: "float64"}


def _growth(ageing: Ageing, moments: pd.Series | None) -> pd.Series:
    """By how much the column has grown since `as_of`, on each row."""
    if moments is None:
        raise ValueError("a column that ages is counted with the moments of its rows")
    return (moments - pd.Timestamp(ageing.as_of)) / pd.Timedelta(ageing.per)


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
        squares=_merged_squares(left, right),
    )


def _coarsened(column: ColumnProfile, bins: Bins) -> ColumnProfile:
    if column.bins == bins:
        return column
    points = len(bins.points)
    # Where each finer interval begins, and so in which coarser one it lies.
    lows = np.array([-np.inf, *column.bins.edges])
    places = np.searchsorted(bins.edges, lows, side="right")
    wide = len(bins.edges) + 1
    inside = np.bincount(places, weights=column.counts[points:], minlength=wide)
    sums = np.bincount(places, weights=column.sums, minlength=wide)
    counts = (*column.counts[:points], *inside.astype(int).tolist())
    update = {"bins": bins, "counts": counts, "sums": tuple(sums.tolist())}
    return column.model_copy(update=update)


def _merged_squares(left: ColumnProfile, right: ColumnProfile) -> float | None:
    if left.squares is None or right.squares is None:
        return None
    if left.mean is None or right.mean is None:
        return left.squares + right.squares
    one, other = sum(left.counts), sum(right.counts)
    apart = right.mean - left.mean
    squares = left.squares + right.squares + apart * apart * one * other / (one + other)
    return squares if np.isfinite(squares) else None


def _places(values: np.ndarray, bins: Bins) -> np.ndarray:
    """The bin of each value; comparing with ten edges is four times as fast as searching them.

    What differs in the last bits only is the same value: the scores that many rows share are often
    points or edges, and the runtime that serves rounds them otherwise than scikit-learn does.
    """
    near = NEAR * bins.scale
    places = np.full(len(values), len(bins.points), dtype=np.min_scalar_type(bins.size))
    for edge in bins.edges:
        places += values >= edge - near
    for place, point in enumerate(np.asarray(bins.points, dtype=np.float64)):
        hit = (values >= point - near) & (values <= point + near)
        # In place of `places[hit] = place`, which is 25 times as slow.
        places = places * ~hit + places.dtype.type(place) * hit
    return places


def _interval_sums(values: np.ndarray, places: np.ndarray, bins: Bins) -> np.ndarray:
    """Of each interval; the values at points need not be added up."""
    points = len(bins.points)
    if points:
        inside = places >= points
        values, places = values[inside], places[inside] - places.dtype.type(points)
    return np.bincount(places, weights=values, minlength=bins.size - points)


def _count_texts(column: pd.Series, bins: Bins) -> ColumnProfile:
    codes, names = pd.factorize(column)
    if not all(isinstance(name, str) for name in names):
        codes, names = pd.factorize(text_array(column))
    places = pd.Index(bins.points).get_indexer(pd.Index(names, dtype=object))
    places[places < 0] = len(bins.points)
    counts = np.bincount(places[codes[codes >= 0]], minlength=bins.size)
    missing = int(np.count_nonzero(codes < 0))
    return ColumnProfile(bins=bins, counts=tuple(counts.tolist()), sums=(), missing=missing)
