"""Several rows of one id and moment, of which only the first is used: too many to be slips."""

from collections.abc import Callable

import pandas as pd

from mlops_assets.init.questions import NONE, Answers

MANY = 0.05
"""Of the rows, how many that repeat an id and a moment put it in doubt."""


def doubt_entity(keys: pd.DataFrame, repeated: Callable[[], int], answers: Answers) -> str | None:
    """The entity, or None if every row is for itself, which is asked where many would be lost.

    Args:
        keys: The id and the moment of each row, by the names of their columns.
        repeated: How many rows are there again, value by value.
        answers: Of a person.

    Raises:
        UndecidedError: There is nobody to ask.
    """
    entity, timestamp = keys.columns
    lost = int(keys.duplicated().sum())
    if lost <= MANY * len(keys) or lost == repeated():
        return entity
    asked = (
        f"{lost} of {len(keys)} rows repeat {entity!r} and {timestamp!r}, of which only the first "
        f"row would be used: is a prediction asked for by {entity!r}? {NONE}: every row is used"
    )
    return None if answers.ask("entity", asked, entity, [entity, NONE]) == NONE else entity
