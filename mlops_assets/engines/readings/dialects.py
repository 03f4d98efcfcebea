"""What the dialects of SQL have no common word for: moments as numbers, the present, and names."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class Dialect:
    """One of them."""

    name: str
    """As Ibis calls it."""
    microseconds: Callable[[Any], Any]
    """A moment as microseconds since 1970, int64, whatever the session is set to; what has no zone
    is UTC. Null where there is none."""
    present: str
    """The function that gives the moment of the query."""
    tells_case: bool
    """Whether columns may differ in case alone."""
    folds_to_upper: bool = False
    """Whether what was created without quotes is in capitals."""
    quote: str = '"'
    """What stands around a name."""

    def now(self) -> "ir.Value":
        """The moment of the query as microseconds since 1970."""
        return self.microseconds(called(self.present, returns="timestamp('UTC')"))

    def spelled(self, name: str) -> str:
        """A name of the YAML as the warehouse has it, where it was created without quotes.

        As SQLAlchemy, and so `source.table`, has it: lower-case letters alone mean any case.
        """
        return name.upper() if self.folds_to_upper and name == name.lower() else name


def forced(value: Any, dtype: str) -> Any:
    """The value with a cast that stands in the SQL even where Ibis takes it to be of the type."""
    import ibis.expr.datatypes as dt
    import ibis.expr.operations as ops

    return ops.Cast(value, dt.dtype(dtype)).to_expr()


def called(name: str, *arguments: Any, returns: Any) -> Any:
    """What a function of the engine makes of the arguments, of a type that Ibis is told."""
    import ibis

    kinds = tuple(argument.type() for argument in arguments)
    stubs = (_of_nothing, _of_one, _of_two)
    declared = ibis.udf.scalar.builtin(name=name, signature=(kinds, returns))
    return declared(stubs[len(arguments)])(*arguments)


def _of_nothing() -> None: ...


def _of_one(value: Any) -> None: ...


def _of_two(value: Any, other: Any) -> None: ...


def _by_function(name: str, cast: str | None = None) -> Callable[[Any], Any]:
    def microseconds(moment: Any) -> Any:
        return called(name, forced(moment, cast) if cast else moment, returns="int64")

    return microseconds


def _in_snowflake(moment: Any) -> Any:
    import ibis

    return called("date_part", ibis.literal("epoch_microsecond"), moment, returns="int64")


def _by_seconds(moment: Any) -> Any:
    """Seconds with a fraction: decimals in Postgres, and in Trino a float that tells it."""
    return (moment.epoch_seconds() * 1_000_000).round()


DIALECTS = {
    one.name: one
    for one in (
        Dialect("duckdb", _by_function("epoch_us"), "now", tells_case=False),
        Dialect("postgres", _by_seconds, "now", tells_case=True),
        Dialect("snowflake", _in_snowflake, "current_timestamp", True, folds_to_upper=True),
        Dialect(
            "bigquery",
            _by_function("unix_micros", "timestamp('UTC')"),
            "current_timestamp",
            tells_case=False,
            quote="`",
        ),
        Dialect(
            "databricks",
            _by_function("unix_micros", "timestamp('UTC')"),
            "current_timestamp",
            tells_case=False,
            quote="`",
        ),
        Dialect("trino", _by_seconds, "now", tells_case=False),
        Dialect(
            "clickhouse",
            _by_function("toUnixTimestamp64Micro", "timestamp('UTC', 6)"),
            "now64",
            tells_case=True,
        ),
    )
}
"""Those that Ibis and we know."""
