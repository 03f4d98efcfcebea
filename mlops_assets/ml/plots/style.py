"""How every picture looks, and how it becomes PNG bytes."""

import io
import warnings
from typing import Any

import numpy as np

INK, GRID, MODEL, REFERENCE = "#334155", "#e2e8f0", "#2563eb", "#94a3b8"


def label(name: object) -> str:
    """A class or category, short."""
    return plain(str(name)[:12])


def plain(text: str) -> str:
    """A text as it is written: matplotlib takes what is between two `$` for TeX."""
    return text.replace("$", r"\$")


def figure_and_axes(rows: int = 1, columns: int = 1, **kwargs: Any) -> tuple[Any, Any]:
    """A figure in the common style, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 4.4), dpi=100, layout="constrained")
    axes = figure.subplots(rows, columns, **kwargs)
    for each in np.atleast_1d(axes):
        each.set_axisbelow(True)
        each.grid(color=GRID)
        each.spines[["top", "right"]].set_visible(False)
        each.spines[["left", "bottom"]].set_color(REFERENCE)
        each.tick_params(colors=INK)
        each.title.set_color(INK)
    return figure, axes


def png(figure: Any) -> bytes:
    """The bytes of a figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A column may be called in any script; what the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        # Without the version of matplotlib in the file: equal scores give equal bytes.
        FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()
