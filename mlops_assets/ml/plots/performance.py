"""Performance by window as one picture: estimated, measured, and what was promised.

The figures are those of `ml.monitoring.performance`.
"""

from mlops_assets.ml.plots.style import GRID, INK, MODEL, REFERENCE, figure_and_axes, png
from mlops_assets.records.monitoring import PerformanceReport

_ESTIMATED = "#f59e0b"


def performance_plot(report: PerformanceReport) -> bytes:
    """Draw the loss of each window (accuracy of a multiclass model) as PNG.

    The estimate is drawn for every window, the measured value once it is final; a degraded window
    is marked red.
    """
    name = report.headline
    figure, axes = figure_and_axes()
    starts = [window.window.start for window in report.windows]
    for label, color, values in (
        ("estimated", _ESTIMATED, [w.estimated.get(name) for w in report.windows]),
        ("measured", MODEL, [w.metrics.get(name) for w in report.windows]),
        ("held-out rows", REFERENCE, [w.reference.get(name) for w in report.windows]),
    ):
        points = [(t, v) for t, v in zip(starts, values, strict=True) if v is not None]
        if points:
            axes.plot(*zip(*points, strict=True), color=color, marker="o", ms=3, label=label)
    bad = [
        (window.window.start, window.metrics[name])
        for window in report.windows
        if window.verdict == "degraded" and name in window.metrics
    ]
    if bad:
        axes.plot(*zip(*bad, strict=True), "o", color="#dc2626", ms=8, label="degraded")
    axes.set(title="Live performance", ylabel=name.replace("_", " "))
    axes.grid(color=GRID)
    axes.legend(frameon=False, labelcolor=INK)
    figure.autofmt_xdate()
    return png(figure)
