"""Columns of a frame by name, whatever the name."""

from collections.abc import Mapping
from typing import Any

import pandas as pd


def with_columns(frame: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """A copy of `frame` in which these columns are new or replaced, in their places.

    As `DataFrame.assign`, which takes names for arguments and so refuses one: `self`.
    """
    result = frame.copy()
    for name, values in columns.items():
        result[name] = values
    return result
