"""What became of logged predictions: their labels, once they are known.

A prediction is about the moment that its features describe (`features_as_of`), so its label is the
one that training would give to that entity and moment; of a table without a timestamp, what its
newest delivery says of the entity. Rows that were sent with their features have no entity and
therefore no label.
"""

from datetime import datetime

import numpy as np
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.ml.features.arrays import ARRAYS
from mlops_assets.ml.features.build import flat_labels, label_events
from mlops_assets.ml.features.engine import Engine
from mlops_assets.ml.frames import TIMESTAMP, with_columns
from mlops_assets.ml.stored_rows import AnyRows, frame_of, frames_of, newest_of

KEYS = ("entity", "features_as_of")
"""Columns of the prediction log that identify what was predicted."""


def predicted_moments(predictions: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    """Each entity and moment that was predicted, once: `[entity, event_timestamp]`."""
    name = settings.key.name
    known = _typed(predictions.dropna(subset=list(KEYS))[list(KEYS)], settings)
    keys = known.set_axis([name, TIMESTAMP], axis=1).drop_duplicates()
    return keys.sort_values([TIMESTAMP, name], ignore_index=True)


def known_labels(
    rows: AnyRows, keys: pd.DataFrame, settings: ModelSettings, engine: Engine = ARRAYS
) -> pd.DataFrame:
    """The labels of `predicted_moments` that are known by now; the others arrive later.

    `rows` is the processed data as of now.

    Returns:
        `[entity, event_timestamp, target]`, a row per known label; empty if none is.
    """
    name, target = settings.key.name, settings.target
    nothing = with_columns(keys.head(0), {target.name: pd.Series(dtype="float64")})
    if target.window is not None:
        newest = newest_of(rows, settings.timestamp_column)
        if newest is None:
            return nothing
        matured = keys[TIMESTAMP] + target.window <= newest
        there = np.zeros(len(keys), dtype=bool)
        for frame in frames_of(rows, [name]):
            there |= keys[name].isin(frame[name]).to_numpy()
        ready = keys[matured & there].reset_index(drop=True)
        return label_events(rows, ready, settings, engine) if len(ready) else nothing
    rows = frame_of(rows)
    arrived = rows[rows[str(settings.target_column)].notna()]
    if arrived.empty or keys.empty:
        return nothing
    labels = flat_labels(arrived, settings)
    if settings.timestamp is None:
        # Of a later delivery than what was predicted, so of another moment: it says how it went on.
        newest = labels.drop(columns=TIMESTAMP).drop_duplicates(name, keep="last")
        return keys.merge(newest, on=name)
    return labels.merge(keys, on=[name, TIMESTAMP])


def known_until(rows: AnyRows, settings: ModelSettings, now: datetime) -> datetime | None:
    """The moment up to which `rows` tell what became of predictions; None if they tell nothing.

    It is their newest moment, and never later than `now`, when they were read. A table that may
    hold rows of the future says by its labels only how far it has come.
    """
    contract = settings.contract.columns.get(settings.timestamp_column)
    may_be_ahead = contract is not None and contract.future == "allow"
    if may_be_ahead and settings.target.window is None:
        frame = frame_of(rows)
        rows = frame[frame[str(settings.target_column)].notna()]
    newest = newest_of(rows, settings.timestamp_column)
    return None if newest is None else min(newest.to_pydatetime(), now)


def with_outcomes(
    predictions: pd.DataFrame, labels: pd.DataFrame, settings: ModelSettings
) -> pd.DataFrame:
    """The predictions that have an entity, with their label as column `label`, or NaN.

    A moment that was asked for several times counts once: its newest prediction. Of a model without
    an entity they are all predictions, none with a label: their loss can be estimated.
    """
    if settings.entity is None:
        return predictions.assign(label=np.nan)
    names = {settings.key.name: "entity", TIMESTAMP: "features_as_of"}
    known = labels.rename(columns={**names, settings.target.name: "label"})
    last = (
        predictions.dropna(subset=list(KEYS))
        .sort_values("event_time")
        .drop_duplicates([*KEYS, "model_version"], keep="last")
    )
    return _typed(last, settings).merge(known, on=list(KEYS), how="left", validate="many_to_one")


def _typed(predictions: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    """Logged rows with their keys typed as features and labels have them.

    Without rows of before `entity.dtype` became int64 whose ids are none.
    """
    ids = predictions["entity"]
    if settings.key.dtype == "int64" and ids.dtype == object:
        numbers = ids.astype(str).str.fullmatch("-?[0-9]{1,19}")
        predictions = predictions[numbers]
    dtypes = {"entity": settings.key.column_dtype, "features_as_of": "datetime64[ns, UTC]"}
    return predictions.astype(dtypes)
