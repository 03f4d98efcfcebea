"""The contract of one column: what its values are, and how they are written in the source.

Also which strptime formats name a moment, told before any data is read, without pandas.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from mlops_assets.blocks.base import NUMBERS, DType, Scalar, Settings

COUNTED_IN = ("s", "ms", "us", "ns", "excel")
"""What a datetime may be counted in: time since 1970, or the days of a spreadsheet."""
_KNOWN = frozenset("aAbBcdfGHIjmMpSuUVwWxXyYz%")
"""Directives that pandas reads; `%Z` apart, whose names are ambiguous."""

EXACT = 2**53
"""Up to here each integer has a float of its own."""


def _to_the_last_digit(
    value: Any, as_float: ValidatorFunctionWrapHandler, column: ValidationInfo
) -> float:
    """A float; an integer where not each has a float of its own, and of an int64 that as a float.

    Compared with a float, an int64 would be rounded to one.
    """
    number = as_float(value)
    if abs(number) < EXACT:
        return number
    if type(value) is int:
        return value
    return int(number) if column.data.get("dtype") == "int64" else number


_Bound = Annotated[float, WrapValidator(_to_the_last_digit), PlainSerializer(lambda bound: bound)]
_SourceName = Annotated[str, Field(min_length=1)]
_PROBE = datetime(2001, 12, 30, 22, 58, 57, 123456, tzinfo=UTC)


class ColumnContract(Settings):
    """What every value of one column must be."""

    # `from` is a word of Python, and `values` one of pandas.
    model_config = ConfigDict(serialize_by_alias=True)

    dtype: DType = Field(
        description="Of texts, a bool is true/false, yes/no, y/n, t/f, on/off or 1/0 in any case; "
        "an int64 may be written 4.0."
    )
    source: _SourceName | tuple[_SourceName, ...] | None = Field(
        None,
        alias="from",
        description="What the source calls the column; default: as it is called here. Of a "
        "datetime also the columns that it is in, e.g. `[Date, Time]`: their texts are joined by a "
        "blank.",
    )
    nullable: bool = False
    min: _Bound | None = None
    max: _Bound | None = None
    allowed: tuple[Scalar, ...] = Field((), description="The only values that may occur.")
    meanings: dict[str, bool] = Field(
        default_factory=dict,
        alias="values",
        description="Of a bool, the values that mean true and false, in any case, in place of the "
        "usual ones: `{ja: true, nein: false}`.",
    )
    missing: tuple[str, ...] = Field(
        (), description="Texts that mean no value here, beside those of `source.missing`."
    )
    unit: str | None = Field(
        None,
        min_length=1,
        max_length=12,
        description="Of a datetime: it is counted in s, ms, us or ns since 1970 (UTC), or "
        "`excel`: in days, as spreadsheets do (45292 is 2024-01-01). Of a number in a text: the "
        "sign or word that stands before or behind each, e.g. `%`, `$`, EUR, kg; `12 %` is read "
        "as 12.",
    )
    decimal: Literal[".", ","] | None = Field(
        None, description="Of a number in a text; in place of the marks of the source."
    )
    thousands: str | None = Field(
        None, max_length=1, description="The same, between groups of three digits."
    )
    negative: Literal["minus", "parentheses"] = Field(
        "minus", description="Whether a number below zero may also be written `(12)`."
    )
    format: str | None = Field(
        None,
        description="strptime format of a datetime, also of one that is stored as a whole number; "
        "default ISO 8601.",
    )
    timezone: str = Field("UTC", description="IANA zone of datetimes written without an offset.")
    offsets: Literal["one", "any"] = Field(
        "one", description="Whether the datetimes of one column may have several UTC offsets."
    )
    future: Literal["refuse", "allow"] = Field("refuse", description="Datetimes after now.")

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        if (self.min is not None or self.max is not None) and self.dtype not in NUMBERS:
            raise ValueError(f"min and max need a number, not {self.dtype}")
        if wrong := [value for value in self.allowed if not fits(value, self.dtype)]:
            raise ValueError(f"allowed values {wrong} are no {self.dtype}")
        return self

    @property
    def parts(self) -> tuple[str, ...]:
        """The columns of the source that it is in, if those are several."""
        return self.source if isinstance(self.source, tuple) else ()

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if not isinstance(self.source, tuple):
            return self
        if len({*self.source}) < max(2, len(self.source)):
            raise ValueError(f"from {list(self.source)}: name two different columns, or one")
        if self.dtype != "datetime" or self.unit:
            raise ValueError(f"from {list(self.source)}: only texts of a datetime are joined")
        return self

    @model_validator(mode="after")
    def _unit_fits(self) -> Self:
        if self.dtype == "datetime" and self.unit not in (None, *COUNTED_IN):
            raise ValueError(f"unit {self.unit!r} of a datetime is none of {list(COUNTED_IN)}")
        if self.dtype == "datetime" and self.unit and (self.format or self.timezone != "UTC"):
            raise ValueError(
                f"a datetime counted in {self.unit} has neither format nor timezone; remove both"
            )
        if self.dtype not in NUMBERS:
            unit = None if self.dtype == "datetime" else self.unit
            said = {"decimal": self.decimal, "thousands": self.thousands, "unit": unit}
            said["negative"] = self.negative if self.negative != "minus" else None
            if wrong := sorted(name for name, value in said.items() if value):
                raise ValueError(f"{wrong} are of numbers, not of {self.dtype}; remove them")
        check_marks(self.decimal or ".", self.thousands or "")
        if self.unit and self.dtype in NUMBERS and any(c in "0123456789+-()" for c in self.unit):
            raise ValueError(f"unit {self.unit!r} is part of a number; correct it")
        return self

    @field_validator("meanings", mode="before")
    @classmethod
    def _keys_are_texts(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        if bare := [key for key in values if isinstance(key, bool)]:
            word = "yes" if bare[0] else "no"
            raise ValueError(
                f"YAML reads a bare {word} as {str(bare[0]).lower()}; put it in quotes"
            )
        return {str(key): value for key, value in values.items()}

    @model_validator(mode="after")
    def _meanings_fit(self) -> Self:
        if not self.meanings:
            return self
        if self.dtype != "bool":
            raise ValueError(f"values {sorted(self.meanings)} are for a bool, not {self.dtype}")
        if {*self.meanings.values()} != {True, False}:
            raise ValueError(
                f"values {self.meanings} name only one side; give one for true, one false"
            )
        if len({key.casefold() for key in self.meanings}) < len(self.meanings):
            raise ValueError(
                f"values {sorted(self.meanings)} are equal but for their case; give one"
            )
        return self

    @model_validator(mode="after")
    def _time_fits(self) -> Self:
        if self.format is not None and (self.dtype != "datetime" or "%" not in self.format):
            raise ValueError(f"format {self.format!r} is for datetimes, e.g. `%Y-%m-%d`")
        if "%Z" in (self.format or ""):
            raise ValueError(f"format {self.format!r}: names of zones are ambiguous; use %z")
        if self.format is not None:
            require_moment(self.format)
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as err:  # a folder of zones: OSError
            raise ValueError(f"timezone {self.timezone!r} is not known; write e.g. UTC") from err
        return self


def check_marks(decimal: str, thousands: str) -> None:
    """Check that a number can be written with these marks.

    Raises:
        ValueError: It cannot.
    """
    if decimal == thousands:
        raise ValueError(f"decimal and thousands are both {decimal!r}; correct one")
    if thousands and (thousands.isalnum() or thousands in '+-"'):
        raise ValueError(f"thousands {thousands!r} is part of a number; correct it")


def fits(value: Scalar, dtype: DType) -> bool:
    """Whether a value of the YAML is one of a column of that type."""
    kinds = {"int64": int, "float64": int | float, "string": str, "bool": bool, "datetime": str}
    return isinstance(value, kinds[dtype]) and (dtype == "bool" or not isinstance(value, bool))


def require_moment(form: str) -> None:
    """Check that `form` is well formed, and that it names a year and no part without the larger.

    `%Y-%m` is the first of a month, `%G-W%V` the Monday of a week. Without a year every moment
    would be one of 1900.

    Raises:
        ValueError: It is not.
    """
    found = re.findall(r"%(.?)", form, re.DOTALL)
    if wrong := [kind for kind in found if kind not in _KNOWN]:
        said = f"`%{wrong[0]}` is no directive of strptime" if wrong[0] else "a `%` ends it"
        raise _refused(form, said)
    if missing := _missing(set(found)):
        raise _refused(form, f"it has no {missing}")
    if twice := next((kind for kind in found if kind != "%" and found.count(kind) > 1), None):
        raise _refused(form, f"`%{twice}` stands in it twice")
    try:
        read = with_day(form)
        datetime.strptime(_PROBE.strftime(read), read)  # noqa: DTZ007  only whether it can
    except (ValueError, re.error) as err:
        raise _refused(form, str(err)) from err


def with_day(form: str) -> str:
    """The same with the day of a week that is named without; strptime knows none by itself."""
    return f"{form} %u" if "%V" in form and not re.search("%[uwaA]", form) else form


def _missing(found: set[str]) -> str | None:
    """What a moment needs that these directives do not say."""
    has = found.intersection
    if not has("YyGcx"):
        return "year, e.g. `%Y`"
    if has("UWVG"):
        clock = has("HIMSfpXz")
        by_iso = has("G") and has("V") and (has("uwaA") or not clock) and not has("UW")
        by_week = has("UW") and has("Yy") and has("waA") and not has("GV")
        return None if by_iso or by_week else "whole week and its day, e.g. `%G-W%V-%u`"
    day = has("jcx") or (has("mbB") and has("d"))
    return None if day or not has("dHIMSfpXzuwaA") else "day, e.g. `%m-%d`"


def _refused(form: str, why: str) -> ValueError:
    return ValueError(f"format {form!r}: {why}; write e.g. `%Y-%m-%d %H:%M:%S`")


def spelled_bound(bound: float) -> str:
    """A limit to the last digit, without a fraction of nothing.

    >>> spelled_bound(0.1), spelled_bound(3.0), spelled_bound(2**53 + 1)
    ('0.1', '3', '9007199254740993')
    """
    return str(bound).removesuffix(".0")
