"""Moments that stand for none, e.g. 1900-01-01: a handful of values, decades from all others."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from mlops_assets.blocks.columns import ColumnContract
from mlops_assets.ml.data.datetimes import datetimes

_HANDFUL = 0.02
_FEWEST_ROWS = 20
_YEARS = 20
_DAYS = 365.25
_PLACEHOLDERS = {"1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01"}


def said_of_far(texts: Sequence[str | None], moments: pd.Series) -> str:
    """What is said of moments that stand 20 years and more from the rest; empty without any.

    The gap is wider than what the rest span, or they are a date that stands for none.

    Args:
        texts: As the source writes them.
        moments: Of the same rows, NaT where there is none.
    """
    known = moments.dropna().sort_values()
    if len(known) < _FEWEST_ROWS:
        return ""
    days = ((known - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)).to_numpy()
    span = float(np.quantile(days, 0.95) - np.quantile(days, 0.05))
    most = max(1, int(_HANDFUL * len(days)))
    for from_low in (True, False):
        steps = np.diff(days)[:most] if from_low else np.diff(days)[::-1][:most]
        gap, count = float(steps.max()), int(steps.argmax()) + 1
        row = known.index[0 if from_low else -1]
        stands_for_none = f"{known[row]:%Y-%m-%d}" in _PLACEHOLDERS
        if gap > _YEARS * _DAYS and (gap > span or stands_for_none):
            years = f"{gap / _DAYS:.0f} years away from all others"
            return f"; {count}, e.g. {texts[row]!r}, {years}; {remedy(texts[row])}"
    return ""


def no_moment(texts: pa.Array) -> str:
    """The first text that is no moment of ISO 8601; the first of all where each is."""
    rule = ColumnContract.model_validate({"dtype": "datetime", "offsets": "any"})
    read, _ = datetimes(pd.Series(texts.to_pylist(), dtype=object), texts, rule)
    return texts[int(read.isna().to_numpy().argmax())].as_py()


def remedy(text: str | None) -> str:
    """What to do about a value that may mean none."""
    return f"correct it, or say --missing {text!r} if it means no value wherever it stands"
