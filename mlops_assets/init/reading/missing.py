"""Which texts of a table mean: no value.

Most are one list for the whole source, as `source.missing` is. A text of many meanings, e.g.
`None`, counts only where the rest of its column are numbers; where it means something in another
column, it is of its column alone. `NA` among the codes of countries is Namibia.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute

from mlops_assets.init.questions import NONE, Answers
from mlops_assets.init.reading.codes import NA, na_is_code
from mlops_assets.init.reading.names import safe_name

pc: Any = pyarrow.compute  # makes its functions when imported: unknown to type checkers

PLAIN = (
    *("?", "-", "--", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "(null)", "\\N"),
    *("inf", "-inf", "+inf", "Inf", "-Inf", "Infinity", "-Infinity", "#DIV/0!", "#VALUE!", "#REF!"),
)
"""What no category is called; an infinite number is none that a model can be fed."""
_NUMBER = re.compile(r"^[+-]?([0-9]+[.,]?[0-9.,]*|[.,][0-9]+)([eE][+-]?[0-9]+)?$")
_WHOLE = re.compile(r"^([+-]?[0-9]+)(?:[.]0+|,00?)?$")
_SENTINELS = (-1e9, -99999, -9999, -999, -99, 999, 9999, 99999, 999999)
_MOST_DISTINCT = 3


class Missing(NamedTuple):
    """The texts, each in the order of the columns, without the empty one."""

    everywhere: list[str]
    of: dict[str, list[str]]
    """Column -> those that mean no value there alone."""

    def texts(self, source: str) -> list[str]:
        """Those of one column."""
        return [*self.everywhere, *self.of.get(source, [])]

    def by_column(self, columns: Mapping[str, pa.Array]) -> "Missing":
        """All as those of their columns: what is typed has no list for the whole source."""
        counted = {source: _counts(texts) for source, texts in columns.items()}
        found = {
            source: [text for text in self.texts(source) if text in counts.index]
            for source, counts in counted.items()
        }
        return Missing([], {source: texts for source, texts in found.items() if texts})


def missing_texts(columns: Mapping[str, pa.Array], answers: Answers) -> Missing:
    """What means no value.

    A given `COLUMN=TEXT` is of that column alone; the others are looked at as if nothing was given.
    Of a whole number all that differs by `.0` alone is meant too: `-999` is `-999.0`.

    Raises:
        UndecidedError: A number such as -999 may mean that there is none.
    """
    everywhere, given = _given(answers.given("missing"), columns)
    if everywhere is not None:
        return Missing(everywhere, given)
    given_none = {s: columns[s] for s, own in given.items() if not own}
    looked_at = {s: texts for s, texts in columns.items() if s not in given}
    found = _found(looked_at, given_none, answers)
    return Missing(found.everywhere, {**found.of, **given})


def _given(
    option: str, columns: Mapping[str, pa.Array]
) -> tuple[list[str] | None, dict[str, list[str]]]:
    """The texts of the option for all columns, None if it says nothing of all; and for some."""
    everywhere: list[str] = []
    of: dict[str, list[str]] = {}
    names = {safe_name(source): source for source in columns} | {s: s for s in columns}
    for text in option.split(",") if option else ():
        name, equals, own = text.partition("=")
        if equals and name in names:
            source = names[name]
            of.setdefault(source, []).extend(_spellings(own, [columns[source]]))
        else:
            everywhere.append(text)
    if not everywhere:
        return None, of
    every = [one for text in everywhere for one in _spellings(text, columns.values())]
    return list(dict.fromkeys(every)), of


def _spellings(text: str, columns: Iterable[pa.Array]) -> list[str]:
    """The text, and of a whole number the others by which the columns write it; none of `none`."""
    if text == NONE:
        return []
    number = _WHOLE.match(text)
    if number is None:
        return [text]
    same = "^" + re.escape(number[1]) + "([.]0+|,00?)?$"
    found = [
        pc.unique(texts.filter(pc.match_substring_regex(texts, same))).to_pylist()
        for texts in columns
    ]
    return list(dict.fromkeys([text, *(one for each in found for one in each)]))


def _found(
    columns: Mapping[str, pa.Array], given: Mapping[str, pa.Array], answers: Answers
) -> Missing:
    """Of the columns; of the given ones a person says that every text is a value."""
    counted = {source: _counts(texts) for source, texts in columns.items()}
    counted_given = [_counts(texts) for texts in given.values()]
    there = {source: [t for t in PLAIN if t in counts.index] for source, counts in counted.items()}
    codes = {s for s, c in counted.items() if na_is_code(c[~c.index.isin({*PLAIN} - {NA})])}
    values = {t for t in PLAIN if any(t in c.index for c in counted_given)} | {NA for _ in codes}
    plain = [text for texts in there.values() for text in texts if text not in values]
    own = {s: _words_among_numbers(c[~c.index.isin(values)]) for s, c in counted.items()}
    for source in counted.keys() - codes:
        own[source] += [text for text in there[source] if text in values]
    known = {*plain, *(text for texts in own.values() for text in texts)}
    for source, counts in counted.items():
        sentinel = _sentinel(counts[~counts.index.isin(known)])
        if sentinel and _means_nothing(source, sentinel, int(counts[sentinel]), answers):
            own[source] = [*own[source], *_spellings(sentinel, [columns[source]])]
    everywhere = list(dict.fromkeys(plain))
    of: dict[str, list[str]] = {}
    for source, text in ((s, text) for s, texts in own.items() for text in texts):
        others = [s for s, counts in counted.items() if text in counts.index and text not in own[s]]
        if text not in values and (not others or text in plain):
            everywhere = list(dict.fromkeys([*everywhere, text]))
        else:
            of.setdefault(source, []).append(text)
    return Missing(everywhere, of)


def _means_nothing(source: str, sentinel: str, times: int, answers: Answers) -> bool:
    said = (
        f"{source!r}: {times} values are {sentinel}, far from all others: does it mean no value? "
        f"The option takes the texts that do, for one column {source}=TEXT"
    )
    # What was given is of other columns, and no answer to this.
    asked = replace(answers, options={**answers.options, "missing": None})
    return asked.ask("missing", said, sentinel, [sentinel, NONE]) == sentinel


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
