"""Which rows are held out: the newest, in steps of calendar and clock, or some at random.

And which are there again, so that one held out would be known from the training.
"""

from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import Task
from mlops_assets.ml.features.snapshots import calendar_step

_STEPS = (
    *(f"{n} day" + "s" * (n > 1) for n in range(1, 7)),
    *(f"{n} week" + "s" * (n > 1) for n in range(1, 4)),
    *(f"{n} month" + "s" * (n > 1) for n in range(1, 12)),
    *(f"{n} year" + "s" * (n > 1) for n in range(1, 31)),
    *(f"{n} hour" + "s" * (n > 1) for n in range(1, 24)),
    *(f"{n} minute" + "s" * (n > 1) for n in range(1, 60)),
    *(f"{n} second" + "s" * (n > 1) for n in range(1, 60)),
)
_HELD_OUT = 0.2
_FEWEST = 50
_FEWER = 0.5
"""Of the repeated rows, how many may be expected by chance."""
_DIFFER = 0.25
"""Of the targets that differ by chance in rows alike but for it, how many may."""


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
        return at_random, "no stretch of time holds about the newest fifth, so at random"
    held = target[_held_out(moments, best)]
    if task != "regression" and held.nunique() < target.nunique():
        return at_random, "the newest rows lack a class, so at random"
    newest = best.removeprefix("1 ")
    return {"by": "time", "test": best}, f"{share:.0%} of the rows are of the newest {newest}"


def repeated_rows(rows: pd.DataFrame, target: str) -> int:
    """How many rows are there again, value by value; 0 where chance alone may do that.

    It does where columns of few values, each shuffled by itself, repeat about as many rows; and
    where rows alike but for the target differ in it about as often as any rows do.

    Args:
        rows: Of texts; a missing one equals another.
        target: Name of its column.
    """
    codes = pd.DataFrame({name: pd.factorize(column)[0] for name, column in rows.items()})
    again = int(codes.duplicated().sum())
    if not again:
        return 0
    rng = np.random.default_rng(0)
    shuffled = pd.DataFrame({name: rng.permutation(column) for name, column in codes.items()})
    alike = int(codes.drop(columns=target).duplicated().sum())
    mixed = int(codes.assign(**{target: shuffled[target]}).duplicated().sum())
    by_chance = int(shuffled.duplicated().sum()) > _FEWER * again
    differs = alike - again > _DIFFER * (alike - mixed)
    return 0 if by_chance or differs else again


def _held_out(moments: pd.Series, step: str) -> pd.Series:
    try:
        return moments > moments.max() - calendar_step(step)
    except (OverflowError, pd.errors.OutOfBoundsDatetime):
        return pd.Series(True, index=moments.index)


def _share(moments: pd.Series, step: str) -> float:
    return float(_held_out(moments, step).mean())
