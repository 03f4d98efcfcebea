"""Which rows are held out: the newest, in steps of the calendar, or some at random."""

from typing import Any

import pandas as pd

from mlops_assets.blocks.base import Task
from mlops_assets.ml.features.snapshots import calendar_step

_STEPS = (
    *(f"{n} day" + "s" * (n > 1) for n in range(1, 7)),
    *(f"{n} week" + "s" * (n > 1) for n in range(1, 4)),
    *(f"{n} month" + "s" * (n > 1) for n in range(1, 12)),
    *(f"{n} year" + "s" * (n > 1) for n in range(1, 31)),
)
_HELD_OUT = 0.2
_FEWEST = 50


def choose_split(
    moments: pd.Series | None, target: pd.Series, task: Task, scale: float
) -> tuple[dict[str, Any], str]:
    """By time where the newest fifth or so can be held out, else at random; and why.

    Args:
        moments: Of the rows looked at; None without a timestamp.
        target: Of the same rows, NaN or None where it is not known.
        task: Of the model.
        scale: How many rows of the source each row stands for.
    """
    at_random = {"by": "random", "fraction": _HELD_OUT}
    if moments is None:
        return at_random, "no moments, so a fifth of the rows, at random"
    known = target.notna()
    moments, target = moments[known], target[known]
    best = min(_STEPS, key=lambda step: abs(_share(moments, step) - _HELD_OUT))
    share = _share(moments, best)
    held_rows, rows = share * len(moments) * scale, len(moments) * scale
    if not 0.1 <= share <= 0.45 or held_rows < min(_FEWEST, 0.15 * rows):
        return at_random, "no whole days hold about a fifth of the rows, so at random"
    held = target[_held_out(moments, best)]
    if task != "regression" and held.nunique() < target.nunique():
        return at_random, "the newest rows lack a class, so at random"
    return {"by": "time", "test": best}, f"the newest {best} are {share:.0%} of the rows"


def _held_out(moments: pd.Series, step: str) -> pd.Series:
    try:
        return moments > moments.max() - calendar_step(step)
    except (OverflowError, pd.errors.OutOfBoundsDatetime):
        return pd.Series(True, index=moments.index)


def _share(moments: pd.Series, step: str) -> float:
    return float(_held_out(moments, step).mean())
