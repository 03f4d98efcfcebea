"""How every picture looks, and how it becomes PNG bytes."""

import io
import warnings
from typing import Any

import numpy as np

_COLORS = 64
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
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        # A column may be called in any script; what the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        canvas.draw()
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    buffer = io.BytesIO()
    # A third of the bytes, which Dagster's event log keeps for ever; equal scores, equal bytes.
    drawn.quantize(_COLORS, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
    return buffer.getvalue()
