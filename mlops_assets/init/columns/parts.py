"""Columns -> the moments that several of them make: `Date` and `Time`, or year, month and day."""

import re
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any, NamedTuple

import pandas as pd
import pyarrow.compute

from mlops_assets.init.columns.found import Found
from mlops_assets.init.columns.words import is_other
from mlops_assets.init.questions import Answers
from mlops_assets.init.reading.column import Column
from mlops_assets.init.reading.names import safe_name
from mlops_assets.ml.data.datetimes import parsed

pc: Any = pyarrow.compute  # makes its functions when imported: unknown to type checkers

_ENOUGH = 0.99
_DAY = re.compile(r"_?(date|datum|fecha|giorno|data|day|tag|jour|dia)_?")
_CLOCK = re.compile(r"_?(time_?of_?day|time|uhrzeit|zeit|uhr|clock|hora|heure|hour|ora)_?")
_CLOCKS = {
    "%H:%M": r"^[0-9]{1,2}:[0-9]{2}$",
    "%H:%M:%S": r"^[0-9]{1,2}:[0-9]{2}:[0-9]{2}$",
    "%H:%M:%S.%f": r"^[0-9]{1,2}:[0-9]{2}:[0-9]{2}[.][0-9]{1,6}$",
    "%H.%M.%S": r"^[0-9]{1,2}[.][0-9]{2}[.][0-9]{2}$",
    "%I:%M %p": r"^[0-9]{1,2}:[0-9]{2} [AaPp][Mm]$",
    "%I:%M:%S %p": r"^[0-9]{1,2}:[0-9]{2}:[0-9]{2} [AaPp][Mm]$",
}
_DIGITS = {
    "%H%M": r"^([01][0-9]|2[0-3])[0-5][0-9]$",
    "%H%M%S": r"^([01][0-9]|2[0-3])([0-5][0-9]){2}$",
}
"""Without a mark they may be any number, so not one may be another."""
_UNITS = {
    "%Y": ({"year", "yr", "jahr", "annee", "ano", "anno"}, r"^(19|20)[0-9]{2}$"),
    "%m": ({"month", "mon", "mo", "mnth", "monat", "mois", "mes", "mese"}, r"^(0?[1-9]|1[0-2])$"),
    "%d": ({"day", "tag", "jour", "dia", "giorno"}, r"^(0?[1-9]|[12][0-9]|3[01])$"),
    "%H": ({"hour", "hr", "stunde", "heure", "hora", "ora"}, r"^(0?[0-9]|1[0-9]|2[0-3])$"),
    "%M": ({"minute", "min", "minuto"}, r"^[0-5]?[0-9]$"),
}
"""Directive -> what a column of it is called, and how its values look."""


class Whole(NamedTuple):
    """A moment in several columns."""

    column: Column
    found: Found
    gone: tuple[str, ...]
    """Those of its parts that tell nothing beside it; the hour of the day does."""


def find_wholes(
    columns: Mapping[str, Column], found: Mapping[str, Found], answers: Answers, target: str
) -> Iterator[Whole]:
    """The moments in several columns, none of which a person named."""
    options = ("entity", "time", "drop", "keep")
    named = {target, *(one for option in options for one in answers.given(option).split(","))}
    free = {
        source: column
        for source, column in columns.items()
        if named.isdisjoint((source, column.name)) and not column.missing
    }
    days = {source: form for source in free if (form := _day_form(free[source], found[source]))}
    clocks = {source: form for source in free if (form := _clock_form(free[source]))}
    pairs = list(_pairs(list(days), list(clocks)))
    wholes = [
        _whole([columns[day], columns[clock]], f"{days[day]} {clocks[clock]}")
        for day, clock in pairs
    ]
    if not pairs and all(one.use != "moment" for one in found.values()):
        wholes = [_of_units(free)]
    taken = {*columns, *(column.name for column in columns.values())}
    for whole in filter(None, wholes):
        if taken.isdisjoint((whole.column.source, whole.column.name)):
            yield whole


def _pairs(days: list[str], clocks: list[str]) -> Iterator[tuple[str, str]]:
    """Columns that are called the day and the time of one thing, or of nothing else.

    What is called otherwise, e.g. `finish_time`, may be how long something took.
    """
    things = {source: _DAY.sub("", safe_name(source)) for source in days if not is_other(source)}
    for clock in clocks:
        thing = _CLOCK.sub("", safe_name(clock))
        same = [day for day in things if things[day] == thing]
        if len(same) == 1:
            yield same[0], clock


def _day_form(column: Column, found: Found) -> str | None:
    """The format of a column of days without a time."""
    if found.use != "moment" or found.contract.get("unit"):
        return None
    form = found.contract.get("format", "")
    if not form:
        return "%Y-%m-%d" if column.share(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$") == 1 else None
    return form if re.search("%d|%j", form) and not re.search("%[HIz]", form) else None


def _clock_form(column: Column) -> str | None:
    if not _CLOCK.search(safe_name(column.source)):
        return None
    forms = [form for form, like in _CLOCKS.items() if column.share(like) >= _ENOUGH]
    forms += [form for form, like in _DIGITS.items() if column.share(like) == 1]
    return next(iter(forms), None)


def _of_units(columns: Mapping[str, Column]) -> Whole | None:
    """A year, a month and a day that are called so; an hour and a minute if they are there."""
    parts: dict[str, Column] = {}
    for directive, (names, like) in _UNITS.items():
        fits = [
            column
            for source, column in columns.items()
            if safe_name(source) in names and column.share(like) == 1
        ]
        if len(fits) != 1 or _has_gaps([*parts.values(), fits[0]]):
            break
        parts[directive] = fits[0]
    whole = _whole(list(parts.values()), " ".join(parts)) if len(parts) > 2 else None
    return whole._replace(gone=whole.column.parts[:3]) if whole else None


def _has_gaps(parts: list[Column]) -> bool:
    """Whether rows that have the first part lack another: they would have no moment."""
    return len(_joined(parts).drop_null()) < len(parts[0].present)


def _joined(parts: list[Column]) -> Any:
    return reduce(
        lambda one, other: pc.binary_join_element_wise(one, other, " "), (p.texts for p in parts)
    )


def _whole(parts: list[Column], form: str) -> Whole | None:
    """The parts as one column, if nearly all of its texts are moments, and those differ."""
    if _has_gaps(parts):
        return None
    names = tuple(part.source for part in parts)
    texts = _joined(parts)
    moments = parsed(pd.Series(texts.to_pylist(), dtype=object), form)
    if moments.notna().sum() < _ENOUGH * len(texts.drop_null()) or moments.nunique() < 2:
        return None
    source = " ".join(names)
    column = Column(source, safe_name(source), texts, parts[0].whole, parts=names)
    contract = {"dtype": "datetime", "format": form}
    if texts.null_count:
        contract["nullable"] = True
    said = f"in {len(names)} columns, written {form}"
    found = Found("parts", said, "moment", contract, moments=moments)
    return Whole(column, found, names)
