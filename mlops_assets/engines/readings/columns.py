"""One column of a table that has types -> the contract's type, and which values break which rule.

The meanings are those of `ml.data.casting` and `ml.data.contract`, for columns that have a type
already; a text that is a number or a moment is parsed there alone.
"""

from dataclasses import dataclass
from datetime import datetime
from math import copysign
from operator import gt, lt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.blocks.columns import EXACT, ColumnContract
from mlops_assets.engines.readings.dialects import Dialect, called, forced
from mlops_assets.errors import ContractError
from mlops_assets.ml.data.casting import (
    INEXACT,
    NOT_FLOAT64,
    NOT_INT64,
    NOT_STRING,
    OUTSIDE,
    ROUNDED,
    not_a_bool,
)
from mlops_assets.ml.data.contract import allowed_values
from mlops_assets.ml.data.datetimes import FIRST, LAST, NO_DATETIME, NUMBER_IS_NONE
from mlops_assets.ml.data.reasons import said_of

if TYPE_CHECKING:
    import ibis.expr.types as ir

_MOST, _LEAST, _BEYOND = np.iinfo(np.int64).max, np.iinfo(np.int64).min, 2**64


class CastColumn(NamedTuple):
    """As `ml.data.casting.Cast` says; nothing here is null but values."""

    value: "ir.Value"
    """Null where a value is missing or has a problem."""
    missing: "ir.BooleanValue"
    problems: dict[str, "ir.BooleanValue"]
    """What is wrong -> where; never where a value is missing."""


@dataclass(frozen=True)
class ColumnReading:
    """How one column of the contract is read."""

    name: str
    rule: ColumnContract
    dialect: Dialect
    now: datetime | None = None
    """As of `said_of`."""
    since: datetime | None = None

    def cast(self, column: Any) -> CastColumn:
        """The column, whose Ibis type says what it holds, as the contract's type.

        Raises:
            ContractError: It is of a type that only the arrays read.
        """
        missing = self._missing(column)
        value, problems = _CASTS[self.rule.dtype](self, column)
        unsound = missing
        for at in problems.values():
            unsound |= at
        plain = value is column and not problems and not self._means_missing(column)
        return CastColumn(
            value if plain else unsound.ifelse(None, value),
            missing,
            {what: ~missing & at for what, at in problems.items()},
        )

    def broken(self, value: Any, missing: Any) -> dict[str, tuple[str, Any]]:
        """Rule -> what is said of a value that breaks it, and which do; without `dtype`.

        Args:
            value: As `cast` gives it.
            missing: The same.
        """
        at = self.dialect.microseconds
        rules = {
            "nullable": lambda: missing,
            "min": lambda: lt(*self._compared(value, self.rule.min)),
            "max": lambda: gt(*self._compared(value, self.rule.max)),
            "allowed": lambda: ~self._allowed(value),
            "future": lambda: at(value) > self._now(),
            "start": lambda: at(value) < us(self.since),
        }
        said = said_of(self.rule, self.now, self.since)
        found: dict[str, tuple[str, Any]] = {
            rule: (what, rules[rule]()) for rule, what in said.items()
        }
        return {
            rule: (what, which if rule == "nullable" else which.fill_null(False))
            for rule, (what, which) in found.items()
        }

    def _missing(self, column: Any) -> Any:
        missing = column.isnull()  # noqa: PD003  of Ibis
        if _is_number(column):
            missing |= forced(column, "float64").isnan()
        if meant := self._means_missing(column):
            compared = forced(column, "float64") if _is_number(column) else column
            missing |= compared.isin(meant)
        return missing

    def _means_missing(self, column: Any) -> list[Any]:
        """The rule's texts, or of a column of numbers those that are numbers."""
        texts = list(dict.fromkeys(self.rule.missing))
        if column.type().is_string():
            return texts
        numbers = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").dropna()
        return [float(one) for one in numbers] if _is_number(column) else []

    def _now(self) -> Any:
        return self.dialect.now() if self.now is None else us(self.now)

    def _allowed(self, value: Any) -> Any:
        allowed = allowed_values(self.name, self.rule).tolist()
        if self.rule.dtype == "datetime":
            return self.dialect.microseconds(value).isin([us(one) for one in allowed])
        kind = {"int64": int, "float64": float, "bool": bool, "string": str}[self.rule.dtype]
        return value.isin([kind(one) for one in allowed])

    def _compared(self, value: Any, bound: Any) -> tuple[Any, Any]:
        """The value and a bound: as they are where no float is equal to the bound."""
        if isinstance(bound, int) and self.rule.dtype == "int64":
            if _LEAST <= bound <= _MOST:
                return value, bound
            bound = copysign(max(abs(bound), _BEYOND), bound)  # as floats the edges are one more
        return forced(value, "float64"), float(bound)

    def _integers(self, column: Any) -> tuple[Any, dict[str, Any]]:
        self._require_no_text(column)
        if not _is_number(column):
            return _none("int64"), {NOT_INT64: _always()}
        # Of the column itself, since as a float64 a large number is another one. Ibis's own floor
        # is an integer, which not every float is.
        floor = called("floor", column, returns="float64")
        whole = ~_is_infinite(column) & (column == floor)
        if column.type().is_floating():
            rounded = whole & (column.abs() >= float(EXACT))
            return forced(column, "int64"), {NOT_INT64: ~whole, ROUNDED: rounded}
        # As a float the largest integer is one more, which has to be outside.
        outside = whole & (column > 0).ifelse(column - 1 >= _MOST, column < _LEAST)
        problems = {NOT_INT64: ~whole, OUTSIDE: outside}
        if self.rule.nullable:
            problems[INEXACT] = whole & ~outside & ((column > EXACT) | (column < -EXACT))
        return forced(column, "int64"), problems

    def _floats(self, column: Any) -> tuple[Any, dict[str, Any]]:
        self._require_no_text(column)
        if not _is_number(column):
            return _none("float64"), {NOT_FLOAT64: _always()}
        return forced(column, "float64"), {NOT_FLOAT64: _is_infinite(column)}

    def _booleans(self, column: Any) -> tuple[Any, dict[str, Any]]:
        if column.type().is_boolean():
            return column, {}
        self._require_no_text(column)
        if not _is_number(column):
            return _none("boolean"), {not_a_bool(self.rule): _always()}
        if self.rule.meanings:
            raise self._refused("numbers")
        number = forced(column, "float64")
        return number == 1.0, {not_a_bool(self.rule): ~number.isin([0.0, 1.0])}

    def _strings(self, column: Any) -> tuple[Any, dict[str, Any]]:
        if column.type().is_string():
            return column, {}
        return _none("string"), {NOT_STRING: _always()}

    def _moments(self, column: Any) -> tuple[Any, dict[str, Any]]:
        kind = column.type()
        self._require_no_text(column)
        if self.rule.unit or (self.rule.format and kind.is_integer()) or kind.is_decimal():
            raise self._refused("numbers")
        if not kind.is_timestamp() and not kind.is_date():
            return _none("timestamp"), {NUMBER_IS_NONE: _always()}
        if self.rule.timezone != "UTC" and (kind.is_date() or kind.timezone is None):
            raise self._refused(
                f"local times of {self.rule.timezone}, of which some are none and some are two,"
            )
        # With the cast also a date of which the query was not told.
        zoned = kind.is_timestamp() and kind.timezone
        moment = column if zoned else forced(column, "timestamp")
        at = self.dialect.microseconds(moment)
        return moment, {NO_DATETIME: (at < us(FIRST)) | (at >= us(LAST))}

    def _require_no_text(self, column: Any) -> None:
        if column.type().is_string():
            raise self._refused("texts")

    def _refused(self, what: str) -> ContractError:
        return ContractError(
            f"contract.columns.{self.name}: SQL does not read {what} as {self.rule.dtype} in the "
            "way of the contract; give the table, or a view of it, a column of that type"
        )


_CASTS = {
    "int64": ColumnReading._integers,
    "float64": ColumnReading._floats,
    "bool": ColumnReading._booleans,
    "string": ColumnReading._strings,
    "datetime": ColumnReading._moments,
}


def us(moment: Any) -> int:
    """Microseconds since 1970; what has no zone is UTC."""
    stamp = pd.Timestamp(moment)
    utc = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    return utc.as_unit("ns").value // 1000


def _is_infinite(column: Any) -> Any:
    """Ibis's own `isinf` is always false for Databricks."""
    return forced(column, "float64").abs() == float("inf")


def _is_number(column: Any) -> bool:
    kind = column.type()
    return kind.is_numeric() and not kind.is_boolean()


def _none(dtype: str) -> Any:
    import ibis

    return ibis.null(dtype)


def _always() -> Any:
    import ibis

    return ibis.literal(True)
