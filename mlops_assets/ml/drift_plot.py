"""Drift by column as one picture."""

from mlops_assets.ml.plots import INK, MODEL, REFERENCE, figure_and_axes, png
from mlops_assets.records.monitoring import DriftSummary

_DRIFTED = "#dc2626"
_MOST = 20


def drift_plot(summary: DriftSummary) -> bytes:
    """Draw the columns with the highest scores as bars, those that raise the alarm in red."""
    shown = sorted(summary.scores.items(), key=lambda item: item[1])[-_MOST:]
    figure, axes = figure_and_axes()
    colors = [_DRIFTED if name in summary.drifted_columns else MODEL for name, _ in shown]
    axes.barh([name for name, _ in shown], [score for _, score in shown], color=colors)
    axes.axvline(0.2, color=REFERENCE, linestyle="--")
    axes.set(title=f"Drift: {summary.verdict}", xlabel="population stability index")
    axes.tick_params(axis="y", labelsize=8, colors=INK)
    return png(figure)
