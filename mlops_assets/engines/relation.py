"""An event log as a table of any engine, and what is computed of it, as Ibis expressions.

Names are numbered and moments are integers, since engines differ in which names they tell apart and
in what they make of time zones. Nothing is run here.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mlops_assets.blocks.features import AggregateSettings, Where
from mlops_assets.engines.aggregates import aggregate
from mlops_assets.ml.features.arrays import ns
from mlops_assets.ml.features.engine import Roles, Wanted

if TYPE_CHECKING:
    import ibis.expr.types as ir

TABLE = "events"
"""What the table is called. Its columns: `entity`; `at`, int64 nanoseconds since the epoch; in the
order of `Roles` `number_0`, ..., float64, and `compared_0`, ..., of any type. Null: no value."""


@dataclass(frozen=True)
class EventRelation:
    """The table of events, of which `wanted` is computed."""

    schema: pa.Schema
    wanted: Wanted

    @property
    def events(self) -> "ir.Table":
        """The table, bound to no engine."""
        import ibis  # 0.5 CPU s, for those who use an engine

        return ibis.table(ibis.Schema.from_pyarrow(self.schema), name=TABLE)

    def span(self) -> "ir.Table":
        """One row: the moments `oldest` and `newest` of all events."""
        at = self.events["at"]
        return self.events.agg(oldest=at.min(), newest=at.max())

    def before(self, moment: int) -> "ir.Table":
        """A row per entity with an event of t < moment, by entity: it, then what is wanted."""
        events = self.events.filter(self.events["at"] < moment)
        return self._grouped(events, moment)

    def following(self, moment: int, length: int) -> "ir.Table":
        """The same of the events of moment <= t < moment + length."""
        at = self.events["at"]
        return self._grouped(
            self.events.filter(at >= moment, at < moment + length), moment + length
        )

    def _grouped(self, events: "ir.Table", end: int) -> "ir.Table":
        computed = {
            f"wanted_{place}": self._one(events, one, end)
            for place, one in enumerate(self.wanted.values())
        }
        return events.group_by("entity").agg(**computed).order_by("entity")

    def _one(self, events: "ir.Table", one: AggregateSettings, end: int) -> Any:
        roles, column = Roles.of(self.wanted), None
        if one.column is not None and one.agg == "nunique":
            column = events[f"compared_{roles.compared.index(one.column)}"]
        elif one.column is not None:
            column = events[f"number_{roles.numbers.index(one.column)}"]
        return aggregate(one.agg, events, column, self._chosen(events, one, end), end)

    def _chosen(self, events: "ir.Table", one: AggregateSettings, end: int) -> Any:
        """Those of the window that have the values of `where`; None: all."""
        chosen = _tested(events, one.where, Roles.of(self.wanted))
        if one.window is not None:
            chosen = [events["at"] >= end - ns(one.window), *chosen]
        if not chosen:
            return None
        whole = chosen[0]
        for condition in chosen[1:]:
            whole &= condition
        return whole


def _tested(events: "ir.Table", where: Where, roles: Roles) -> list[Any]:
    """One condition for each column; null, and so not chosen, where it has no value."""
    columns = {name: events[f"compared_{roles.compared.index(name)}"] for name in where}
    return [
        columns[name].isin([_typed(value, columns[name]) for value in values])
        for name, values in where.items()
    ]


def _typed(value: Any, column: Any) -> Any:
    """A value as the column has it: a nullable integer or boolean is stored as float64."""
    if column.type().is_floating():
        return float(value)
    return int(value) if column.type().is_integer() else value
