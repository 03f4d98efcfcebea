"""Rows with a known target, as a model is trained and measured on them: in memory or in their file.

Which of them are held out is for `training.fit`.
"""

import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.errors import StateError, TrainingError
from mlops_assets.ml.file_part import FilePart, Part, Reader
from mlops_assets.ml.frames import (
    TIMESTAMP,
    feature_reader,
    label_array,
    number_array,
    require_features,
)
from mlops_assets.ml.stored_rows import AnyRows, StoredRows


def labelled_rows(rows: AnyRows, settings: ModelSettings) -> Part:
    """The labelled ones of some rows by time and entity: keys, features, target and weight.

    Of stored rows with `training.external_memory` a part of their file; else they are in memory.

    Raises:
        TrainingError: There is none.
        FeatureError: A column is missing or of the wrong type.
        StateError: Rows that stay in their file are in another order there.
    """
    keys, target = [settings.key.name, TIMESTAMP], settings.target.name
    if isinstance(rows, StoredRows) and not settings.training.external_memory:
        rows = rows.frame()
    count = rows.count if isinstance(rows, StoredRows) else len(rows)
    known = _column(rows, target).notna().to_numpy()
    if not known.any():
        raise TrainingError(
            f"none of {count} rows has a target {target!r} yet; "
            "wait for labels, or start the snapshots earlier"
        )
    require_features(rows.columns, settings.feature_dtypes)
    readers = _readers(settings)
    if isinstance(rows, StoredRows):
        part = FilePart(rows, readers, known)
        if not _in_order(part, keys):
            raise StateError(
                f"the rows of {rows.path} are not by time and entity; materialize "
                f"{settings.name}/features again"
            )
        return part
    labelled = rows if known.all() else rows[known]
    if not _in_order(labelled, keys):
        labelled = labelled.sort_values(keys[::-1])
    # The two parts of a split are the only copy of the rows.
    return pd.DataFrame({name: read(labelled[name]) for name, read in readers.items()}, copy=False)


def all_rows(rows: StoredRows, settings: ModelSettings) -> Part:
    """Stored features, labelled or not: at least the keys and the features of all rows."""
    return (
        FilePart(rows, _features(settings)) if settings.training.external_memory else rows.frame()
    )


def _readers(settings: ModelSettings) -> dict[str, Reader]:
    task, weight = settings.target.task, settings.training.weight
    weights: dict[str, Reader] = {} if weight is None else {weight: number_array}
    targets = {settings.target.name: lambda column: label_array(column, task)}
    return {**_features(settings), **targets, **weights}


def _features(settings: ModelSettings) -> dict[str, Reader]:
    keys: dict[str, Reader] = {
        name: lambda column: column.array for name in (settings.key.name, TIMESTAMP)
    }
    return keys | {name: feature_reader(kind) for name, kind in settings.feature_dtypes.items()}


def _column(rows: AnyRows, name: str) -> pd.Series:
    return (rows.frame([name]) if isinstance(rows, StoredRows) else rows)[name]


def _in_order(rows: Part, keys: list[str]) -> bool:
    """Whether rows are by time, then by entity, as features are stored; sorting copies them all."""
    who, when = rows[keys[0]].to_numpy(), pd.DatetimeIndex(rows[keys[1]]).asi8
    later, same = when[1:] > when[:-1], when[1:] == when[:-1]
    return bool((later | (same & (who[1:] >= who[:-1]))).all())
