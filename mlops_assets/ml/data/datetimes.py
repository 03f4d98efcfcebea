"""One column -> moments in UTC, without guessing a format, a zone or an offset.

A text must be ISO 8601 in its extended form, or exactly of the declared strptime format; what has
no offset is local time of the declared zone. Part of `ml.data.casting`, apart for its length.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

from mlops_assets.blocks.columns import ColumnContract, with_day
from mlops_assets.errors import ContractError

pc: Any = pyarrow.compute  # makes its functions when imported: unknown to type checkers

# From minutes to days: `2013-07-01`, `2013-07-01 10:00`, `2013-07-01T10:00:00.5+02:00`.
_ISO = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?$"
)
_ISO_OFFSET = r":[0-9]{2}(?:[.][0-9]+)?(?P<offset>Z|[+-][0-9]{2}(?::?[0-9]{2})?)$"
_FORMAT_OFFSET = r"(?P<offset>Z|[+-][0-9]{2}(?::?[0-9]{2}){0,2}(?:[.][0-9]+)?)"
PLACES = {"s": 9, "ms": 6, "us": 3, "ns": 0}
"""Digits of a nanosecond behind the point."""
EXPONENT = r"^-?[0-9]([.][0-9]*)?[eE][+]?[0-9]{1,2}$"
_COUNT = "[0-9]{1,18}|[1-8][0-9]{18}"  # surely within int64
_NUMBER, _WORD = r"[0-9]+", r"\pL+[.]?"
_DIRECTIVES = {
    **dict.fromkeys("YmdHIMSfyjGVuUWw", _NUMBER),
    **dict.fromkeys("aAbBp", _WORD),
    "z": _FORMAT_OFFSET,
    "%": "%",
}
"""What a directive of strptime matches, as far as is needed to find the offset between others."""
# Whole days inside what 64 bits of nanoseconds can count.
_SERIAL_0, _MARCH_1900 = pd.Timestamp("1899-12-30"), 61
FIRST, LAST = pd.Timestamp("1677-09-22"), pd.Timestamp("2262-04-11")

NO_DATETIME = "is not a datetime between the years 1678 and 2262"
UNREAD = "is not a datetime, or none of the years 1678 to 2262"
NUMBER_IS_NONE = f"{NO_DATETIME}, but a number, which needs a format, e.g. %Y"
_ZONE = "is skipped or occurs twice when the clocks change in the column's timezone"


def datetimes(
    column: pd.Series, text: pa.Array | None, rule: ColumnContract
) -> tuple[pd.Series, dict[str, Any]]:
    """`column` as datetime64[ns, UTC], NaT where it has a problem, and the problems.

    Args:
        column: Objects, or datetimes of any unit with or without a zone.
        text: The spelling of `column`, if it holds objects.
        rule: Its contract.

    Raises:
        ContractError: Several UTC offsets, or only some with one, unless `offsets: any`.
    """
    if text is not None:
        return _of_text(column, text, rule)
    if getattr(column.dtype, "kind", "") != "M":
        values = pd.Series(pd.NaT, index=column.index, dtype="datetime64[ns, UTC]")
        return values, {NUMBER_IS_NONE: np.ones(len(column), dtype=bool)}
    zone = column.dt.tz
    utc = column.dt.tz_convert("UTC").dt.tz_localize(None) if zone is not None else column
    inside = ((utc >= FIRST) & (utc < LAST)).to_numpy()
    utc = utc.where(inside).dt.as_unit("ns")
    if zone is not None:
        return utc.dt.tz_localize("UTC"), {NO_DATETIME: ~inside}
    values = _localize(utc, rule)
    return values, {NO_DATETIME: ~inside, _ZONE: inside & values.isna().to_numpy()}


def epochs(
    column: pd.Series, text: pa.Array | None, rule: ColumnContract
) -> tuple[pd.Series, dict[str, Any]]:
    """`column`, which counts `rule.unit`, as datetime64[ns, UTC]; and the problems.

    Days of a spreadsheet are rounded to the millisecond. Of time since 1970 a text keeps every
    digit down to the nanosecond. A float, which has no more, is rounded to the microsecond; one
    beyond 2**53 is a problem.

    Args:
        column: Numbers, or objects.
        text: The spelling of `column`, if it holds objects.
        rule: Its contract.
    """
    if rule.unit == "excel":
        return _serials(column, text)
    places = PLACES[str(rule.unit)]
    if text is not None:
        count, part, good = _counts_of_text(text, places)
    elif getattr(column.dtype, "kind", "") in "iuf":
        count, part, good = _counts(column.to_numpy(), places)
    else:
        count = part = np.zeros(len(column), np.int64)
        good = count > 0
    first, last = (bound.value // 10**places for bound in (FIRST, LAST))
    good &= (count > first) & (count < last)
    moments = np.where(good, count, 0) * 10**places + np.where(good, part, 0)
    values = pd.Series(moments.astype("datetime64[ns]"), column.index).dt.tz_localize("UTC")
    return values.where(good), {f"is no number of {rule.unit} since 1970 as of 1678 to 2262": ~good}


def _serials(column: pd.Series, text: pa.Array | None) -> tuple[pd.Series, dict[str, Any]]:
    """Days since the end of 1899: 1900-03-01 is 61; of what is before, spreadsheets differ."""
    if text is not None:
        well_formed = pc.fill_null(pc.match_substring_regex(text, r"^[0-9]+([.][0-9]+)?$"), False)
        numbers = pc.cast(pc.if_else(well_formed, text, "0"), pa.float64())
        days = numbers.to_numpy(zero_copy_only=False)
    elif getattr(column.dtype, "kind", "") in "iuf":
        days = column.to_numpy(np.float64)
    else:
        days = np.zeros(len(column))
    good = (days >= _MARCH_1900) & (days < (LAST - _SERIAL_0).days)
    milliseconds = np.round(np.where(good, days, 0.0) * 86_400_000).astype(np.int64)
    moments = pd.Series(_SERIAL_0 + pd.to_timedelta(milliseconds, unit="ms"), column.index)
    values = moments.dt.as_unit("ns").dt.tz_localize("UTC")
    return values.where(good), {"is no day of a spreadsheet, from 61 to 132,000": ~good}


def _counts(numbers: np.ndarray, places: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whole units, nanoseconds beyond them, and whether they are exact."""
    good = np.ones(len(numbers), dtype=bool)
    if numbers.dtype.kind == "u":
        good = numbers < 2**63
    if numbers.dtype.kind != "f":
        return np.where(good, numbers, 0).astype(np.int64), np.zeros(len(numbers), np.int64), good
    good = np.abs(numbers) < 2**53  # false for what is no number
    known = np.where(good, numbers, 0.0)
    whole = np.floor(known)
    part = np.round((known - whole) * 10.0 ** (places - 3)) * 1000 if places else whole - known
    return whole.astype(np.int64), part.astype(np.int64), good & ((places > 0) | (known == whole))


def _counts_of_text(text: pa.Array, places: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same of texts; `1700000000.0` is a float that a library wrote."""
    text = _without_exponents(text, places)
    bare = pc.replace_substring_regex(text, r"[.]0+$", "")
    part = rf"(?:[.](?P<part>[0-9]{{1,{places}}}))?" if places else "(?P<part>)"
    found = pc.extract_regex(bare, rf"^(?P<sign>-?)(?P<whole>{_COUNT}){part}$")
    good = pc.is_valid(found).to_numpy(zero_copy_only=False)
    digits = pc.utf8_rpad(pc.struct_field(found, "part"), max(places, 1), "0")
    sign = pc.equal(pc.struct_field(found, "sign"), "-").fill_null(False)
    sign = np.where(sign.to_numpy(zero_copy_only=False), -1, 1)
    count, beyond = (
        pc.cast(pc.fill_null(one, "0"), pa.int64()).to_numpy(zero_copy_only=False)
        for one in (pc.struct_field(found, "whole"), digits)
    )
    as_float = pc.not_equal(bare, text).fill_null(False).to_numpy(zero_copy_only=False)
    return sign * count, sign * beyond, good & ~(as_float & (count >= 2**53))


def _without_exponents(text: pa.Array, places: int) -> pa.Array:
    """`1.700000000E+12` as `1700000000000` where it has the digits of a second."""
    exponents = pc.match_substring_regex(text, EXPONENT)
    if not pc.any(exponents).as_py():
        return text
    plain = [
        f"{Decimal(one):f}" if short and to_the_second(one, places) else one
        for one, short in zip(text.to_pylist(), exponents.to_pylist(), strict=True)
    ]
    return pa.array(plain, text.type)


def to_the_second(text: str, places: int) -> bool:
    """Whether a number with an exponent has all digits down to a second, so is no rounded one.

    Args:
        text: As `EXPONENT` has it.
        places: Digits of a nanosecond behind the point of its unit.
    """
    mantissa, _, power = text.lower().partition("e")
    return int(power) - len(mantissa.partition(".")[2]) <= PLACES["s"] - places


def _of_text(
    column: pd.Series, text: pa.Array, rule: ColumnContract
) -> tuple[pd.Series, dict[str, Any]]:
    texts = pd.Series(text.to_numpy(zero_copy_only=False), column.index, name=column.name)
    is_text = pd.api.types.infer_dtype(column, skipna=True) == "string"
    form = rule.format if is_text else None  # datetime objects were spelled as ISO 8601
    well_formed = _well_formed(text, form)
    texts = texts.where(well_formed)
    offsets = offsets_of(text, form)
    if form is not None and "%z" in form:
        well_formed &= ~pd.isna(offsets)
        texts = texts.where(well_formed)
    aware = ~pd.isna(offsets) & well_formed
    if rule.offsets == "one":
        _require_one_offset(texts, offsets, well_formed)
    values = pd.Series(pd.NaT, index=column.index, dtype="datetime64[ns, UTC]")
    unzoned = np.zeros(len(texts), dtype=bool)
    if aware.any():
        values = _parse(texts.where(aware), form)
    if not aware.all():
        naive = _parse(texts.where(~aware), form).dt.tz_localize(None)
        local = _localize(naive, rule)
        unzoned = (naive.notna() & local.isna()).to_numpy()
        values = values.where(aware, local)
    return values, {UNREAD: values.isna().to_numpy() & ~unzoned, _ZONE: unzoned}


def _parse(texts: pd.Series, form: str | None) -> pd.Series:
    return parsed(texts, form or "ISO8601")


def parsed(texts: pd.Series, form: str) -> pd.Series:
    """Texts of a strptime format as moments in UTC, NaT where one is not; a week is its Monday."""
    if (whole := with_day(form)) != form:
        texts = texts + " 1"
    return pd.to_datetime(texts, format=whole, errors="coerce", utc=True)


def _localize(naive: pd.Series, rule: ColumnContract) -> pd.Series:
    """Local times of the column's zone in UTC, NaT where the zone's clock has no or two such."""
    local = naive.dt.tz_localize(rule.timezone, ambiguous="NaT", nonexistent="NaT")
    return local.dt.tz_convert("UTC")


def _well_formed(text: pa.Array, form: str | None) -> np.ndarray:
    """False for a text that pandas would accept though it is not as declared."""
    if form is None:
        good = pc.match_substring_regex(text, _ISO)
    elif re.search(r"%[dmyHMSj]%|%Y%[dmyHMSj]", form) and re.fullmatch(
        r"(%[YdmyHMSj]|[^%])+", form
    ):
        # Without separators strptime reads 1997011 as January 1: demand every digit.
        width = len(datetime(2000, 12, 31, 23, 59, 59).strftime(form))  # noqa: DTZ001 - a length
        good = pc.equal(pc.utf8_length(text), width)
    else:
        good = pc.is_valid(text)
    return pc.fill_null(good, fill_value=False).to_numpy(zero_copy_only=False)


def offsets_of(text: pa.Array, form: str | None) -> np.ndarray:
    """`+00:00`, `-05:00`, ... where a text has an offset, else None."""
    if form is not None and "%z" not in form:
        return np.full(len(text), None, dtype=object)
    found = pc.extract_regex(text, _ISO_OFFSET if form is None else _pattern(form))
    series = pd.Series(pc.struct_field(found, "offset").to_numpy(zero_copy_only=False))
    names = {offset: _spell_offset(offset) for offset in series.dropna().unique()}
    return series.map(names).to_numpy(dtype=object)


def _pattern(form: str) -> str:
    """A regular expression of what `form` reads, which has the offset as a group."""
    parts = re.findall(r"%.|\s+|[^%\s]+", form)
    return f"^{''.join(map(_matching, parts))}$"


def _matching(part: str) -> str:
    if part[0] == "%":
        return _DIRECTIVES.get(part[1], ".+?")
    return r"\s+" if part.isspace() else re.escape(part)


def _spell_offset(offset: str) -> str:
    digits = "+0000" if offset == "Z" else f"{offset.replace(':', ''):0<5}"
    return f"{digits[:3]}:{digits[3:]}".replace("-00:00", "+00:00")


def _require_one_offset(texts: pd.Series, offsets: np.ndarray, good: np.ndarray) -> None:
    kinds = pd.Series(offsets, texts.index, dtype=object).where(~pd.isna(offsets), "no offset")[
        good
    ]
    first_of_kind = kinds.drop_duplicates().index
    if len(first_of_kind) > 1:
        one, other = texts[first_of_kind[:2]]
        _refuse(str(texts.name), one, other)


def _refuse(name: str, one: str, other: str) -> NoReturn:
    raise ContractError(
        f"column {name!r} mixes UTC offsets: {one!r} and {other!r}. Write all with one offset, or "
        f"set `contract.columns.{name}.offsets: any` if each is right; one without an offset is "
        "then local time of `timezone`."
    )
