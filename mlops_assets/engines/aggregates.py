"""What each aggregate is, as an Ibis expression: one number per group of events.

The same meanings over arrays are in `ml.features.windows`; property tests hold the two together.
Nothing here knows an engine: which events are in a group is `mlops_assets.engines.relation`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlops_assets.blocks.base import Aggregation
from mlops_assets.ml.features.windows import DAY_NS

if TYPE_CHECKING:
    import ibis.expr.types as ir

End = Any
"""Of a window, in ns since the epoch: an integer, or a column that has one for each group."""
Of = Callable[["ir.Table", Any, Any, End], "ir.Value"]
"""Events, the column (None: of the events themselves), which of them, and the window's end."""


def aggregate(
    agg: Aggregation, events: "ir.Table", column: Any, which: "ir.BooleanValue", end: End
) -> "ir.Value":
    """Aggregate the events of each group that are chosen; missing values do not count.

    Args:
        agg: What is computed.
        events: With `at`, int64 nanoseconds since the epoch.
        column: One of `events`: float64, or for nunique of any type, null where missing.
        which: Whether each event is chosen.
        end: Of the window.

    Returns:
        float64, as `AggregationWindow.compute` defines it, with null for NaN.
    """
    return _MEANINGS[agg](events, column, which, end)


def _days(moment: Any, end: End) -> "ir.Value":
    import ibis

    # Of a plain 86400 some engines make a decimal, and of the quotient another number.
    day = ibis.literal(float(DAY_NS), "float64")
    last = ibis.literal(end, "int64") if isinstance(end, int) else end.max()
    return (last - moment).cast("float64") / day


def _zero_if_null(number: Any) -> "ir.Value":
    """Also a count: some engines count by a sum, which is null where no condition has a value."""
    return number.fill_null(0.0)


_MEANINGS: dict[Aggregation, Of] = {
    "count": lambda events, _, which, __: _zero_if_null(events.count(where=which).cast("float64")),
    "nunique": lambda _, column, which, __: column.nunique(where=which).cast("float64"),
    "sum": lambda _, column, which, __: _zero_if_null(column.sum(where=which)),
    "mean": lambda _, column, which, __: column.mean(where=which),
    "min": lambda _, column, which, __: column.min(where=which),
    "max": lambda _, column, which, __: column.max(where=which),
    "std": lambda _, column, which, __: column.std(where=which, how="sample"),
    "days_since_first": lambda events, _, which, end: _days(events["at"].min(where=which), end),
    "days_since_last": lambda events, _, which, end: _days(events["at"].max(where=which), end),
}
