"""One column of a sample as texts, whatever the format of its source."""

import re
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute

pc: Any = pyarrow.compute  # makes its functions when imported: unknown to type checkers


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
