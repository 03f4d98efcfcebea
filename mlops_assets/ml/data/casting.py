"""One column -> the contract's type: what each value becomes, and which values cannot.

Every function is vectorised and changes no value silently: a value either keeps its meaning exactly
or is marked with a problem. Numbers and dates are compared with the contract in `ml.data.contract`.

Types of the result, which depend on the contract and never on the data:

| contract | not nullable | nullable |
|---|---|---|
| int64 | int64 | float64, NaN for no value; an integer beyond 2**53 is a problem |
| float64 | float64 | float64, NaN for no value |
| bool | bool | float64: 0, 1, NaN |
| string | object of str | object of str and None |
| datetime | datetime64[ns, UTC] | the same, NaT for no value |
"""

import re
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

from mlops_assets.blocks.columns import EXACT, ColumnContract
from mlops_assets.ml.data.datetimes import datetimes, epochs
from mlops_assets.ml.data.marks import MINUS, Marks

Mask: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"
Problems: TypeAlias = dict[str, Mask]

pc: Any = pyarrow.compute  # makes its functions when imported: unknown to type checkers

_INTEGER = r"^-?[0-9]+([.]0+)?$"  # as libraries write a column of integers with gaps: 4.0
_SHORT_INTEGER = r"^-?[0-9]{1,18}$"  # surely within int64
_FLOAT = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_TRUE, _FALSE = ("true", "yes", "y", "t", "on", "1"), ("false", "no", "n", "f", "off", "0")
_BOOLEANS = {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}
NOT_INT64, OUTSIDE = "is not an int64", "is outside the range of int64"
ROUNDED = "is a float beyond 2**53, so perhaps another integer, rounded"
INEXACT = "is beyond 2**53, which a nullable int64 cannot hold exactly"
NOT_FLOAT64, NOT_STRING = "is not a finite float64", "is not a string"
_INT64 = np.iinfo(np.int64)


class Cast(NamedTuple):
    """A column after casting; a value with a problem or missing is arbitrary in `typed`."""

    typed: pd.Series
    missing: Mask
    problems: Problems
    """What is wrong -> where; never where a value is missing."""


def cast(column: pd.Series, rule: ColumnContract, marks: Marks) -> Cast:
    """Give `column` the type of `rule`; the table in the module's docstring says which.

    Text (an object column of str) is parsed. A column that already has a type is checked against
    the rule as it is: a whole float is an integer, but a number is no string.

    Args:
        column: As read from text, parquet or a loader; NaN, None, NaT and NA mean no value.
        rule: Its contract.
        marks: How its numbers are written, if it is text.

    Raises:
        ContractError: Datetimes with several UTC offsets, or only some with one.
    """
    column = _without_missing(column, rule.missing) if rule.missing else column
    missing = column.isna().to_numpy(dtype=bool)
    column = _plain(column)
    problems: Problems
    if rule.dtype == "datetime" and rule.unit is not None:
        values, problems = epochs(column, text_of(column) if _is_object(column) else None, rule)
    elif rule.dtype == "datetime":
        column = column if rule.format is None else _numbers_as_written(column)
        numbers = pd.api.types.infer_dtype(column, skipna=True) in ("integer", "boolean")
        text = text_of(column) if _is_object(column) and not numbers else None
        values, problems = datetimes(column, text, rule)
    elif rule.dtype == "string":
        values, problems = _strings(column, missing)
    else:
        array, problems = _numbers(column, rule, marks)
        if rule.nullable:
            array = _with_nan(array, missing, problems)
        values = pd.Series(array, index=column.index)
    return Cast(values, missing, {what: at & ~missing for what, at in problems.items()})


def _without_missing(column: pd.Series, texts: tuple[str, ...]) -> pd.Series:
    """None in place of these texts, and of the numbers that they are."""
    numbers = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").dropna()
    meant = column.isin([*texts, *numbers])
    if not meant.any():
        return column
    return column.mask(meant) if _kind(column) == "f" else column.astype(object).mask(meant, None)


def _numbers_as_written(column: pd.Series) -> pd.Series:
    """Whole numbers as a text file would hold them; anything else as it is."""
    if _kind(column) not in "iuf" and pd.api.types.infer_dtype(column, skipna=True) != "integer":
        return column
    text = pc.replace_substring_regex(text_of(column.astype(object)), r"[.]0+$", "")
    return pd.Series(text.to_numpy(zero_copy_only=False), column.index, name=column.name)


def _numbers(column: pd.Series, rule: ColumnContract, marks: Marks) -> tuple[np.ndarray, Problems]:
    if rule.dtype == "bool":
        return _booleans(column, rule)
    text = text_of(column) if _is_object(column) else None
    if text is not None and pd.api.types.infer_dtype(column, skipna=True) == "string":
        text = marks.of(rule).plain(pc.replace_substring(text, MINUS, "-"))
    array, problems = _integers(column, text) if rule.dtype == "int64" else _floats(column, text)
    beside = f", written with {rule.unit!r}" if rule.unit and text is not None else ""
    return array, {f"{what}{beside}": at for what, at in problems.items()}


def text_of(column: pd.Series) -> pa.Array:
    """An object column as Arrow strings, null where there is no value.

    Other objects than str are spelled as text files spell them, so that one parser serves all.
    """
    missing = column.isna().to_numpy(dtype=bool)
    if pd.api.types.infer_dtype(column, skipna=True) == "string":
        values: Any = column.to_numpy(dtype=object)
    else:
        values = np.array([_spell(value) for value in column], dtype=object)
    return pa.array(values, pa.string(), mask=missing)


def _spell(value: object) -> str:
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return f"{value:.0f}"  # a whole one is exact, however many places its column has
    return value.isoformat() if isinstance(value, date) else str(value)


def _plain(column: pd.Series) -> pd.Series:
    """Without pandas' extension types: numpy numbers, datetimes, or objects."""
    if isinstance(column.dtype, pd.ArrowDtype):
        plain = pa.array(column).to_pandas(integer_object_nulls=True)
        column = pd.Series(plain.to_numpy() if plain.dtype == object else plain.array, column.index)
    if isinstance(column.dtype, pd.api.extensions.ExtensionDtype) and not isinstance(
        column.dtype, pd.DatetimeTZDtype
    ):
        column = column.astype(object)
    if _is_object(column) and pd.api.types.infer_dtype(column, skipna=True) == "floating":
        return column.astype("float64")
    return column


def _is_object(column: pd.Series) -> bool:
    return column.dtype == object


def _kind(column: pd.Series) -> str:
    """The letter of numpy; `M` for datetimes with a zone too."""
    return getattr(column.dtype, "kind", "O")


def _matches(text: pa.Array, pattern: str) -> Mask:
    found = pc.match_substring_regex(text, pattern)
    return pc.fill_null(found, fill_value=False).to_numpy(zero_copy_only=False)


def _parsed(text: pa.Array, good: Mask, dtype: pa.DataType) -> np.ndarray:
    """`text` as numbers where `good`, elsewhere 0."""
    safe = pc.if_else(pa.array(good), text, "0")
    return pc.cast(safe, dtype).to_numpy(zero_copy_only=False)


def _integers(column: pd.Series, text: pa.Array | None) -> tuple[np.ndarray, Problems]:
    if text is not None:
        return _integers_of_text(text)
    size = len(column)
    if _kind(column) not in "iuf":
        return np.zeros(size, np.int64), {NOT_INT64: np.ones(size, dtype=bool)}
    numbers = column.to_numpy()
    problems: Problems = {}
    good = np.ones(size, dtype=bool)
    if _kind(column) == "f":
        good = np.isfinite(numbers) & (numbers == np.floor(numbers))
        problems[NOT_INT64] = ~good
        rounded = good & (np.abs(numbers) >= EXACT)
        problems[ROUNDED] = rounded
        good &= ~rounded
    # As floats the bounds are powers of two, so the comparison is exact; max itself is not one.
    inside = (numbers >= float(_INT64.min)) & (numbers < 2.0**63)
    if _kind(column) == "u":
        inside = numbers <= np.uint64(_INT64.max)
    if _kind(column) == "i":
        inside = good
    problems[OUTSIDE] = good & ~inside
    return np.where(good & inside, numbers, 0).astype(np.int64), problems


def _integers_of_text(text: pa.Array) -> tuple[np.ndarray, Problems]:
    integer = _matches(text, _INTEGER)
    written = text
    text = pc.replace_substring_regex(text, r"[.]0+$", "")
    short = integer & _matches(text, _SHORT_INTEGER)
    values = _parsed(text, short, pa.int64()).copy()  # Arrow's own memory is read-only
    outside = np.zeros(len(text), dtype=bool)
    for row in np.flatnonzero(integer & ~short):
        digits = text[row].as_py()
        value = int(digits) if len(digits.lstrip("-0")) <= 19 else None
        if value is None or not _INT64.min <= value <= _INT64.max:
            outside[row] = True
        else:
            values[row] = value
    as_float = pc.not_equal(text, written).fill_null(False).to_numpy(zero_copy_only=False)
    return values, {
        NOT_INT64: ~integer,
        OUTSIDE: outside,
        ROUNDED: as_float & ((values >= EXACT) | (values <= -EXACT)),
    }


def _floats(column: pd.Series, text: pa.Array | None) -> tuple[np.ndarray, Problems]:
    if text is not None:
        good = _matches(text, _FLOAT)
        values = _parsed(text, good, pa.float64())
        return values, {NOT_FLOAT64: ~(good & np.isfinite(values))}
    if _kind(column) not in "iuf":
        size = len(column)
        return np.zeros(size), {NOT_FLOAT64: np.ones(size, dtype=bool)}
    values = column.to_numpy(dtype=np.float64)
    return values, {NOT_FLOAT64: ~np.isfinite(values)}


def _booleans(column: pd.Series, rule: ColumnContract) -> tuple[np.ndarray, Problems]:
    problem = not_a_bool(rule)
    if _is_object(column) and pd.api.types.infer_dtype(column, skipna=True) == "boolean":
        column = column.eq(True)  # false where there is no value
    if _kind(column) == "b" or (_kind(column) in "iuf" and not rule.meanings):
        numbers = column.to_numpy()
        return numbers == 1, {problem: (numbers != 0) & (numbers != 1)}
    meanings = {_folded(text): int(value) for text, value in (rule.meanings or _BOOLEANS).items()}
    text = text_of(column.astype(object)).dictionary_encode()
    known = [meanings.get(_folded(value), -1) for value in text.dictionary.to_pylist()]
    places = pc.fill_null(text.indices, -1).to_numpy(zero_copy_only=False)
    values = np.array([*known, -1])[places]
    return values == 1, {problem: values < 0}


def not_a_bool(rule: ColumnContract) -> str:
    """What is said of a value that is neither true nor false."""
    said = ", ".join(rule.meanings) or "true/false, yes/no, y/n, t/f, on/off, 1/0"
    return f"is not a bool ({said})"


def _folded(text: str) -> str:
    """Without case, and a whole number without the `.0` that it has where there are gaps."""
    return re.sub(r"^([0-9]+)[.]0+$", r"\1", text.casefold())


def _strings(column: pd.Series, missing: Mask) -> tuple[pd.Series, Problems]:
    if not _is_object(column):
        return column.astype(object), {NOT_STRING: np.ones(len(column), dtype=bool)}
    if pd.api.types.infer_dtype(column, skipna=True) in ("string", "empty"):
        good = np.ones(len(column), dtype=bool)
    else:
        good = np.fromiter((isinstance(value, str) for value in column), bool, len(column))
    values = column.where(~missing, None) if missing.any() else column
    return values, {NOT_STRING: ~good}


def _with_nan(array: np.ndarray, missing: Mask, problems: Problems) -> np.ndarray:
    """As float64, NaN where missing; adds the problem of integers that it cannot hold."""
    if array.dtype == np.int64:
        at = (array > EXACT) | (array < -EXACT)
        problems[INEXACT] = at
    return np.where(missing, np.nan, array.astype(np.float64))
