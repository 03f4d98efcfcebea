"""A replay as one picture: AUC, calibration and drift by month, with and without retraining."""

from collections.abc import Callable
from typing import Any

from demo.story import Quality, Story
from mlops_assets.ml.plots.evaluation import INK, MODEL, REFERENCE
from mlops_assets.ml.plots.style import figure_and_axes, png

_REFUSED = "#dc2626"
Value = Callable[[Quality], float | None]


def figure(story: Story) -> bytes:
    """PNG; a dashed line where a new version was promoted, a red cross where one was refused."""
    drawing, axes = figure_and_axes(3, 1, sharex=True)
    drawing.set_size_inches(9, 7.2)
    auc, calibration, drift = axes
    _curves(auc, story, lambda quality: quality.metrics.get("roc_auc"))
    auc.set_ylabel("ROC AUC", color=INK)
    _curves(calibration, story, lambda quality: quality.metrics.get("calibration_ratio"))
    calibration.axhline(1, color=INK, linewidth=0.8)
    calibration.set_ylabel("promised / observed", color=INK)
    _curves(drift, story, lambda quality: largest_drift(story, quality))
    drift.axhline(story.threshold, color=INK, linewidth=0.8)
    drift.annotate("threshold", (story.months[0].now, story.threshold), (0, 3),
                   textcoords="offset points", fontsize=8, color=INK)  # fmt: skip
    drift.set_ylabel("largest PSI of a column", color=INK)
    drift.set_ylim(bottom=0)
    for axis in axes:
        _promotions(axis, story)
    _refusals(auc, story)
    _versions(auc, story)
    drift.set_xticks([m.now for m in story.months], [f"{m.now:%b %y}" for m in story.months])
    handles, labels = auc.get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    return png(drawing)


def largest_drift(story: Story, quality: Quality) -> float | None:
    """The largest PSI among the columns that may raise an alarm."""
    scores = quality.drift.scores
    return max((scores[name] for name in scores if name not in story.ignored), default=None)


def _curves(axis: Any, story: Story, value: Value) -> None:
    for label, color, style, pick in (
        ("first version (never retrained)", REFERENCE, "--", lambda month: month.first),
        ("live version", MODEL, "-", lambda month: month.live),
    ):
        found = [(m.now, value(pick(m))) for m in story.months if pick(m) is not None]
        points = [(now, number) for now, number in found if number is not None]
        if points:
            axis.plot(*zip(*points, strict=True), style, color=color, marker="o", ms=4, label=label)


def _promotions(axis: Any, story: Story) -> None:
    for number, now in enumerate(story.promotions):
        label = "retrained and promoted" if number == 0 else None
        axis.axvline(now, color=MODEL, linestyle=":", linewidth=1.2, label=label)


def _refusals(axis: Any, story: Story) -> None:
    refused = [m.now for m in story.months if m.trained and m.now not in story.promotions]
    if refused:
        low = [axis.get_ylim()[0]] * len(refused)
        axis.plot(refused, low, "x", color=_REFUSED, ms=8, clip_on=False,
                  label="retrained and refused")  # fmt: skip


def _versions(axis: Any, story: Story) -> None:
    for month in story.months:
        if month.now in story.promotions:
            axis.annotate(f" version {month.version}", (month.now, axis.get_ylim()[1]),
                          fontsize=8, color=MODEL, va="top")  # fmt: skip
