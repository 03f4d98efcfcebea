"""Small pictures of the status page, as SVG that takes its colours from the page.

Pictures of reports and cards are `mlops_assets.ml.plots`'s.
"""

import math
from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 160, 36
_MARGIN = 3.0


def line(values: Sequence[float], limit: float | None, says: str) -> str:
    """A line over values in their order, its last point marked, and a limit as a dashed line.

    Args:
        values: What is no finite number breaks the line.
        limit: In the same unit.
        says: What a reader of the screen hears.

    Returns:
        An `<svg>`; empty without two finite values.
    """
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    bounds = [*finite, *([limit] if limit is not None else [])]
    low, high = min(bounds), max(bounds)

    def place(at: int, value: float) -> tuple[float, float]:
        x = _MARGIN + at * (WIDTH - 2 * _MARGIN) / (len(values) - 1)
        return round(x, 1), _height(value, low, high)

    points = [place(at, v) if math.isfinite(v) else None for at, v in enumerate(values)]
    drawn = f'<path class="line" d="{_path(points)}"/>'
    if limit is not None:
        y = _height(limit, low, high)
        drawn = f'<path class="limit" d="M0 {y}H{WIDTH}"/>{drawn}'
    x, y = [point for point in points if point is not None][-1]
    return _svg(f'{drawn}<circle class="dot" cx="{x}" cy="{y}" r="2.5"/>', says)


def _height(value: float, low: float, high: float) -> float:
    """From the top; the middle where all is the same. By halves, whose difference is finite."""
    share = (value / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.5
    return round(HEIGHT - _MARGIN - share * (HEIGHT - 2 * _MARGIN), 1)


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    parts, pen_is_down = [], False
    for point in points:
        if point is not None:
            parts.append(f"{'L' if pen_is_down else 'M'}{point[0]} {point[1]}")
        pen_is_down = point is not None
    return "".join(parts)


def _svg(drawn: str, says: str) -> str:
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg {size} role="img" aria-label="{escape(says)}">{drawn}</svg>'
