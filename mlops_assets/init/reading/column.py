"""One column of a sample as texts, whatever the format of its source."""

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

from mlops_assets.ml.data.marks import MINUS

pc: Any = pyarrow.compute  # makes its functions when imported: unknown to type checkers

_FEWEST_COUNTED = 20
_NEARLY_ALL = 0.8
_WRITTEN_NUMBER = r"^[+-]?[^0-9]{0,4}[0-9][0-9.,' \x{a0}\x{202f}]*([eE][+-]?[0-9]+)?[^0-9]{0,12}$"
"""With the marks and the unit that may stand beside it."""
ROW_NUMBER = re.compile(
    r"^(unnamed: ?\d+|index|row_?names?|row_?(no|nr|number)?|#|)$", re.IGNORECASE
)
"""What row numbers are called; some write nothing."""


@dataclass(frozen=True)
class Column:
    """One column, as texts without those that mean no value."""

    source: str
    name: str
    texts: pa.Array
    whole: bool
    """Whether it is all of the source, not a sample."""
    decimal: str = "."
    thousands: str | None = None
    missing: tuple[str, ...] = ()
    """What means no value in this column alone."""
    parts: tuple[str, ...] = ()
    """The columns of the source that it is in, if those are several."""

    @property
    def present(self) -> pa.Array:
        """The texts that are there."""
        return self.texts.drop_null()

    def share(self, pattern: str) -> float:
        """Of the values that are there, how many are like that."""
        found = pc.match_substring_regex(self.present, pattern)
        return float(pc.mean(found).as_py() or 0)

    def plain_numbers(self) -> "Column":
        """With numbers as a program writes them."""
        texts = self.texts
        if self.thousands:
            grouped = r"^([+-]?[0-9]{1,3})((" + re.escape(self.thousands) + r"[0-9]{3})+)"
            is_grouped = pc.match_substring_regex(texts, grouped)
            bare = pc.replace_substring(texts, self.thousands, "")
            texts = pc.if_else(is_grouped, bare, texts)
        if self.decimal != ".":
            with_mark = pc.match_substring_regex(texts, r"^[+-]?[0-9]*" + self.decimal + "[0-9]+$")
            pointed = pc.replace_substring(texts, self.decimal, ".")
            texts = pc.if_else(with_mark, pointed, texts)
        return replace(self, texts=texts)

    @property
    def distinct(self) -> int:
        """How many different values there are."""
        return len(pc.unique(self.present))

    @property
    def counts(self) -> pd.Series:
        """Each value and how often it is there, the most frequent first."""
        return pd.Series(self.present.to_pylist(), dtype=object).value_counts()


def with_hyphens(texts: pa.Array) -> pa.Array:
    """Numbers with a hyphen for the minus of typesetters, as a run reads them; others as they are.

    Of a column of numbers, which nearly all values are.
    """
    if not pc.any(pc.match_substring(texts, MINUS)).as_py():
        return texts
    plain = pc.replace_substring(texts, MINUS, "-")
    numbers = pc.mean(pc.match_substring_regex(plain, _WRITTEN_NUMBER)).as_py()
    return plain if numbers > _NEARLY_ALL else texts


def is_row_number(column: Column, numbers: pd.Series) -> bool:
    """Whether it is called one and unique, or counts the rows as they stand in the source."""
    if column.texts.null_count or len(numbers) < 3:
        return False
    if ROW_NUMBER.match(column.source.strip()):
        return bool(numbers.is_unique)
    steps = numbers.diff().iloc[1:]
    by_one = float((steps == 1).mean())
    if column.whole:
        return by_one == 1 and len(numbers) >= _FEWEST_COUNTED
    return by_one > 0.99 and bool((steps > 0).all())  # a sample is of blocks of rows


def number_range(numbers: pd.Series, *, whole: bool) -> dict[str, float | int]:
    """Bounds with as much room on each side as the values span; 0 stays a bound."""
    known = numbers[np.isfinite(numbers)]
    low, high = float(known.min()), float(known.max())
    if set(known.unique()) <= {0.0, 1.0}:
        return {"min": 0, "max": 1}
    span = high - low or abs(high) or 1.0
    bounds = {"min": 0.0 if low >= 0 else _rounded(low - span), "max": _rounded(high + span)}
    if high <= 0:
        bounds["max"] = 0.0
    return {
        key: int(value) if whole or value == int(value) else value for key, value in bounds.items()
    }


def _rounded(value: float) -> float:
    """Away from zero, to two digits."""
    if value == 0 or not np.isfinite(value):
        return 0.0
    scale = 10.0 ** (np.floor(np.log10(abs(value))) - 1)
    return float(f"{np.sign(value) * np.ceil(abs(value) / scale) * scale:.12g}")
