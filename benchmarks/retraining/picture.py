"""The picture of one stream: what the live model loses by day, and when it was trained anew."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.retraining.replay import Replay
from benchmarks.retraining.world import PHASES


def draw(found: Mapping[str, Replay], never: Replay, file: Path) -> None:
    """Excess loss of the live model by day, and a mark for each retraining, by each rule."""
    figure = Figure(figsize=(11, 7), layout="constrained")
    axes = figure.subplots(len(found), 1, sharex=True, sharey=True)
    for axis, (name, run) in zip(axes, found.items(), strict=True):
        axis.plot(never.excess, color="#d1d5db", linewidth=1, label="never retrained")
        axis.plot(run.excess, color="#1e3a8a", linewidth=1, label="live model")
        good = [day for day in run.trained if day not in run.wrong]
        axis.plot(good, [-0.04] * len(good), "|", color="#16a34a", label="retrained")
        axis.plot(run.wrong, [-0.08] * len(run.wrong), "|", color="#dc2626", label="wrongly")
        for phase in PHASES:
            axis.axvline(phase.first, color="#9ca3af", linewidth=0.5)
            if axis is axes[0]:
                axis.annotate(phase.name, (phase.first + 2, 0.62), fontsize=7)
        axis.set_ylim(-0.12, 0.7)
        axis.set_title(
            f"{name}: {len(run.trained)} retrainings, {len(run.wrong)} wrong", loc="left"
        )
        axis.set_ylabel("excess log loss")
    axes[0].legend(loc="center left", fontsize=7)
    axes[-1].set_xlabel("day")
    with file.open("wb") as output:
        FigureCanvasAgg(figure).print_png(output, metadata={"Software": None})
