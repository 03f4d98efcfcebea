"""What is said of rows that break the contract, in every place where they are looked for.

Which rows do is `ml.data.contract`, and as Ibis expressions `mlops_assets.engines.readings`.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from mlops_assets.blocks.columns import ColumnContract, spelled_bound

REPEATS = "repeats an earlier row"
"""What is said of a row that is not `unique`."""


def said_of(
    rule: ColumnContract, now: datetime | None = None, since: datetime | None = None
) -> dict[str, str]:
    """What a column's contract asks beside its type -> what is said of a value that breaks it.

    In the order in which a value is asked.

    Args:
        rule: Of the column.
        now: As of `enforce`; None: it is only known when the rows are.
        since: The moment before which a value is bad, if there is one.
    """
    said = {} if rule.nullable else {"nullable": "is missing"}
    if rule.min is not None:
        said["min"] = f"is below {spelled_bound(rule.min)}"
    if rule.max is not None:
        said["max"] = f"is above {spelled_bound(rule.max)}"
    if rule.allowed:
        said["allowed"] = f"is not one of {_listed(rule.allowed)}"
    if rule.dtype == "datetime" and rule.future == "refuse":
        said["future"] = f"is after now, {now.isoformat()}" if now else "is after now"
    if since is not None:
        said["start"] = f"is before {since.isoformat()}"
    return said


def reason_of(columns: Sequence[str], rule: str, values: Iterable[object], what: str) -> str:
    """Why a row is bad, as the quarantine has it: `COLUMN.RULE: VALUE what`."""
    return f"{'+'.join(columns)}.{rule}: {', '.join(map(_quote, values))} {what}"


def _listed(values: tuple[Any, ...]) -> str:
    shown = ", ".join(_quote(value) for value in values[:10])
    return shown + (", ..." if len(values) > 10 else "")


def _quote(value: object) -> str:
    """A value for a reason: short, and without the separators of reasons."""
    text = repr(value) if isinstance(value, str) else str(None if value is pd.NA else value)
    text = text if len(text) <= 80 else f"{text[:77]}..."
    return re.sub(r"([;:]) +", r"\1", text)
