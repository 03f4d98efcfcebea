"""Columns counted in given bins: as `ml.monitoring.profiles` counts them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlops_assets.engines.readings.columns import us
from mlops_assets.ml.features.arrays import ns
from mlops_assets.ml.monitoring.profiles import NEAR
from mlops_assets.records.profile import Ageing, Bins

if TYPE_CHECKING:
    import ibis.expr.types as ir


def profile_of(
    rows: "ir.Table", columns: Mapping[str, str], bins: Mapping[str, Bins]
) -> "ir.Table":
    """A row for each bin with a value, of each column.

    Args:
        rows: With `at`, microseconds since 1970, by which columns age.
        columns: Name -> what it is called in `rows`; float64, or texts.
        bins: Of each of the columns.

    Returns:
        `feature`; `bin`, its place among points and then intervals, null for what is missing;
        `counted`; and of numbers their sum `total`, and `lowest` and `highest`.
    """
    import ibis

    parts = [_counted(rows, name, rows[place], bins[name]) for name, place in columns.items()]
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def _counted(rows: "ir.Table", name: str, column: Any, bins: Bins) -> "ir.Table":
    import ibis

    if bins.are_texts:
        place = _place_of_text(column, bins)
        number = ibis.null("float64")
    else:
        number = column - _growth(rows["at"], bins.ageing) if bins.ageing else column
        place = _place_of_number(number, bins)
    place = column.isnull().ifelse(None, place)
    placed = rows.select(bin=place, number=number)
    return (
        placed.group_by("bin")
        .agg(
            counted=placed.count(),
            total=placed["number"].sum(),
            lowest=placed["number"].min(),
            highest=placed["number"].max(),
        )
        .select(ibis.literal(name).name("feature"), "bin", "counted", "total", "lowest", "highest")
    )


def _place_of_text(column: Any, bins: Bins) -> Any:
    import ibis

    place: Any = ibis.literal(len(bins.points), "int64")
    for at, point in enumerate(bins.points):
        place = (column == point).ifelse(at, place)
    return place


def _place_of_number(number: Any, bins: Bins) -> Any:
    import ibis

    near = NEAR * bins.scale
    place: Any = ibis.literal(len(bins.points), "int64")
    for edge in bins.edges:
        place += (number >= edge - near).ifelse(1, 0)
    for at, point in enumerate(bins.points):
        value = float(point)
        place = ((number >= value - near) & (number <= value + near)).ifelse(at, place)
    return place


def _growth(at: Any, ageing: Ageing) -> Any:
    """By how much the column has grown since `as_of`."""
    import ibis

    per = ibis.literal(float(ns(ageing.per) // 1000), "float64")
    return (at - us(ageing.as_of)).cast("float64") / per
