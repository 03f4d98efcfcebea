"""What became of logged predictions: their labels, once they are known.

A prediction is about the moment that its features describe (`features_as_of`), so its label is the
one that training would give to that entity and moment. Rows that were sent with their features have
no entity and therefore no label.
"""

from datetime import timedelta

import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.ml.features import TIMESTAMP, flat_labels, label_events

KEYS = ("entity", "features_as_of")
"""Columns of the prediction log that identify what was predicted."""


def predicted_moments(predictions: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    """Each entity and moment that was predicted, once: `[entity, event_timestamp]`."""
    known = predictions.dropna(subset=list(KEYS))
    keys = known[list(KEYS)].set_axis([settings.entity.name, TIMESTAMP], axis=1)
    keys[TIMESTAMP] = keys[TIMESTAMP].astype("datetime64[ns, UTC]")
    kind = "int64" if settings.entity.dtype == "int64" else object
    keys[settings.entity.name] = keys[settings.entity.name].astype(kind)
    return keys.drop_duplicates().sort_values([TIMESTAMP, settings.entity.name], ignore_index=True)


def known_labels(rows: pd.DataFrame, keys: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    """The labels of `keys` that are known by now; those of the others arrive later.

    Args:
        rows: Processed data as of now.
        keys: `[entity, event_timestamp]`, as `predicted_moments` returns them.
        settings: Of the model.

    Returns:
        `[entity, event_timestamp, target]`, a row per known label; empty if none is.
    """
    name, target = settings.entity.name, settings.target
    nothing = keys.head(0).assign(**{target.name: pd.Series(dtype="float64")})
    if target.window is not None:
        matured = keys[TIMESTAMP] + target.window <= rows[settings.timestamp].max()
        ready = keys[matured & keys[name].isin(rows[name])].reset_index(drop=True)
        return label_events(rows, ready, settings) if len(ready) else nothing
    arrived = rows[rows[str(settings.target_column)].notna()]
    if arrived.empty or keys.empty:
        return nothing
    return flat_labels(arrived, settings).merge(keys, on=[name, TIMESTAMP])


def with_outcomes(
    predictions: pd.DataFrame, labels: pd.DataFrame, settings: ModelSettings
) -> pd.DataFrame:
    """The predictions that have an entity, with their label as column `label`, or NaN.

    A moment that was asked for several times counts once: its newest prediction.
    """
    keys = labels.rename(
        columns={settings.entity.name: "entity", TIMESTAMP: "features_as_of"}
    ).rename(columns={settings.target.name: "label"})
    last = (
        predictions.dropna(subset=list(KEYS))
        .sort_values("event_time")
        .drop_duplicates([*KEYS, "model_version"], keep="last")
    )
    kind = "int64" if settings.entity.dtype == "int64" else object
    last = last.assign(
        entity=last["entity"].astype(kind),
        features_as_of=last["features_as_of"].astype("datetime64[ns, UTC]"),
    )
    return last.merge(keys, on=list(KEYS), how="left", validate="many_to_one")


def label_delay(settings: ModelSettings) -> timedelta:
    """How long after its moment a label can be known at the latest."""
    return settings.target.window or settings.monitoring.labels.maturity
