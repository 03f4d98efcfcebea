"""What one column is: a rule for each kind, asked in order; the first that applies decides.

A rule looks at the texts alone and says what the contract is, whether the column may be a feature
and how it is encoded, and why. Who is the entity, the moment or the target is `roles`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pyarrow.compute

from mlops_assets.init.columns.categories import category, code_of, leading_zeros
from mlops_assets.init.columns.found import Found, Use
from mlops_assets.init.columns.moments import (
    Epoch,
    Moments,
    doubt_epoch,
    find_epoch,
    find_exponents,
    find_moments,
    find_serial,
    find_unread,
)
from mlops_assets.init.columns.words import FALSE, OTHER_LANGUAGES, TRUE
from mlops_assets.init.doubts.moments import said_of_far
from mlops_assets.init.questions import Answers
from mlops_assets.init.reading.column import Column, is_row_number, number_range
from mlops_assets.init.reading.units import find_written

pc: Any = pyarrow.compute  # makes its functions when imported: unknown to type checkers

_MOSTLY = 0.9
_WHOLE = r"^[+-]?[0-9]+(\.0+)?$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_SIGN = r"([%‰€$£¥₹]|EUR|USD|GBP|CHF|kr|zł|R\$)"
_DIGITS = r"[0-9][0-9.,' \x{a0}\x{202f}]*"
_SIGNED = (
    rf"^[+-]?{_SIGN}\s?[+-]?{_DIGITS}$|^[+-]?{_DIGITS}{_SIGN}$|^\({_SIGN}?\s?{_DIGITS}{_SIGN}?\)$"
)


def profile(column: Column, answers: Answers) -> Found:
    """What the first rule that applies says.

    Raises:
        UndecidedError: It may be of two kinds.
    """
    found = next(found for rule in RULES if (found := rule(column, answers)))
    if found.moments is not None and (odd := said_of_far(column.texts.to_pylist(), found.moments)):
        found = replace(found, why=found.why + odd, likely=True)
    if column.texts.null_count and found.contract:
        return replace(found, contract={**found.contract, "nullable": True})
    return found


def empty(column: Column, answers: Answers) -> Found | None:
    """No value at all."""
    if len(column.present):
        return None
    return Found("empty", "has no value", "left out", {"dtype": "string"})


def constant(column: Column, answers: Answers) -> Found | None:
    """The same value in every row, but for a few without: more of those may tell something."""
    values = pc.unique(column.present)
    if len(values) != 1 or column.texts.null_count > 0.05 * len(column.texts):
        return None
    said = f"is {values[0].as_py()[:40]!r} wherever it has a value"
    return Found("constant", said, "left out", {"dtype": "string"})


def yes_no(column: Column, answers: Answers) -> Found | None:
    """Texts of yes and no, in English in any case, or two words of another language."""
    values = _few(column, 12)
    folded = {value.strip().casefold() for value in values}
    if folded & TRUE and folded & FALSE and folded <= TRUE | FALSE | {"1", "0"}:
        numbers = _mapped(column, {v: float(v.casefold() in TRUE | {"1"}) for v in values})
        return Found("yes_no", "yes or no", contract={"dtype": "bool"}, numbers=numbers)
    for true, false in OTHER_LANGUAGES:
        if folded == {true, false}:
            meant = {value: value.strip().casefold() == true for value in values}
            return Found(
                "yes_no",
                f"{true} or {false}",
                contract={"dtype": "bool", "values": meant},
                numbers=_mapped(column, {value: float(is_so) for value, is_so in meant.items()}),
                likely=True,
            )
    return None


def moment(column: Column, answers: Answers) -> Found | None:
    """Moments of one format, in 99 % of the values."""
    found: Moments | None = find_moments(column.source, column.texts, answers)
    if found is None:
        return None
    return Found("moment", found.said, "moment", found.contract, moments=found.values)


def epoch(column: Column, answers: Answers) -> Found | None:
    """Seconds, milliseconds, microseconds or nanoseconds since 1970; also nearly so, in doubt."""
    if column.share(r"^-?[0-9]{1,19}([.][0-9]{1,9})?$") < 1:
        return None
    numbers = _numbers(column)
    sized = column.share(r"^[0-9]{9,}") >= 0.99 and column.share(r"^[0-9.]+$") == 1
    found: Epoch | None = find_epoch(column.source, numbers, answers) if sized else None
    if serial := find_serial(column.source, numbers):
        moments = pd.to_datetime(numbers, unit="D", origin="1899-12-30", utc=True)
        contract = {"dtype": "datetime", "unit": serial.unit}
        return Found("epoch", serial.said, "moment", contract, moments=moments, likely=True)
    if found is None:
        return _nearly_epoch(column, numbers, answers)
    moments = pd.to_datetime(numbers, unit=found.unit, utc=True)
    contract = {"dtype": "datetime", "unit": found.unit}
    said = f"{found.said} since 1970"
    return Found("epoch", said, "moment", contract, moments=moments, likely=found.likely)


def short_epoch(column: Column, answers: Answers) -> Found | None:
    """Time since 1970 written `1.7000000000E+12`; rounded as by spreadsheets it is of no use."""
    if column.share(_NUMBER) < 1 or column.share("[eE]") == 0:
        return None
    numbers, texts = _numbers(column), column.present.to_pylist()
    found = find_exponents(column.source, numbers, texts, answers)
    if found is None or not found.unit:
        return _left_out("short_epoch", found.said if found else "")
    moments = pd.to_datetime(numbers, unit=found.unit, utc=True)
    contract = {"dtype": "datetime", "unit": found.unit}
    return Found("short_epoch", found.said, "moment", contract, moments=moments, likely=True)


def number(column: Column, answers: Answers) -> Found | None:
    """A number, in 99.5 % of the values; whole where all are, also if written 4.0.

    Whole numbers of which a float would change digits are left out: they are ids.
    """
    plain = column.plain_numbers()
    if plain.share(_NUMBER) < 0.995:
        return None
    numbers = _numbers(plain)
    whole = plain.share(_WHOLE) == 1 and numbers.abs().max() < 2**53
    if whole and (code := code_of(column, numbers)):
        return code
    if whole and is_row_number(column, numbers):
        said = f"counts the rows, from {numbers.min():g}"
        return Found("row_number", said, "left out", {"dtype": "int64"}, numbers=numbers)
    contract = {"dtype": "int64" if whole else "float64", **number_range(numbers, whole=whole)}
    if changed := _changed(plain):
        said = f"whole numbers too long for a float, e.g. {changed[:40]}; --entity, if ids"
        return Found("number", said, "left out", contract, numbers=numbers)
    return Found(
        "number", "whole numbers" if whole else "numbers", contract=contract, numbers=numbers
    )


def padded(column: Column, answers: Answers) -> Found | None:
    """Numbers or moments with blanks around them, which no contract reads."""
    if column.share(r"^\s|\s$") < 0.5:
        return None
    stripped = replace(column, texts=pc.utf8_trim_whitespace(column.texts))
    if number(stripped, answers) is None and moment(stripped, answers) is None:
        return None
    example = column.present[0].as_py()
    said = f"values with blanks around them, e.g. {example!r}; write them without to use them"
    return Found("padded", said, "left out", {"dtype": "string"})


def signed_number(column: Column, answers: Answers) -> Found | None:
    """Numbers with a sign of per cent or money, a unit, parentheses, or marks of their own.

    What only looks like them, e.g. because of two currencies, is left out.
    """
    written = find_written(column, answers)
    found = None if written is None else number(written.plain, answers)
    if written is not None and found is not None:
        said = f"{found.why} {written.said}"
        return replace(
            found, rule="signed_number", why=said, contract={**found.contract, **written.contract}
        )
    if column.share(_SIGNED) < 0.9:
        return None
    example = column.present[0].as_py()
    said = f"numbers with signs that differ, e.g. {example!r}; write them with one to use them"
    return Found("signed_number", said, "left out", {"dtype": "string"})


def unread_moment(column: Column, answers: Answers) -> Found | None:
    """Texts called a time that are of no format that is read, such as `2024-08-31 20:00 EDT`."""
    return _left_out("unread_moment", find_unread(column.source, column.texts))


def text(column: Column, answers: Answers) -> Found | None:
    """Texts of which nearly each is another one: names, tickets, free text."""
    distinct, rows = column.distinct, len(column.present)
    said = f"{distinct} different texts in {rows} rows, e.g. {column.present[0].as_py()[:40]!r}"
    if column.share(_NUMBER) >= _MOSTLY:
        others = pc.filter(column.present, pc.invert(_are_numbers(column)))
        example = others[0].as_py()[:40]
        said = (
            f"numbers, but for {len(others)} of {rows} values, e.g. {example!r}; if those mean no "
            f"value, say --missing {column.source}={example}"
        )
    return Found("text", said, "left out", {"dtype": "string"})


def _are_numbers(column: Column) -> Any:
    return pc.match_substring_regex(column.present, _NUMBER)


Rule = Callable[[Column, Answers], Found | None]

RULES: tuple[Rule, ...] = (
    empty,
    constant,
    yes_no,
    leading_zeros,
    epoch,
    short_epoch,
    moment,
    number,
    padded,
    signed_number,
    unread_moment,
    category,
    text,
)
"""In the order of docs/reference/init.md, where each is a row."""


def _nearly_epoch(column: Column, numbers: pd.Series, answers: Answers) -> Found | None:
    """A number, in doubt; of mixed units it is of no use."""
    doubt = doubt_epoch(column.source, numbers, column.texts.to_pylist(), answers)
    if doubt is None:
        return None
    whole = bool((numbers.dropna() % 1 == 0).all())
    contract = {"dtype": "int64" if whole else "float64", **number_range(numbers, whole=whole)}
    use: Use = "left out" if doubt.mixed else "feature"
    return Found("number", doubt.said, use, contract, numbers=numbers, likely=True)


def _left_out(rule: str, said: str) -> Found | None:
    return Found(rule, said, "left out", {"dtype": "string"}) if said else None


def _changed(column: Column) -> str:
    """A whole number of which a float would change digits; empty without one."""
    long = pc.match_substring_regex(column.present, r"^[+-]?[0-9]{16,}$")
    texts = pc.filter(column.present, long).to_pylist()
    # Beyond some 300 digits there is no float at all.
    return next((text for text in texts if len(text) > 300 or int(float(text)) != int(text)), "")


def _few(column: Column, most: int) -> list[str]:
    """The different texts if they are few, else none."""
    values = pc.unique(column.present)
    return sorted(values.to_pylist()) if len(values) <= most else []


def _mapped(column: Column, meaning: dict[str, float]) -> pd.Series:
    return pd.Series(column.texts.to_pylist(), dtype=object).map(meaning).astype("float64")


def _numbers(column: Column) -> pd.Series:
    texts = pd.Series(column.texts.to_pylist(), dtype=object)
    return pd.to_numeric(texts, errors="coerce").astype("float64")
