"""The bins of a column, chosen once from its reference.

A value that many rows share (0 in a column of mostly zeros, a flag, a small integer) has a bin of
its own; quantile edges alone would put it and its neighbours into one. The other numbers fall into
ten intervals of about equally many rows. Bins come from a random sample where the reference is
long: an edge is at most about 1 % of the rows beside its decile then (three standard errors), and
as both sides are counted in the same bins, in full, no distance is the worse for it.
"""

import numpy as np
import pandas as pd

from mlops_assets.ml.file_part import Part, in_memory
from mlops_assets.ml.frames import number_array, text_array
from mlops_assets.records.profile import Bins

_SAMPLE = 20_000
_INTERVALS = 10
_FREQUENT = 0.05
_DISTINCT = 20
_OUTER = 1.5 ** np.arange(13) / 4
_CATEGORIES, _CATEGORY_CHARACTERS = 50, 2_000
"""The names of the categories may not make a profile long."""


def sample(columns: Part) -> pd.DataFrame:
    """The rows that bins are chosen from: all of a short frame, of a long one always the same."""
    if len(columns) <= _SAMPLE:
        return in_memory(columns)
    places = np.random.default_rng(0).choice(len(columns), _SAMPLE, replace=False)
    return columns.take(np.sort(places))


def number_bins(column: pd.Series) -> Bins:
    """Points for frequent values, all of them if there are few; intervals for the others."""
    values = number_array(column)
    known = np.sort(values[np.isfinite(values)])
    starts = np.flatnonzero(np.append(True, known[1:] != known[:-1])) if len(known) else []
    scale = _scale(known) if len(starts) > 1 else 1.0
    if len(starts) <= _DISTINCT:
        return Bins(points=tuple(known[starts].tolist()), scale=scale)
    counts = np.diff(np.append(starts, len(known)))
    frequent = counts >= _FREQUENT * len(known)
    rest = known[~np.repeat(frequent, counts)]
    edges = np.quantile(rest, np.linspace(0, 1, _INTERVALS + 1)[1:-1]) if len(rest) else []
    return Bins(
        points=tuple(known[starts][frequent].tolist()),
        edges=tuple(np.unique(edges).tolist()),
        scale=scale,
    )


def _scale(numbers: np.ndarray) -> float:
    """The standard deviation, at most the largest float: of huge numbers the squares overflow."""
    largest = float(np.abs(numbers).max())
    return float(min(float((numbers / largest).std()) * largest, np.finfo(np.float64).max))


def text_bins(column: pd.Series) -> Bins:
    """The most frequent categories; all others share a bin."""
    values = pd.Series(text_array(column)).dropna()
    names = [str(name) for name in values.value_counts().index[:_CATEGORIES]]
    fitting = np.cumsum([len(name) for name in names]) <= _CATEGORY_CHARACTERS
    return Bins(points=tuple(names[: int(fitting.sum())]) or ("",))


def refined(bins: Bins) -> Bins:
    """More intervals beyond the outermost edges, for rows that lie where the reference has few.

    They widen outwards by half each, so that they tell a season far off the reference from a
    shift of it. The given edges stay, so the finer counts add up to the coarser ones.
    """
    inner = np.array(bins.edges or (() if bins.are_texts else bins.points), dtype=np.float64)
    if not len(inner):
        return bins
    low, middle, high = np.min(inner), np.median(inner), np.max(inner)
    below, above = (width or bins.scale for width in (middle - low, high - middle))
    outer = [*(low - below * _OUTER), *(high + above * _OUTER)]
    return bins.model_copy(update={"edges": tuple(np.unique([*bins.edges, *outer]).tolist())})
