"""What was measured, as a page and a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.idle.watch import ROLES, STORES, Moment

_COLOURS = {"ours": "#1e3a8a", "bare": "#9ca3af"}


def growth(moments: Sequence[Moment], role: str) -> float:
    """MB that a process gains in the second half, by least squares."""
    half = moments[len(moments) // 2 :]
    seconds = [moment.seconds for moment in half]
    slope = np.polyfit(seconds, [moment.memory_mb[role] for moment in half], 1)[0]
    return float(slope) * (seconds[-1] - seconds[0])


def describe(found: Mapping[str, Sequence[Moment]], about: str) -> str:
    """The page.

    Args:
        found: The moments of each side.
        about: What was done, as the benchmark says it of itself.
    """
    ours = found["ours"]
    hours = (ours[-1].seconds - ours[0].seconds) / 3600
    lines = [
        "# A daemon with nothing to do\n",
        about.strip() + "\n",
        "`python -m benchmarks.idle`: "
        + "; ".join(
            f"{name} {moments[-1].looks:,} looks and {moments[-1].runs} runs launched"
            for name, moments in found.items()
        )
        + f" in {ours[-1].seconds / 60:.0f} minutes.\n",
        "![Memory of each process](idle.png)\n",
        "| process | | start MB | middle MB | end MB | largest MB | second half MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for role in ROLES:
        for name, moments in found.items():
            memory = [moment.memory_mb[role] for moment in moments]
            shown = (memory[0], memory[len(memory) // 2], memory[-1], max(memory))
            cells = " | ".join(f"{value:.1f}" for value in shown)
            lines.append(f"| {role} | {name} | {cells} | {growth(moments, role):+.2f} |")
    lines += ["\n| disk, kB an hour | " + " | ".join(STORES) + " |", "|---|" + "---|" * len(STORES)]
    for name, moments in found.items():
        first, last = moments[0].disk_kb, moments[-1].disk_kb
        cells = " | ".join(f"{(last[store] - first[store]) / hours:.0f}" for store in STORES)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines) + "\n"


def draw(found: Mapping[str, Sequence[Moment]], file: Path) -> None:
    """Memory of each process by minute."""
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    for axis, role in zip(figure.subplots(1, len(ROLES)), ROLES, strict=True):
        for name, moments in found.items():
            minutes = [moment.seconds / 60 for moment in moments]
            memory = [moment.memory_mb[role] for moment in moments]
            axis.plot(minutes, memory, color=_COLOURS[name], linewidth=1.2, label=name)
        axis.set_ylim(0, None)
        axis.set_title(role, loc="left", fontsize=9)
        axis.set_xlabel("minutes")
    figure.axes[0].set_ylabel("resident MB")
    figure.axes[0].legend(fontsize=8, loc="lower right")
    with file.open("wb") as stream:
        FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None})
