"""An entity of few ids, each with many rows, such as a shop's days: the id is a feature as well.

What is known of one of many customers is in their other columns; one of four shops is best known by
which it is. Of rows that are held out at random this tells nothing, for an entity is in one part
with all its rows.
"""

from mlops_assets.init.columns.categories import ONE_HOT_BELOW
from mlops_assets.init.draft import Draft, Profiled
from mlops_assets.init.roles import entity_contract, entity_name

_MOST, _ROWS_EACH = 50, 20


def entity_as_feature(table: Profiled, entity: str, timestamp: str | None, draft: Draft) -> None:
    """Add the id as a category, a column of its own, if there are few and each has many rows."""
    column = table.columns[entity]
    few = 1 < column.distinct <= _MOST
    if timestamp is None or not few or len(column.present) < _ROWS_EACH * column.distinct:
        return
    name = f"{entity_name(column)[:50]}_category"
    if name in {other.name for other in table.columns.values()}:
        return
    said = f"{entity}: {column.distinct} ids that recur, a category too"
    contract = {"from": entity, **entity_contract(column)}
    draft.decide(f"contract.columns.{name}", contract, said, told=False)
    features = draft.attributes.setdefault("features", {}).setdefault("columns", [])
    features.append(name)
    draft.decide("features.columns", features, said)
    encoding = "one_hot" if column.distinct < ONE_HOT_BELOW else "target"
    draft.decide(f"processing.categorical_encoding.{name}", encoding, said, told=False)
