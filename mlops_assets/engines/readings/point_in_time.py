"""Which row was known when, in SQL that every dialect has: as `ml.features.point_in_time` says."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ibis.expr.types as ir


def newest_known(asked: "ir.Table", known: "ir.Table", ttl: int | None) -> "ir.Table":
    """Each asked row once, with the newest known one of its entity, at its moment or before.

    Not by an as-of join, which few dialects have.

    Args:
        asked: `whose`, `asked_at` in microseconds since 1970, and what follows from them.
        known: `entity`, `at`, and other columns; of one entity and moment one row.
        ttl: Microseconds; a known row that is older is none. None: it is never too old.

    Returns:
        The columns of `asked`, and those of `known`: null where nothing is.
    """
    pairs = asked.distinct()
    near = [
        pairs["whose"] == known["entity"],
        known["at"] <= pairs["asked_at"],
        *([] if ttl is None else [known["at"] >= pairs["asked_at"] - ttl]),
    ]
    joined = pairs.left_join(known, near)
    return _first(joined, [joined[name] for name in pairs.columns], joined["at"])


def newest_of_each(known: "ir.Table", since: Any) -> "ir.Table":
    """Of each entity its newest row, if that is not of before `since`, in microseconds.

    Args:
        known: As of `newest_known`.
        since: A number, or a column of one.
    """
    newest = _first(known, [known["entity"]], known["at"])
    return newest.filter(newest["at"] >= since)


def _first(rows: "ir.Table", of: list[Any], at: Any) -> "ir.Table":
    """The latest row of each group."""
    import ibis

    place = ibis.row_number().over(ibis.window(group_by=of, order_by=[at.desc()]))
    numbered = rows.mutate(mlops_place=place)
    return numbered.filter(numbered["mlops_place"] == 0).select(*rows.columns)
