"""A model's blocks as one query over a table of the user's warehouse, as text.

What the table is and which types its columns have is only said here: nobody asks the warehouse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlops_assets.blocks.columns import ColumnContract
from mlops_assets.blocks.sources.database import table_parts
from mlops_assets.config import ModelSettings
from mlops_assets.engines.readings.columns import us
from mlops_assets.engines.readings.contract import CheckedTable, ContractReading
from mlops_assets.engines.readings.dialects import DIALECTS
from mlops_assets.engines.readings.event_log import EventLogReading
from mlops_assets.engines.readings.flat_table import FlatReading
from mlops_assets.engines.readings.point_in_time import newest_known, newest_of_each
from mlops_assets.engines.readings.processing import processed
from mlops_assets.engines.readings.profiles import profile_of
from mlops_assets.engines.readings.steps import Steps
from mlops_assets.errors import ConfigError
from mlops_assets.ml.features.arrays import ns
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.records.profile import Bins

if TYPE_CHECKING:
    import ibis.expr.types as ir

_RUN = {
    "duckdb": "run by the tests",
    "postgres": "run by the tests",
    "databricks": "run by the tests on Spark 4, never on Databricks",
}
"""Dialects whose queries tests compare with the arrays, and where."""
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
    asked: str | None = None
    """A table of the key and `event_timestamp`, whose moments the features are wanted of."""
    bins: Mapping[str, Bins] | None = None
    """In which the features are counted, of `profile`."""
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
        return f"{self._said()}\n{steps.ending(self._rows(checked, steps))};\n"

    def _rows(self, checked: CheckedTable, steps: Steps) -> "ir.Table":
        if self.part == "contract":
            return checked.good
        if self.part == "quarantine":
            return checked.bad
        self._require_keys()
        rows = processed(checked, self._read, steps)
        if self.settings.features.shape == "flat_table":
            reading: Any = FlatReading(self._read, rows, self.zoned)
        else:
            reading = EventLogReading(self._read, rows, steps, self.now, self.zoned)
        if self.part == "scoring":
            return self._scored(reading.named_features(), steps)
        if self.part == "profile":
            return self._profile(reading.named_features(), steps)
        if self.part == "features" and self.asked is not None:
            return self._asked(reading.named_features(), steps)
        wanted = {
            "features": reading.named_features,
            "labels": reading.named_labels,
            "training": reading.training,
        }
        return wanted[self.part]()

    def _known(self, features: "ir.Table", steps: Steps) -> "ir.Table":
        """As `point_in_time` has them, with numbered columns: a feature may have any name."""
        named = steps.add("mlops_named", features)
        columns = {"entity": named[self.settings.key.name]}
        columns["at"] = steps.dialect.microseconds(named[TIMESTAMP])
        columns |= {f"known_{at}": named[name] for at, name in enumerate(named.columns)}
        return steps.add("mlops_known", named.select(**columns))

    def _scored(self, features: "ir.Table", steps: Steps) -> "ir.Table":
        """Of each entity the newest features, if they may still be served."""
        newest = self._newest(features, steps)
        return newest.select(
            **{name: newest[f"known_{at}"] for at, name in enumerate(features.columns)}
        )

    def _newest(self, features: "ir.Table", steps: Steps) -> "ir.Table":
        """The same, with numbered columns."""
        known = self._known(features, steps)
        now: Any = steps.dialect.now() if self.now is None else us(self.now)
        if self.settings.features.clock == "data":
            now = known["at"].max().as_scalar()
        return newest_of_each(known, now - self._ttl)

    def _profile(self, features: "ir.Table", steps: Steps) -> "ir.Table":
        """What would be scored now, counted in the bins of a version."""
        bins = self.bins or {}
        counted = {name: at for at, name in enumerate(features.columns) if name in bins}
        if not counted:
            raise ConfigError(
                f"no bins of the features of {self.settings.name}; name the file of a version's "
                "profile, e.g. --bins reference_profile.json"
            )
        newest = steps.add("mlops_newest", self._newest(features, steps))
        columns = {name: f"known_{at}" for name, at in counted.items()}
        return profile_of(newest, columns, bins)

    def _asked(self, features: "ir.Table", steps: Steps) -> "ir.Table":
        """For each row of the other table the features that were known at its moment."""
        import ibis

        key = self.settings.key
        kinds = {key.name: key.dtype, TIMESTAMP: self._moment}
        named = {steps.dialect.spelled(name): kind for name, kind in kinds.items()}
        table = ibis.table(named, **self._place(str(self.asked), "--asked"))
        whose, moment = (table[name] for name in named)
        at = steps.dialect.microseconds(moment)
        asked = steps.add("mlops_asked", table.select(whose=whose, asked_at=at, moment=moment))
        found = newest_known(asked, self._known(features, steps), self._ttl)
        columns = {key.name: found["whose"], TIMESTAMP: found["moment"]}
        as_of = "features_as_of_" if "features_as_of" in features.columns else "features_as_of"
        for place, name in enumerate(features.columns):
            if name != key.name:
                columns[as_of if name == TIMESTAMP else name] = found[f"known_{place}"]
        return found.select(**columns)

    @property
    def _ttl(self) -> int:
        """Microseconds."""
        ttl = self.settings.features.ttl
        if ttl is None:
            raise ConfigError(f"{self.settings.name} has no `features.ttl`; say how old is too old")
        return ns(ttl) // 1000

    @property
    def _moment(self) -> str:
        return "timestamp('UTC')" if self.zoned else "timestamp"

    @property
    def _read(self) -> ModelSettings:
        """The settings as they are of the table."""
        return self.settings if self.table is None else _as_table(self.settings)

    @property
    def _made_by(self) -> str:
        """As runs record it of what they make."""
        of_rows = self.part in ("contract", "quarantine")
        return self.settings.processed_by if of_rows else self.settings.computed_by

    def _said(self) -> str:
        tried = _RUN.get(self.dialect, "only compiled, never run")
        moments = "with a zone" if self.zoned else "without a zone, UTC"
        types = ", ".join(
            f"{self._read.contract.source_names[name]} {rule.dtype}"
            for name, rule in self._read.contract.columns.items()
        )
        lines = [
            f"mlops sql {self.settings.name} {self.part} --dialect {self.dialect}: "
            f"{PARTS[self.part]}; settings {self._made_by}; "
            f"the SQL of this dialect is {tried}",
            f"of a table with the columns {types}; datetimes are {moments}",
        ]
        snapshots = self.settings.features.snapshots
        if self.part in _OF_SNAPSHOTS and snapshots is not None and snapshots.end is None:
            today = self.now or datetime.now(UTC)
            lines.append(f"snapshots until {today:%Y-%m-%d}; print it again for later ones")
        return "\n".join(f"-- {' '.join(line.split())}" for line in lines)

    def _source(self, steps: Steps) -> "ir.Table":
        import ibis

        source, dialect = self.settings.source, steps.dialect
        columns = {
            dialect.spelled(self._read.contract.source_names[name]): _kept_as(rule) or self._moment
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
        return ibis.table(columns, **self._place(named, "--table"))

    def _place(self, named: str, option: str) -> dict[str, Any]:
        """Name and database of a table, as Ibis takes them."""
        spelled = DIALECTS[self.dialect].spelled
        try:
            schema, name = table_parts(named)
        except ValueError as err:
            raise ConfigError(f"{option}: {err}") from err
        places = tuple(map(spelled, schema.split("."))) if schema else (None,)
        return {"name": spelled(name), "database": places if len(places) > 1 else places[0]}

    def _require_keys(self) -> None:
        """Refuse rows that the graph knows by their place in a delivery, or by when it came."""
        named = {"entity": self.settings.entity, "timestamp": self.settings.timestamp}
        if missing := [name for name, said in named.items() if said is None]:
            raise ConfigError(
                f"{self.settings.name} has no `{missing[0]}`, and a table tells neither the number "
                "of a row nor when it was delivered; name a column of the table as that"
            )

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


PARTS = {
    "contract": "the rows that keep the contract, typed",
    "quarantine": "the rows that break the contract, as they came, with the reasons",
    "features": "features of every entity and moment",
    "labels": "the targets that are known",
    "training": "features with their targets, null where not known",
    "scoring": "of every entity the newest features, if they may still be served",
    "profile": "how many of those lie in each bin of a version's profile",
}
"""What can be asked for, and what it is."""
_OF_SNAPSHOTS = ("features", "labels", "training", "scoring", "profile")


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
