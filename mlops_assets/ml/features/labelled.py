"""Features and what became of them, as far as it is known: the keys that training rows are made of.

How a feature or a label is computed is `ml.features.build`.
"""

from datetime import datetime

import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.ml.features.arrays import ARRAYS
from mlops_assets.ml.features.build import build_labels
from mlops_assets.ml.features.engine import Engine
from mlops_assets.ml.file_part import Part, in_memory
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.stored_rows import AnyRows, StoredRows


def labelled_keys(
    rows: AnyRows,
    features: Part,
    settings: ModelSettings,
    known: datetime | None,
    engine: Engine = ARRAYS,
) -> pd.DataFrame:
    """The key and moment of every row of `features`, and its target; NaN where not known yet.

    Args:
        rows: Processed; `features` were built of them.
        features: Of `build_features`.
        settings: Of the model.
        known: Until when the rows tell what happened, as of `rows_until`.
        engine: What aggregates an event log.

    Raises:
        FeatureError: As `build_labels`.
    """
    labels = build_labels(rows_until(rows, settings, known), features, settings, engine)
    return beside(in_memory(features[[settings.key.name, TIMESTAMP]]), labels)


def beside(keys: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """`keys` and what `labels` say of them; NaN of those that they lack.

    Mostly these are all rows of some moments, in their order, and are put there as they stand: a
    merge of ten times the rows takes thirty times the CPU.

    Args:
        keys: Entity and moment, each pair once.
        labels: The same columns of some of them, and others.
    """
    there = keys[TIMESTAMP].isin(labels[TIMESTAMP].unique()).to_numpy()
    names = list(keys.columns)
    if not keys[there].reset_index(drop=True).equals(labels[names]):
        return keys.merge(labels, on=names, how="left", validate="one_to_one")
    rows = pd.RangeIndex(len(keys))
    said = labels.drop(columns=names).set_axis(rows[there]).reindex(rows)
    return pd.concat([keys.set_axis(rows), said], axis=1)


def with_targets(
    features: pd.DataFrame, rows: pd.DataFrame, settings: ModelSettings, known: datetime | None
) -> pd.DataFrame:
    """`features` with their targets, as the feature store joins them for training.

    Args:
        features: Of `build_features`.
        rows: Processed, of which `features` were built.
        settings: Of the model.
        known: As in `labelled_keys`.

    Returns:
        By moment and entity: `[entity, event_timestamp, target, *features]`.

    Raises:
        FeatureError: As `build_labels`.
    """
    keys = [settings.key.name, TIMESTAMP]
    labels = labelled_keys(rows, features, settings, known)
    joined = labels.merge(features, on=keys, validate="one_to_one")
    return joined.sort_values(keys[::-1], ignore_index=True)


def rows_until(rows: AnyRows, settings: ModelSettings, known: datetime | None) -> AnyRows:
    """Without what an event log already holds of times after `known`, which is not all of it."""
    if settings.target.window is None or known is None:
        return rows
    if isinstance(rows, StoredRows):
        return rows.until(settings.timestamp_column, known)
    return rows[rows[settings.timestamp_column] <= known]
