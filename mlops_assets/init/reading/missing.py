"""Which texts of a table mean: no value.

One list for the whole source, as `source.missing` is. A text of many meanings, e.g. `None`, counts
only where the rest of its column are numbers.
"""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute

from mlops_assets.init.questions import NONE, Answers

pc: Any = pyarrow.compute  # makes its functions when imported: unknown to type checkers

_PLAIN = ("?", "-", "--", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "(null)", "\\N")
"""What no category is called."""
_NUMBER = re.compile(r"^[+-]?([0-9]+[.,]?[0-9.,]*|[.,][0-9]+)([eE][+-]?[0-9]+)?$")
_SENTINELS = (-1e9, -99999, -9999, -999, -99, 999, 9999, 99999, 999999)
_MOST_DISTINCT = 3


def missing_texts(columns: Mapping[str, pa.Array], answers: Answers) -> list[str]:
    """The texts, in the order of their columns, without the empty one.

    Raises:
        UndecidedError: A number such as -999 may mean that there is none.
    """
    if given := answers.given("missing"):
        return [text for text in given.split(",") if text != NONE]
    counted = {source: _counts(texts) for source, texts in columns.items()}
    found: list[str] = []
    for counts in counted.values():
        found += [text for text in _PLAIN if text in counts.index]
        found += _words_among_numbers(counts)
    for source, counts in counted.items():
        sentinel = _sentinel(counts[~counts.index.isin(found)])
        if sentinel and _means_nothing(source, sentinel, int(counts[sentinel]), answers):
            found.append(sentinel)
    return list(dict.fromkeys(found))


def _means_nothing(source: str, sentinel: str, times: int, answers: Answers) -> bool:
    said = (
        f"{source!r}: {times} values are {sentinel}, far from all others: does it mean no value? "
        "The option takes the texts that do"
    )
    return answers.ask("missing", said, sentinel, [sentinel, NONE]) == sentinel


def without(texts: pa.Array, missing: list[str]) -> pa.Array:
    """Null in place of the texts that mean no value."""
    if not missing:
        return texts
    gone = pc.is_in(texts, value_set=pa.array(["", *missing]))
    return pc.if_else(gone, pa.scalar(None, pa.string()), texts)


def _counts(texts: pa.Array) -> pd.Series:
    counted = pc.value_counts(texts.drop_null())
    return pd.Series(
        counted.field("counts").to_numpy(zero_copy_only=False),
        index=counted.field("values").to_pylist(),
    )


def _words_among_numbers(counts: pd.Series) -> list[str]:
    """Up to three words without a digit in a column that is of numbers otherwise."""
    words = [text for text in counts.index if not _NUMBER.match(text)]
    if not words or len(words) > _MOST_DISTINCT or any(c.isdigit() for w in words for c in w):
        return []
    numbers = counts.sum() - counts[words].sum()
    return words if numbers >= 0.5 * counts.sum() and len(counts) - len(words) > 1 else []


def _sentinel(counts: pd.Series) -> str | None:
    """A text such as -999 that recurs far outside the range of all other numbers."""
    numbers = pd.to_numeric(pd.Series(counts.index), errors="coerce")
    if numbers.isna().any() or len(numbers) < 5:
        return None
    values = pd.Series(counts.to_numpy(), index=numbers.to_numpy())
    for value in _SENTINELS:
        if value not in values.index:
            continue
        others = values.index[values.index != value]
        span = max(others.max() - others.min(), 1.0)
        away = others.min() - value if value < 0 else value - others.max()
        if away > span and values[value].sum() >= max(3, 0.001 * counts.sum()):
            return next(text for text in counts.index if float(text) == value)
    return None
