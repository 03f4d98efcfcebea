"""What a training did, and what more of it would do, as PNG bytes; figures are `ml.training`'s."""

from collections.abc import Mapping, Sequence

import numpy as np

from mlops_assets.ml.plots.style import INK, MODEL, REFERENCE, figure_and_axes, plain, png
from mlops_assets.records.evaluation import CurvePoint, Importance

_MOST = 20


def learning_plot(points: Sequence[CurvePoint], loss_name: str) -> bytes:
    """Draw the losses of `learning_curve`; where both lines meet, more rows will not help."""
    figure, axes = figure_and_axes()
    rows = [point.rows for point in points]
    held_out, learnt = [p.loss for p in points], [p.training_loss for p in points]
    axes.plot(rows, held_out, color=MODEL, marker="o", label="held-out rows")
    axes.plot(rows, learnt, color=REFERENCE, marker="o", label="training rows")
    axes.set_xscale("log")
    axes.set_xticks(rows, [f"{count:,}" for count in rows], rotation=20)
    axes.minorticks_off()
    axes.set(title="Learning curve", xlabel="training rows", ylabel=loss_name)
    axes.legend(frameon=False, labelcolor=INK)
    return png(figure)


def importance_plot(
    found: Sequence[Importance], loss_name: str, titles: Mapping[str, str]
) -> bytes:
    """Draw the features that matter most, 20 at most, each called by its title if it has one."""
    shown = found[:_MOST][::-1]
    figure, axes = figure_and_axes()
    names = [plain(titles.get(one.feature, one.feature)[:32]) for one in shown]
    errors = [one.deviation for one in shown]
    places = np.arange(len(shown))
    axes.barh(places, [one.added_loss for one in shown], xerr=errors, color=MODEL, ecolor=INK)
    axes.set_yticks(places, names, fontsize=8)
    axes.locator_params("x", nbins=6)  # by default its labels run into each other
    axes.set(title="Permutation importance", xlabel=f"{loss_name} added by shuffling the feature")
    return png(figure)


def tuning_plot(values: Sequence[float | None], metric: str, *, higher_is_better: bool) -> bytes:
    """The metric of each trial, None where it did not end, and the best one so far."""
    shown = [(n, value) for n, value in enumerate(values, 1) if value is not None]
    numbers, found = zip(*shown, strict=True)
    best = (np.maximum if higher_is_better else np.minimum).accumulate(found)
    figure, axes = figure_and_axes()
    axes.scatter(numbers, found, s=14, color=REFERENCE, label="trial")
    axes.step(numbers, best, where="post", color=MODEL, label="best so far")
    axes.set(title="Tuning", xlabel="trial", ylabel=metric, xlim=(0, len(values) + 1))
    axes.legend(frameon=False)
    return png(figure)
