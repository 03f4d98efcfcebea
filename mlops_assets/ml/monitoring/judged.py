"""Which answers a window is judged by: those to clients, or where these are few, batches too.

A batch is one decision of somebody to ask for many rows, and its rows need not be like those that
clients ask for. So it neither hides nor raises what is wrong with these: a window with enough of
them for a verdict is judged by them alone. One with fewer is judged with its batches, or a model
that is never asked but in batches would not be watched at all. Canaries and shadows count nowhere.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

import pandas as pd

from mlops_assets.records.profile import Part

CLIENTS, BATCH = "primary", "batch"
"""Roles of the prediction log."""


def judged_parts(parts: Iterable[Part], enough: int) -> list[Part]:
    """Those that their windows are judged by, `enough` rows of clients being enough for a verdict.

    They are counted by version, since a verdict is on one.
    """
    parts, asked = list(parts), Counter[object]()
    for part in parts:
        if part.role == CLIENTS:
            asked[part.start, part.model_version] += part.profile.rows
    return [
        part
        for part in parts
        if part.role == CLIENTS
        or (part.role == BATCH and asked[part.start, part.model_version] < enough)
    ]


def judged_rows(rows: pd.DataFrame, window: timedelta, enough: int) -> pd.DataFrame:
    """The same of rows of the prediction log, whose windows are that long."""
    clients = rows["role"] == CLIENTS
    start = rows["event_time"].dt.floor(pd.Timedelta(window))
    asked = clients.groupby([start, rows["model_version"]]).transform("sum")
    judged = clients | ((rows["role"] == BATCH) & (asked < enough))
    return rows[judged].reset_index(drop=True)
