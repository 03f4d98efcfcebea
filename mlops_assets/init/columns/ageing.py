"""Whether an age grows by the calendar, or is a span of its row; and whether a date is to come."""

import numpy as np
import pandas as pd

from mlops_assets.init.columns.found import Found

_AS_TIME = 0.5
"""How far from a day a day; where it grows by less, a correction by the calendar is the worse."""
_UNSURE = 0.25
"""The largest standard error, at which 0 and 1 are four of them apart."""


def ahead(found: Found) -> dict[str, str]:
    """What the contract says of a date of which some values are to come; nothing of others."""
    to_come = found.moments is not None and (found.moments > pd.Timestamp.now(tz="UTC")).any()
    return {"future": "allow"} if to_come else {}


def grows(ages: pd.Series, moments: pd.Series) -> bool:
    """Whether ages are about a day higher for each day that their rows are newer.

    By a regression over the rows; not where those are too few, or too alike in time, to tell.

    Args:
        ages: In days, NaN where there is none; the outermost hundredth of each side counts as the
            rest begins, for dates that stand for none.
        moments: Of the same rows.
    """
    known = ages.notna() & moments.notna()
    if known.sum() < 3 or moments[known].nunique() < 2:
        return False
    age = ages[known].clip(*ages[known].quantile([0.01, 0.99])).to_numpy()
    time = ((moments[known] - moments[known].min()) / pd.Timedelta(days=1)).to_numpy()
    slope, level = np.polyfit(time, age, 1)
    rest = age - (level + slope * time)
    error = np.sqrt((rest @ rest) / (len(rest) - 2) / (len(rest) * time.var()))
    return bool(abs(slope - 1) < _AS_TIME and error < _UNSURE)
