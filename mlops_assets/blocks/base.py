"""What every block is made of: names, scalars, durations, and the frozen base class."""

import difflib
import hashlib
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_args, get_origin

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]


def _safe(name: str) -> str:
    if not re.fullmatch(_SAFE, name):
        raise ValueError(
            f"{name!r:.100} cannot name a feature, key or target; give the column a name of "
            "lower-case letters, digits and `_` in `contract.columns`, with the source's name as "
            "its `from`"
        )
    return name


_SAFE = r"[a-z][a-z0-9_]*"

ColumnName = Annotated[
    str,
    Field(max_length=63, json_schema_extra={"pattern": f"^{_SAFE}$"}),
    AfterValidator(_safe),
]
"""A column under the name that the contract gives it; what the source calls it is `from`."""

DottedPath = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]

DType = Literal["int64", "float64", "string", "bool", "datetime"]

Aggregation = Literal[
    "count", "sum", "mean", "min", "max", "std", "nunique", "days_since_first", "days_since_last"
]

Task = Literal["binary", "multiclass", "regression"]

Encoding = Literal["one_hot", "ordinal", "target"]

Scalar = bool | int | float | str

_DurationText = Annotated[str, Field(pattern=r"^[1-9]\d* ?(s|min|h|d|w)$")]

NUMBERS = ("int64", "float64")

LONGEST = timedelta(days=36_500)
"""Of a duration: a century, so that no moment of a table less or plus one is out of range."""

_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _parse_duration(value: object) -> timedelta:
    """`90d`, `12h`, `30min`, `45s`, `2w` -> timedelta.

    Raises:
        ValueError: It is written otherwise, or longer than a century.
    """
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not (
        match := re.fullmatch(r"([1-9][0-9]*) ?(s|min|h|d|w)", value)
    ):
        raise ValueError(f"{value!r} is not a duration; write e.g. 90d, 12h, 30min, 45s or 2w")
    number, unit = int(match[1][:20]), timedelta(**{_UNITS[match[2]]: 1})
    if number > LONGEST // unit:
        raise ValueError(f"{value!r:.60} is longer than a century; write {LONGEST.days}d at most")
    return number * unit


def _format_duration(value: timedelta) -> str:
    return f"{int(value.total_seconds())}s"


def spelled_days(span: timedelta) -> str:
    """A length in days: `1 day`, `0.5 days`."""
    days = span / timedelta(days=1)
    return f"{days:g} day{'s' * (days != 1)}"


Duration = Annotated[
    timedelta,
    # The pattern is what `dg check yaml` knows of it.
    BeforeValidator(_parse_duration, json_schema_input_type=_DurationText),
    PlainSerializer(_format_duration),
]
"""A fixed length of time, written `90d`, `12h`, `30min`, `45s` or `2w`."""


_LENGTHS = {
    **{unit: timedelta(**{f"{unit}s": 1}) for unit in ("second", "minute", "hour", "day", "week")},
    "month": timedelta(days=30),
    "year": timedelta(days=365),
}


def _bounded_step(text: str) -> str:
    number, unit = text.split()
    if int(number[:20]) * _LENGTHS[unit.removesuffix("s")] > LONGEST:
        raise ValueError(f"{text!r:.60} is longer than a century; write 100 years at most")
    return text


CalendarStep = Annotated[
    str, Field(pattern=r"^[1-9]\d* (day|week|month|year)s?$"), AfterValidator(_bounded_step)
]
"""A length in calendar units, written `1 month` or `3 months`."""

Stretch = Annotated[
    str,
    Field(pattern=r"^[1-9]\d* (second|minute|hour|day|week|month|year)s?$"),
    AfterValidator(_bounded_step),
]
"""Of a history: a length in units of the calendar or the clock, as `3 months` or `2 hours`."""


def _parse_date(value: object) -> object:
    """A date as ISO 8601 writes it; a number, which pydantic takes for seconds since 1970, is none.

    Raises:
        ValueError: It is written otherwise, or in no year that a timestamp of nanoseconds has.
    """
    return _dated(value, date.fromisoformat, "e.g. 2024-01-31")


def _parse_datetime(value: object) -> object:
    """The same of a date with a time."""
    return _dated(value, datetime.fromisoformat, "e.g. 2024-01-31 or 2024-01-31 18:00")


def _dated(value: object, read: Callable[[str], date], example: str) -> date:
    found = value
    if isinstance(value, str):
        with suppress(ValueError):
            found = read(value)
    if not isinstance(found, date):
        raise ValueError(f"{value!r:.60} is no date; write {example}")
    if not _YEARS[0] <= found.year <= _YEARS[1]:
        raise ValueError(f"{value!r:.60} is out of range; write one of {_YEARS[0]} to {_YEARS[1]}")
    return found


_YEARS = 1678, 2261
"""The first and the last whole year of a timestamp, which is of nanoseconds since 1970."""

Day = Annotated[date, BeforeValidator(_parse_date)]
"""A day in the YAML, written `2024-01-31`."""

DayTime = Annotated[datetime, BeforeValidator(_parse_datetime)]
"""A day with or without a time of it in the YAML, written `2024-01-31` or `2024-01-31 18:00`."""

Moment = Annotated[AwareDatetime, PlainSerializer(datetime.isoformat)]
"""A point in time with its zone, written `2026-01-01T00:00:00+00:00`."""

Markdown = Annotated[str, Field(json_schema_extra={"contentMediaType": "text/markdown"})]
"""A text that is shown as the page it describes."""


PlaceOfFile = Annotated[str, Field(json_schema_extra={"format": "path"})]
"""The path of a file, which is shown as its folder and its name."""


class Record(BaseModel):
    """Immutable base of what is written down; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    SHOWN: ClassVar[tuple[str, ...]] = ()
    """Of several beside each other, the columns that a person is shown; empty: all."""

    def digest(self) -> str:
        """Short hash of the values; it changes when what they mean does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


class Settings(Record):
    """Base of every block: what a person may set; measured numbers may be infinite, these not."""

    # NaN fulfils no bound and fails none: a limit of NaN would let everything pass.
    model_config = ConfigDict(allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_number_in_quotes(cls, data: Any) -> Any:
        """Refuse `"2000"` for 2000, which pydantic takes: who reads the YAML cannot know that."""
        quoted = [
            Misfit(name, f"{data[name]!r} is a text; write {spelled}, without quotes")
            for name, field in cls.model_fields.items()
            if isinstance(data, dict)
            and isinstance(data.get(name), str)
            and _is_number(field.annotation)
            and (spelled := _unquoted(data[name].strip().lower()))
        ]
        if quoted:
            raise MisfitError(*quoted)
        return data


_NUMBER = re.compile(r"[+-]?[\d._]+(e[+-]?\d+)?")
_WORDS = {
    **dict.fromkeys(("true", "yes", "on", "t", "y"), "true"),
    **dict.fromkeys(("false", "no", "off", "f", "n"), "false"),
}


def _unquoted(text: str) -> str | None:
    """How YAML has what pydantic makes a number of, or true or false; None of another text.

    `1e3` is a text to YAML: there a power of ten has a fraction before it and a sign.
    """
    if text in _WORDS or not _NUMBER.fullmatch(text):
        return _WORDS.get(text)
    for kind in (int, float):
        with suppress(ValueError):
            whole, power, ten = str(kind(text)).partition("e")
            return f"{whole}{'' if '.' in whole or not power else '.0'}{power}{ten}"
    return None


def _is_number(annotation: Any) -> bool:
    """Whether a field holds a number, or true or false, and no text."""
    parts = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return _is_number(parts[0])
    kinds = [kind for kind in parts or (annotation,) if kind is not type(None)]
    return all(_is_number(kind) if get_args(kind) else kind in (int, float, bool) for kind in kinds)


class Misfit(NamedTuple):
    """A value that does not fit another one of the same block."""

    at: str
    """Its place below the block, e.g. `features.columns`."""
    said: str
    """What is wrong with it, and the remedy."""


class MisfitError(ValueError):
    """Values of one block that do not fit together; each knows its place, and so its line."""

    def __init__(self, *misfits: Misfit) -> None:
        super().__init__("; ".join(f"{misfit.at}: {misfit.said}" for misfit in misfits))
        self.misfits = misfits


def unknown(names: Iterable[str], known: Iterable[str], at: str) -> list[Misfit]:
    """One misfit, with the likely spelling, if some of the names at that place are not known."""
    choices = sorted(set(known))
    wrong = sorted(set(names) - set(choices))
    return [Misfit(at, f"{wrong} not among {choices}{did_you_mean(wrong, choices)}")] * bool(wrong)


def did_you_mean(wrong: Iterable[str], known: Iterable[str]) -> str:
    """`; did you mean 'x'?` with the known names most like the wrong ones; empty if none is."""
    choices = list(known)
    near = [match for name in wrong for match in difflib.get_close_matches(name, choices, n=1)]
    return f"; did you mean {', '.join(map(repr, dict.fromkeys(near)))}?" if near else ""


def one_line(err: Exception) -> str:
    """What is wrong with a file that was read: the first faulty field, or the first line."""
    if not isinstance(err, ValidationError):
        return (str(err) or type(err).__name__).splitlines()[0]
    first, *others = err.errors(include_url=False, include_context=False)
    place = ".".join(map(str, first["loc"]))
    said = f"{place}: {first['msg']}" if place else first["msg"]
    if place and isinstance(first["input"], bool | int | float | str | None):
        said += f", not {repr(first['input'])[:100]}"
    return f"{said} (and {len(others)} more)" if others else said
