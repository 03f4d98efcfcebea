"""The target of a row, by its column or by what was aggregated: as `ml.features.build` says."""

from typing import Any, NamedTuple

from mlops_assets.blocks.features import TargetSettings
from mlops_assets.engines.readings.processing import as_number


class Target(NamedTuple):
    """Of each row."""

    value: Any
    """What is learnt: float64, or a text."""
    labelled: Any
    """Whether the row has a target, or must have one: then it is null where it has none."""


def target_of(column: Any, target: TargetSettings) -> Target:
    """The target by its column, or by what was aggregated of the events that follow.

    A row without one is no error, as it is to the arrays where `target.missing` refuses it.
    """
    import ibis

    known: Any = column.notnull()
    value = column if column.type().is_string() else as_number(column)
    if target.positive is not None:
        value = as_number(_is(column, target.positive))
    elif target.at_least is not None or target.above is not None:
        value = as_number(
            value > target.above if target.above is not None else value >= target.at_least
        )
        if target.agg is not None:  # a mean of no events is not reached
            value, known = value.fill_null(0.0), ibis.literal(True)
    return Target(value, known if target.missing == "unlabelled" else ibis.literal(True))


def _is(column: Any, value: Any) -> Any:
    return column == (float(value) if column.type().is_floating() else value)
