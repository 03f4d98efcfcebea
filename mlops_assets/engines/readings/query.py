"""A model's blocks as one query over a table of the user's warehouse, as text.

What the table is and which types its columns have is only said here: nobody asks the warehouse.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_assets.blocks.columns import ColumnContract
from mlops_assets.blocks.sources.database import table_parts
from mlops_assets.config import ModelSettings
from mlops_assets.engines.readings.contract import CheckedTable, ContractReading
from mlops_assets.engines.readings.dialects import DIALECTS
from mlops_assets.engines.readings.steps import Steps
from mlops_assets.errors import ConfigError

if TYPE_CHECKING:
    import ibis.expr.types as ir

RUN = ("duckdb", "postgres")
"""Dialects whose queries tests run and compare with the arrays."""
_TYPES = {"int64": "int64", "float64": "float64", "bool": "boolean", "string": "string"}


@dataclass(frozen=True)
class Query:
    """What is asked, of which table, in whose SQL."""

    settings: ModelSettings
    part: str
    """One of `PARTS`."""
    dialect: str
    """One of `DIALECTS`."""
    table: str | None = None
    """As `source.table` names one; None: that one, or `source.query`."""
    zoned: bool = False
    """Whether the table's datetimes are moments; else they have no zone, and are UTC."""
    now: datetime | None = None
    """As of `ContractReading`."""

    def text(self) -> str:
        """The SQL, after a comment on what it is.

        Raises:
            ConfigError: SQL does not reach the source, or the dialect cannot have its columns.
            ContractError: Only the arrays read a column as the contract says.
        """
        self._require_names()
        steps = Steps(DIALECTS[self.dialect])
        source = self._source(steps)
        checked = ContractReading(self._read, self.now).of(source, steps)
        return f"{self._said()}\n{steps.ending(PARTS[self.part].rows(checked))};\n"

    @property
    def _read(self) -> ModelSettings:
        """The settings as they are of the table."""
        return self.settings if self.table is None else _as_table(self.settings)

    def _said(self) -> str:
        tried = "run by the tests" if self.dialect in RUN else "only compiled, never run"
        moments = "with a zone" if self.zoned else "without a zone, UTC"
        types = ", ".join(
            f"{self._read.contract.source_names[name]} {rule.dtype}"
            for name, rule in self._read.contract.columns.items()
        )
        lines = [
            f"mlops sql {self.settings.name} {self.part} --dialect {self.dialect}: "
            f"{PARTS[self.part].said}; settings {self.settings.processed_by}; "
            f"the SQL of this dialect is {tried}",
            f"of a table with the columns {types}; datetimes are {moments}",
        ]
        return "\n".join(f"-- {' '.join(line.split())}" for line in lines)

    def _source(self, steps: Steps) -> "ir.Table":
        import ibis

        source, dialect = self.settings.source, steps.dialect
        moment = "timestamp('UTC')" if self.zoned else "timestamp"
        columns = {
            dialect.spelled(self._read.contract.source_names[name]): _kept_as(rule) or moment
            for name, rule in self._read.contract.columns.items()
        }
        if self.table is None and source.query is not None:
            return steps.given("mlops_source", source.query, columns)
        named = self.table or source.table
        if named is None:
            what = f"the loader {source.loader}" if source.loader else f"the file {source.uri}"
            raise ConfigError(
                f"{self.settings.name} reads {what}, which no SQL does; load its rows into a table "
                "with the contract's types, and name that: --table shop.orders"
            )
        try:
            schema, name = table_parts(named)
        except ValueError as err:
            raise ConfigError(f"--table: {err}") from err
        places = tuple(map(dialect.spelled, schema.split("."))) if schema else (None,)
        database: Any = places if len(places) > 1 else places[0]
        return ibis.table(columns, name=dialect.spelled(name), database=database)

    def _require_names(self) -> None:
        """Refuse columns that this warehouse takes to be one."""
        if DIALECTS[self.dialect].tells_case:
            return
        contract = self._read.contract
        for names in ([*contract.columns], [*{*contract.source_names.values()}]):
            known = dict[str, str]()
            for name in names:
                other = known.setdefault(name.lower(), name)
                if other != name:
                    raise ConfigError(
                        f"{self.dialect} takes {other!r} and {name!r} to be one column; rename one "
                        "in the table and in contract.columns"
                    )


@dataclass(frozen=True)
class _Part:
    said: str
    rows: Callable[[CheckedTable], "ir.Table"]


PARTS: Mapping[str, _Part] = {
    "contract": _Part("the rows that keep the contract, typed", lambda found: found.good),
    "quarantine": _Part(
        "the rows that break the contract, as they came, with the reasons", lambda found: found.bad
    ),
}
"""What can be asked for."""


def _kept_as(rule: ColumnContract) -> str | None:
    """The type of a table's column that is read by this rule; None: a datetime."""
    if rule.dtype == "datetime":
        return "int64" if rule.unit else None
    return "string" if rule.meanings else _TYPES[rule.dtype]


def _as_table(settings: ModelSettings) -> ModelSettings:
    """With the contract of a table into which the source's rows were loaded, with its types.

    Texts of a file that mean no value do so there too.
    """
    source = settings.source
    written = source.uri is not None and source.format != "parquet"
    columns = {}
    for name, rule in settings.contract.columns.items():
        typed: dict[str, Any] = {"missing": (*rule.missing, *(source.missing if written else ()))}
        typed |= {"meanings": {}} if rule.meanings else {}
        typed |= {"unit": None} if rule.dtype == "datetime" else {}
        typed |= {"source": name} if rule.parts else {}
        columns[name] = rule.model_copy(update=typed)
    contract = settings.contract.model_copy(update={"columns": columns})
    return settings.model_copy(update={"contract": contract})
