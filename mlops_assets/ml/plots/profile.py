"""How the columns of a table, or of a profile, are distributed: one picture of small ones."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.ml.plots.drift import profile_bars
from mlops_assets.ml.plots.style import INK, MODEL, REFERENCE, figure_and_axes, label, plain, png
from mlops_assets.ml.summary import evenly
from mlops_assets.records.profile import Profile

MOST = 12
"""Columns that are drawn."""
_SAMPLE, _BINS, _TEXTS = 20_000, 24, 6


class _Bars(NamedTuple):
    """One small picture: how high each bar is, and what stands below at which share of it."""

    heights: np.ndarray
    below: Sequence[tuple[float, str]]


def table_plot(rows: pd.DataFrame, names: Sequence[str], titles: Mapping[str, str]) -> bytes:
    """Draw the first twelve of the columns `names` of a table, of 20,000 rows from all over."""
    return _drawn({name: _bars(rows[name]) for name in names[:MOST]}, titles)


def reference_plot(found: Profile, titles: Mapping[str, str]) -> bytes:
    """Draw the first eleven columns of a profile, and the predictions, which come last."""
    names = list(found.columns)
    shown = {}
    for name in dict.fromkeys([*names[: MOST - 1], names[-1]]):
        labels, shares = profile_bars(found.columns[name])
        few = len(labels) <= _TEXTS
        shown[name] = _Bars(shares, _each(labels) if few else _ends(labels[0], labels[-1]))
    return _drawn(shown, titles)


def _bars(column: pd.Series) -> _Bars:
    known = evenly(column.dropna(), _SAMPLE)
    if known.empty:
        return _Bars(np.zeros(1), _each(["no value"]))
    if pd.api.types.is_datetime64_any_dtype(known):
        first, last = f"{known.min():%Y-%m-%d}", f"{known.max():%Y-%m-%d}"
        return _histogram(known.astype("int64").to_numpy(np.float64), first, last)
    if pd.api.types.is_numeric_dtype(known) and not pd.api.types.is_bool_dtype(known):
        values = known.to_numpy(dtype=np.float64)
        values = values[np.isfinite(values)]
        if not len(values):
            return _Bars(np.zeros(1), _each(["not finite"]))
        low, high = np.quantile(values, [0.01, 0.99], method="nearest")
        inner = values[(values >= low) & (values <= high)]
        return _histogram(inner, f"{low:.3g}", f"{high:.3g}")
    counts = known.astype(str).value_counts()
    heights, names = counts.to_numpy()[:_TEXTS], [label(name) for name in counts.index[:_TEXTS]]
    if len(counts) > _TEXTS:
        heights, names = np.append(heights, counts.to_numpy()[_TEXTS:].sum()), [*names, "other"]
    return _Bars(heights, _each(names))


def _histogram(values: np.ndarray, low: str, high: str) -> _Bars:
    """Of finite numbers, between the two ends as they are written."""
    if values.min() == values.max():
        return _Bars(np.ones(1), _each([low]))
    scaled = values / np.abs(values).max()  # the difference of two huge numbers is too large
    scaled = (scaled - scaled.min()) / np.ptp(scaled)  # neighbours among them have no bins between
    return _Bars(np.histogram(scaled, bins=_BINS, range=(0, 1))[0], _ends(low, high))


def _each(names: Sequence[str]) -> list[tuple[float, str]]:
    short = names if len(names) <= 2 else [name[:_SHORT] for name in names]
    return [((place + 0.5) / len(names), name) for place, name in enumerate(short)]


def _ends(low: str, high: str) -> list[tuple[float, str]]:
    return [(0, low), (1, high)]


def _drawn(bars: Mapping[str, _Bars], titles: Mapping[str, str]) -> bytes:
    """All in one pair of axes: twelve of their own cost a second of CPU."""
    rows = -(-max(len(bars), 1) // _IN_A_ROW)
    figure, axes = figure_and_axes()
    figure.set_size_inches(7.2, 0.2 + 1.3 * rows)
    for place, (name, each) in enumerate(bars.items()):
        left, floor = place % _IN_A_ROW * _WIDE, -(place // _IN_A_ROW) * _HIGH
        count = len(each.heights)
        edges = left + np.arange(count + 1) / count
        top = max(each.heights.max(), 1e-12)
        high, line = floor + each.heights / top, {"edgecolor": "white", "linewidth": 0.5}
        axes.stairs(high, edges, baseline=floor, fill=True, facecolor=MODEL, **line)
        axes.plot([left, left + 1], [floor, floor], color=REFERENCE, linewidth=0.8)
        title = plain(titles.get(name, name)[:26])
        axes.text(left + 0.5, floor + 1.08, title, ha="center", fontsize=8, color=INK)
        for share, text in each.below:
            side = {0: "left", 1: "right"}.get(share, "center")
            style = {"ha": side, "va": "top", "fontsize": 6, "color": INK}
            axes.text(left + share, floor - 0.06, plain(text), **style)
    axes.set(xlim=(-0.1, _IN_A_ROW * _WIDE - 0.1), ylim=(-_HIGH * (rows - 1) - 0.25, 1.3))
    axes.set_axis_off()
    figure.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    return png(figure)


_IN_A_ROW, _WIDE, _HIGH, _SHORT = 4, 1.15, 1.6, 6
