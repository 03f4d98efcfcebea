"""Several rows of one id and moment, of which only the first is used: too many to be slips."""

import pandas as pd

from mlops_assets.init.draft import Profiled
from mlops_assets.init.questions import NONE, Answers

MANY = 0.05
"""Of the rows, how many that repeat an id and a moment put it in doubt."""


def repeats(table: Profiled, entity: str, timestamp: str) -> int:
    """How many rows have the id and the moment of an earlier one."""
    ids = pd.Series(table.columns[entity].texts.to_pylist())
    keys = pd.DataFrame({"id": ids, "at": table.moments(timestamp)})
    return int(keys.duplicated().sum())


def repeats_whole(table: Profiled) -> int:
    """How many rows are there again, value by value."""
    return int(table.texts(list(table.columns)).duplicated().sum())


def doubt_entity(
    table: Profiled, entity: str | None, timestamp: str | None, answers: Answers
) -> str | None:
    """The entity, or None if every row is for itself, which is asked where many would be lost.

    Raises:
        UndecidedError: There is nobody to ask.
    """
    if entity is None or timestamp is None:
        return entity
    lost = repeats(table, entity, timestamp)
    if lost <= MANY * table.rows or lost == repeats_whole(table):
        return entity
    asked = (
        f"{lost} of {table.rows} rows repeat {entity!r} and {timestamp!r}, of which only the first "
        f"row would be used: is a prediction asked for by {entity!r}? {NONE}: every row is used"
    )
    return None if answers.ask("entity", asked, entity, [entity, NONE]) == NONE else entity
