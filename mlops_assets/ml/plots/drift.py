"""Drift as pictures: the score of each column, and how the columns that drifted are distributed.

The scores are those of `ml.monitoring.drift`; Evidently's page is drawn by `resources.reports`.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mlops_assets.blocks.monitoring import DriftSettings
from mlops_assets.ml.plots.style import INK, MODEL, REFERENCE, figure_and_axes, label, plain, png
from mlops_assets.records.monitoring import DriftSummary
from mlops_assets.records.profile import Bins, ColumnProfile, Profile

_DRIFTED = "#dc2626"
_MOST = 20
_COLUMNS, _BARS = 4, 12


def drift_plot(summary: DriftSummary, rules: DriftSettings, titles: Mapping[str, str]) -> bytes:
    """Draw the columns with the highest scores as bars, those that raise the alarm in red.

    A column is called by its title, if it has one.
    """
    shown = sorted(summary.scores.items(), key=lambda item: item[1])[-_MOST:]
    figure, axes = figure_and_axes()
    alarming = {*summary.drifted_columns, *summary.broken_columns}
    colors = [_DRIFTED if name in alarming else MODEL for name, _ in shown]
    ignored = dict.fromkeys(rules.ignore, " (ignored)")
    labels = [plain(titles.get(name, name) + ignored.get(name, "")) for name, _ in shown]
    axes.barh(labels, [score for _, score in shown], color=colors)
    axes.axvline(rules.threshold, color=REFERENCE, linestyle="--")
    axes.set(title=f"Drift: {summary.verdict}", xlabel="population stability index")
    axes.tick_params(axis="y", labelsize=8, colors=INK)
    return png(figure)


def columns_plot(
    names: Sequence[str], reference: Profile, live: Profile, titles: Mapping[str, str]
) -> bytes:
    """Draw the first four of `names`: the share of rows in each bin, then and now."""
    shown = names[:_COLUMNS]
    figure, axes = figure_and_axes(len(shown), 1)
    for name, part in zip(shown, np.atleast_1d(axes), strict=True):
        old, new = reference.columns[name], live.columns[name]
        labels, before, now = _bars(old, new)
        places = np.arange(len(labels))
        part.bar(places - 0.2, before, width=0.4, color=REFERENCE, label="reference")
        part.bar(places + 0.2, now, width=0.4, color=_DRIFTED, label="now")
        part.set_xticks(places, labels, rotation=20, fontsize=6)
        part.set_title(plain(titles.get(name, name)), fontsize=8)
    np.atleast_1d(axes)[0].legend(frameon=False, fontsize=7)
    return png(figure)


def _bars(old: ColumnProfile, new: ColumnProfile) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Labels and shares of the fullest bins, in the order of the values, missing last."""
    labels, order = _labels(old.bins)
    shares = [np.array([*one.counts, one.missing]) / max(one.rows, 1) for one in (old, new)]
    fullest = np.argsort(-(shares[0] + shares[1]), kind="stable")[:_BARS]
    kept = [place for place in order if place in fullest and shares[0][place] + shares[1][place]]
    return [labels[place] for place in kept], shares[0][kept], shares[1][kept]


def profile_bars(found: ColumnProfile) -> tuple[list[str], np.ndarray]:
    """Labels and shares of a column's fullest bins, in the order of the values, missing last."""
    labels, _, shares = _bars(found, found)
    return labels, shares


def _labels(bins: Bins) -> tuple[list[str], list[int]]:
    """A name for each bin, and the places of the bins in the order of their values."""
    if bins.are_texts:
        labels = [*map(label, bins.points), "other", "missing"]
        return labels, list(range(len(labels)))
    uppers = [f"<{edge:.3g}" for edge in bins.edges]
    last = f">={bins.edges[-1]:.3g}" if bins.edges else "other"
    labels = [*(f"{point:g}" for point in bins.points), *uppers, last, "missing"]
    ends = np.array([*bins.points, *bins.edges, np.inf, np.inf], dtype=np.float64)
    return labels, np.argsort(ends, kind="stable").tolist()
