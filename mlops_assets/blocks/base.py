"""What every block is made of: names, scalars, durations, and the frozen base class."""

import hashlib
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]

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

_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _parse_duration(value: object) -> object:
    """`90d`, `12h`, `30min`, `45s`, `2w` -> timedelta; anything else is left to Pydantic."""
    if isinstance(value, str) and (match := re.fullmatch(r"([1-9]\d*) ?(s|min|h|d|w)", value)):
        return timedelta(**{_UNITS[match[2]]: int(match[1])})
    if isinstance(value, timedelta):
        return value
    raise ValueError(f"{value!r} is not a duration; write e.g. 90d, 12h, 30min, 45s or 2w")


def _format_duration(value: timedelta) -> str:
    return f"{int(value.total_seconds())}s"


Duration = Annotated[
    timedelta,
    # The pattern is what `dg check yaml` knows of it.
    BeforeValidator(_parse_duration, json_schema_input_type=_DurationText),
    PlainSerializer(_format_duration),
]
"""A fixed length of time, written `90d`, `12h`, `30min`, `45s` or `2w`."""

CalendarStep = Annotated[str, Field(pattern=r"^[1-9]\d* (day|week|month|year)s?$")]
"""A length in calendar units, written `1 month` or `3 months`."""


class Settings(BaseModel):
    """Immutable base of every block; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def digest(self) -> str:
        """Short hash of the values; it changes when what the YAML means does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


def require_known(names: Iterable[str], known: Iterable[str], where: str) -> None:
    """Raise `ValueError` for names that are not known."""
    if unknown := sorted(set(names) - set(known)):
        raise ValueError(f"{where}: {unknown} not among {sorted(known)}")
