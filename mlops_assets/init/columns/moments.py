"""Texts -> the one format that reads them all as moments, or none.

A format is what the contract knows: ISO 8601, or one of strptime. `03/04/2020` may be of two, and
then somebody is asked.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute

from mlops_assets.init.doubts.moments import no_moment, remedy
from mlops_assets.init.questions import NONE, Answers
from mlops_assets.init.reading.names import safe_name
from mlops_assets.ml.data.datetimes import EXPONENT, PLACES, offsets_of, parsed, to_the_second

pc: Any = pyarrow.compute  # makes its functions when imported: unknown to type checkers

_ENOUGH = 0.99
_MOST = 0.9
_FEW = 20
_TRIED = 300
_ISO = re.compile(
    r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.]\d{1,9})?)?(Z|[+-]\d{2}(:?\d{2})?)?)?$"
)
_DATES = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d"),
    *("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%Y-%m-%d", "%Y%m%d"),
    *("%Y-%m", "%m/%Y", "%b %Y", "%B %Y"),
    *("%G-W%V", "%GW%V", "%G-W%V-%u"),
    *("%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%B %d, %Y", "%d %B %Y", "%b %d %Y", "%d-%b-%y"),
)
_TIMES = (
    *("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S"),
    *(" %H:%M %z", " %H:%M:%S %z", " %H:%M:%S%z", "%H%M%S"),
)
_SWAPPED = {"%d": "%m", "%m": "%d"}
_DIGIT = re.compile(r"[0-9]")
_YEARS = re.compile(r"year|jahr|annee|season", re.IGNORECASE)
_EPOCH = re.compile(
    r"time|stamp|epoch|_ts$|^ts|date|zeit|datum|[_ ](at|on|utc)$|[a-z](?-i:At|On)$|creat|login|"
    r"seen|since",
    re.IGNORECASE,
)
_CALLED_SO = re.compile(
    r"(^|_)(time|ts|timestamp|date|datetime|datum|zeit|zeitpunkt|zeitstempel|fecha)(_|$)|_at$"
)
"""Of a safe name, a word."""
_CLOCK = r"^[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?( ?[AaPp][Mm])?$"
_MIDNIGHT = r"^24:00(:00)?$"
_DATED = r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}|(19|20)[0-9]{2}"
_DATE = re.compile(r"date|datum|fecha|dia$|jour|(^|[_ ])day$|[_ ](at|on)$", re.IGNORECASE)
_NUMBERED = re.compile(
    r"(^|[ _.\-])(id|uuid|key|nr|no|number|nummer|phone|tel|mobile|code|ean|isbn|sku|barcode)[.]?$|"
    r"[a-z](?-i:I[Dd])$",
    re.IGNORECASE,
)
"""What is as large, and no time."""
_UNITS = {
    "s": ("seconds", 1),
    "ms": ("milliseconds", 10**3),
    "us": ("microseconds", 10**6),
    "ns": ("nanoseconds", 10**9),
}


class Moments(NamedTuple):
    """A column of moments."""

    contract: dict[str, Any]
    """dtype, and the format where it is not ISO 8601."""
    values: pd.Series
    """In UTC, NaT where there is none; what has no offset is taken for UTC."""
    said: str


class Epoch(NamedTuple):
    """A column that counts time since 1970."""

    unit: str
    """As the contract says it."""
    said: str
    likely: bool


class EpochDoubt(NamedTuple):
    """A column that counts time since 1970, but for some of its values."""

    said: str
    mixed: bool
    """Whether it counts in two units."""


def find_moments(source: str, texts: pa.Array, answers: Answers) -> Moments | None:
    """The column as moments, if 99 % of its values are of one format.

    Raises:
        UndecidedError: They are of two formats, day first and month first.
    """
    present = texts.drop_null()
    every = max(1, len(present) // _TRIED)
    some = [text for text in present.to_pylist()[::every] if _DIGIT.search(text)]
    if not some or len(some) < _ENOUGH * len(present.to_pylist()[::every]):
        return None
    if sum(bool(_ISO.match(text)) for text in some) >= _ENOUGH * len(some):
        return _iso(texts)
    if all(re.fullmatch(r"\d{4}", text) for text in some):
        return _years(source, texts, some)
    forms = [form for form in _forms(some[0]) if _reads(form, some)]
    if not forms:
        return None
    form = _chosen(source, forms, some, answers)
    values = parsed(pd.Series(texts.to_pylist(), dtype=object), form)
    if values.notna().sum() < _ENOUGH * len(present):
        return None
    contract = {"dtype": "datetime", "format": form, **_offsets(texts, values, form)[0]}
    return Moments(contract, values, f"written {form}")


def find_epoch(source: str, numbers: pd.Series, answers: Answers) -> Epoch | None:
    """Whether whole numbers count time since 1970, by their size and what they are called.

    What is not called a time is one if it counts at least milliseconds, as hardly anything else is
    as large; of seconds somebody is asked.

    Raises:
        UndecidedError: They may be seconds.
    """
    known = numbers.dropna()
    called = bool(_EPOCH.search(source))
    first, last = (1990, 2040) if called else (2000, datetime.now(UTC).year + 1)
    low, high = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (first, last))
    for unit, (said, scale) in _UNITS.items():
        if known.between(low * scale, high * scale).mean() >= _ENOUGH and known.nunique() > 2:
            is_one = _is_epoch(source, unit, called, answers)
            return Epoch(unit, said, likely=not called) if is_one else None
    return None


def find_exponents(
    source: str, numbers: pd.Series, texts: Sequence[str], answers: Answers
) -> Epoch | None:
    """Whether numbers called a time count it since 1970, some written with an exponent.

    Without a unit if more than 1 in 200 lacks the digits of a second.
    """
    found = find_epoch(source, numbers, answers) if _EPOCH.search(source) else None
    if found is None:
        return None
    short = [text for text in texts if re.match(EXPONENT, text)]
    rounded = [text for text in short if not to_the_second(text, PLACES[found.unit])]
    if len(rounded) <= 0.005 * len(texts):
        said = f"{found.said} since 1970, some with an exponent, e.g. {short[0]!r}"
        return found._replace(said=said, likely=True)
    number = f"{numbers.dropna().iloc[0]:.0f}"
    said = f"{found.said} since 1970 without all their digits; write {number!r} to use them"
    return Epoch("", said, likely=True)


def find_unread(source: str, texts: pa.Array) -> str:
    """What is said of texts called a time that were read as none; empty where they are no times.

    They are some if they have a date or a year, or if most of them are different.
    """
    present = texts.drop_null()
    many = len(pc.unique(present)) > max(_FEW, len(present) / 2)
    if many and (pc.mean(pc.match_substring_regex(present, _CLOCK)).as_py() or 0) >= _MOST:
        return _said_of_clock(texts)
    dated = pc.mean(pc.match_substring_regex(present, _DATED)).as_py() or 0
    if not _CALLED_SO.search(safe_name(source)) or not (dated >= _MOST or many):
        return ""
    return (
        f"called a time, but of no one format that is read, e.g. {no_moment(present)[:40]!r}; to "
        f"use it write ISO 8601, e.g. 2024-08-31T20:00:00-04:00, and say --time {source!r}"
    )


def _said_of_clock(texts: pa.Array) -> str:
    """Why times of day are of no use, and what hinders to read them beside their date."""
    said = f"a time of day, or how long something took, e.g. {texts.drop_null()[0].as_py()!r}"
    if texts.null_count:
        said += f", that {texts.null_count} rows have none of"
    if midnights := pc.sum(pc.match_substring_regex(texts, _MIDNIGHT)).as_py():
        said += f"; {midnights} are 24:00, which is 00:00 of the next day"
    return f"{said}; write it as a number, e.g. of hours, to use it"


def find_serial(source: str, numbers: pd.Series) -> Epoch | None:
    """Whether numbers that are called a date count days as spreadsheets do, of 1954 to 2099."""
    known = numbers.dropna()
    if not _DATE.search(source) or known.nunique() <= _FEW:
        return None
    if known.between(20_000, 73_000).mean() < _ENOUGH:
        return None
    return Epoch("excel", "days as spreadsheets count them", likely=True)


def doubt_epoch(
    source: str, numbers: pd.Series, texts: Sequence[str | None], answers: Answers
) -> EpochDoubt | None:
    """What is odd about numbers called a time of which most, not 99 %, count it since 1970."""
    known = numbers.dropna()
    if answers.given("epochs") == NONE or not _EPOCH.search(source) or _NUMBERED.search(source):
        return None
    low, high = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (1990, 2040))
    units = {said: known.between(low * scale, high * scale) for said, scale in _UNITS.values()}
    inside = pd.concat(units, axis=1)
    if (inside.sum(axis=1) > 0).mean() < _MOST or known.nunique() <= _FEW:
        return None
    found = [said for said in units if inside[said].any()]
    at = [int(inside.index[inside[said]][0]) for said in found]
    if len(found) > 1:
        examples = " and ".join(repr(texts[row]) for row in at)
        said = f"mixes {' and '.join(found)} since 1970, e.g. {examples}; write one unit to use it"
        return EpochDoubt(said, mixed=True)
    odd = inside.index[inside.sum(axis=1) == 0]
    if not len(odd):
        return None
    text = texts[int(odd[0])]
    said = f"{found[0]} since 1970 but for {len(odd)}, e.g. {text!r}, so numbers; {remedy(text)}"
    return EpochDoubt(said, mixed=False)


def _is_epoch(source: str, unit: str, called: bool, answers: Answers) -> bool:
    if given := answers.given("epochs"):
        return not {source, safe_name(source)}.isdisjoint(given.split(","))
    if called or unit != "s":
        return called or not _NUMBERED.search(source)
    if _NUMBERED.search(source):
        return False
    said = (
        f"are the numbers of {source!r} seconds since 1970? The option takes the columns that are"
    )
    return answers.ask("epochs", said, NONE, [source, NONE]) == source


def _iso(texts: pa.Array) -> Moments | None:
    series = pd.Series(texts.to_pylist(), dtype=object)
    values = pd.to_datetime(series, format="ISO8601", errors="coerce", utc=True)
    if values.notna().sum() < _ENOUGH * series.notna().sum():
        return None
    contract, said = _offsets(texts, values, None)
    return Moments({"dtype": "datetime", **contract}, values, f"ISO 8601, {said}")


def _offsets(texts: pa.Array, values: pd.Series, form: str | None) -> tuple[dict[str, str], str]:
    """What the contract says of the offsets of moments, and what is said of them."""
    found = pd.Series(offsets_of(texts, form), dtype=object)[values.notna()]
    if found.isna().all():
        return {}, "without an offset, so taken for UTC"
    contract = {"offsets": "any"} if len(found.unique()) > 1 else {}
    return contract, "with its offset" + ", or taken for UTC without one" * bool(found.hasnans)


def _years(source: str, texts: pa.Array, some: list[str]) -> Moments | None:
    years = [int(text) for text in some]
    if not _YEARS.search(source) or min(years) < 1800 or max(years) > datetime.now(UTC).year + 1:
        return None
    values = pd.to_datetime(pd.Series(texts.to_pylist()), format="%Y", errors="coerce", utc=True)
    return Moments({"dtype": "datetime", "format": "%Y"}, values, "a year")


def _forms(example: str) -> list[str]:
    """The formats whose marks are those of a text."""
    without_offset = re.sub(r"(:\d{2}(\.\d+)?) ?[+-]\d{2}:?\d{2}$", r"\1", example)
    marks = re.sub(r"[A-Za-z0-9]", "", without_offset)
    return [
        date + time
        for date in _DATES
        for time in _TIMES
        if re.sub(r"%[a-zA-Z]|[TW]", "", date + time).strip() == marks.strip()
    ]


def _reads(form: str, some: list[str]) -> bool:
    if re.fullmatch(r"(%[A-Za-z])+", form):  # without marks every digit counts
        width = len(datetime(2000, 12, 31, 23, 59, 59, tzinfo=UTC).strftime(form))
        some = [text if len(text) == width else "" for text in some]
    found = parsed(pd.Series(some), form)
    sane = found.between(pd.Timestamp("1800-01-01", tz="UTC"), pd.Timestamp("2200-01-01", tz="UTC"))
    return bool(sane.sum() >= _ENOUGH * len(some))


def _chosen(source: str, forms: list[str], some: list[str], answers: Answers) -> str:
    first = forms[0]
    swapped = re.sub(r"%[dm]", lambda found: _SWAPPED[found[0]], first)
    if swapped not in forms or swapped == first:
        return first
    order = answers.ask(
        "dates",
        f"{source!r}: is {some[0]!r} written with the day or the month first?",
        "day-first",
        ["day-first", "month-first"],
    )
    day_first = first.index("%d") < first.index("%m")
    return first if (order == "day-first") == day_first else swapped
