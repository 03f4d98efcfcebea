"""An event log as a table of any engine, and what is computed of it, as Ibis expressions.

Names are numbered and moments are integers, since engines differ in which names they tell apart and
in what they make of time zones. Nothing is run here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mlops_assets.blocks.features import AggregateSettings, Where
from mlops_assets.engines.aggregates import End, aggregate
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
        computed = computed_of(events, self.wanted, Roles.of(self.wanted), end)
        return events.group_by("entity").agg(**computed).order_by("entity")


def computed_of(
    events: "ir.Table", wanted: Wanted, roles: Roles, end: End, only: Sequence[Any] = ()
) -> dict[str, Any]:
    """`wanted_0`, ...: what is wanted of the events of each group.

    Args:
        events: With the columns of `TABLE`; those that are too late are not among them.
        wanted: What is computed.
        roles: By which the columns are numbered.
        end: Of all windows, in ns since the epoch; as a column it is one number in each group.
        only: Conditions on the events beside those of `wanted`.
    """
    return {
        f"wanted_{place}": _one(events, one, roles, end, only)
        for place, one in enumerate(wanted.values())
    }


def _one(
    events: "ir.Table", one: AggregateSettings, roles: Roles, end: End, only: Sequence[Any]
) -> Any:
    column = None
    if one.column is not None and one.agg == "nunique":
        column = events[f"compared_{roles.compared.index(one.column)}"]
    elif one.column is not None:
        column = events[f"number_{roles.numbers.index(one.column)}"]
    chosen = [*only, *_tested(events, one.where, roles)]
    if one.window is not None:
        chosen = [events["at"] >= end - ns(one.window), *chosen]
    return aggregate(one.agg, events, column, _all(chosen), end)


def _all(conditions: Sequence[Any]) -> Any:
    """Where all hold; None: everywhere."""
    if not conditions:
        return None
    whole, *others = conditions
    for condition in others:
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
