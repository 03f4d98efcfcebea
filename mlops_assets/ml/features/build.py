"""Features and labels of a model, from an event log or from a flat table.

Both shapes give the same frames: features `[entity, event_timestamp, *features]`, one row per
entity and moment, and labels `[entity, event_timestamp, target]` of the moments whose outcome is
known. Over an event log the moments are snapshots s: features see only events of t < s, a label
only those of s <= t < s + window. Timestamps are datetime64[ns, UTC]. No input is modified.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import spelled_days
from mlops_assets.blocks.features import AggregateSettings, TargetSettings
from mlops_assets.config import ModelSettings
from mlops_assets.errors import FeatureError
from mlops_assets.ml.features.arrays import ARRAYS, ns
from mlops_assets.ml.features.dates import date_features
from mlops_assets.ml.features.engine import Engine
from mlops_assets.ml.features.keyed import (
    event_frame,
    event_frames,
    require_columns,
    row_keys,
    unique_keys,
)
from mlops_assets.ml.features.snapshots import snapshot_times
from mlops_assets.ml.file_part import FilePart, Part, Reader, in_memory
from mlops_assets.ml.frames import (
    TIMESTAMP,
    label_array,
    number_array,
    select_features,
    text_array,
    with_columns,
)
from mlops_assets.ml.stored_rows import (
    AnyRows,
    StoredRows,
    frame_of,
    frames_of,
    write_frames,
)


def build_features(rows: AnyRows, settings: ModelSettings, engine: Engine = ARRAYS) -> pd.DataFrame:
    """Features of every entity and moment, whatever the shape of `rows`.

    A flat table's need no engine.

    Raises:
        FeatureError: As `aggregate` and `flat_features`.
    """
    event_log = settings.features.shape == "event_log"
    if event_log:
        return aggregate(rows, settings, engine)
    return flat_features(frame_of(rows), settings)


def build_labels(
    rows: AnyRows, features: Part, settings: ModelSettings, engine: Engine = ARRAYS
) -> pd.DataFrame:
    """The known targets of `features`, as `build_features` makes them from the same rows.

    Raises:
        FeatureError: As `label_events` and `flat_labels`, or no row has `target.positive`.
    """
    if settings.features.shape == "flat_table":
        said = [settings.target_column, settings.training.weight]
        frame = event_frame(rows, settings, [name for name in said if name is not None])
        _require_positive(frame, settings)
        return _with_weights(flat_labels(frame, settings), frame, settings)
    keys = in_memory(features[[settings.key.name, TIMESTAMP]])
    return label_events(rows, keys, settings, engine)


def aggregate(events: AnyRows, settings: ModelSettings, engine: Engine = ARRAYS) -> pd.DataFrame:
    """Aggregate an event log as of each snapshot.

    Args:
        events: One row per event, in any order; every row counts, duplicates too.
        settings: With `features.snapshots` and `features.aggregates`.
        engine: What aggregates.

    Returns:
        One row per snapshot and entity with an event before it, sorted by both; float64 features
        as `AggregationWindow.compute` defines them. An entity whose events are all older than an
        aggregate's window has a row, with a count of 0.

    Raises:
        FeatureError: No event, none before any snapshot, or a column that cannot be aggregated.
    """
    parts = [*_by_snapshot(events, settings, engine)]
    # Each column is taken out of the parts: beside all that there is stands one more.
    moments = pd.concat([part.pop(TIMESTAMP) for part in parts], ignore_index=True)
    entity, *names = parts[0].columns
    columns = {entity: _taken(parts, entity), TIMESTAMP: moments}
    columns |= {name: _taken(parts, name) for name in names}
    return pd.DataFrame(columns, copy=False)


def _by_snapshot(
    events: AnyRows, settings: ModelSettings, engine: Engine
) -> Iterator[pd.DataFrame]:
    """The rows of each snapshot that has some, with their moment as second column."""
    snapshots, empty = settings.features.snapshots, True
    if snapshots is None:
        raise FeatureError(
            "the settings describe a flat table, not an event log; call build_features"
        )
    with engine.opened(events, settings, settings.features.aggregates) as log:
        for moment in snapshot_times(snapshots, log.newest):
            part = log.before(moment.value)
            part.insert(1, TIMESTAMP, moment.as_unit("ns"))
            if len(part):
                empty = False
                yield part
        oldest = log.oldest
    if empty:
        raise FeatureError(
            f"no event lies before a snapshot; the first event is at "
            f"{oldest}: move features.snapshots later"
        )


def _taken(parts: list[pd.DataFrame], name: str) -> np.ndarray:
    return np.concatenate([part.pop(name).to_numpy() for part in parts])


def label_events(
    events: AnyRows, keys: pd.DataFrame, settings: ModelSettings, engine: Engine = ARRAYS
) -> pd.DataFrame:
    """Label entities and snapshots by the events that follow.

    Only matured snapshots are labelled: those whose window ends at the newest event or before.

    Args:
        events: One row per event that has happened, in any order: `labelled.rows_until` leaves
            out those of the future, which are not all of their time.
        keys: Entity and event_timestamp.
        settings: With `target.agg` and `target.window`.
        engine: What aggregates.

    Raises:
        FeatureError: No snapshot has matured, the target's column is unsuited, or a mean or max
            without threshold is asked of an entity without events and `target.missing` refuses.
    """
    target = settings.target
    agg, window = target.agg, target.window
    if agg is None or window is None:
        raise FeatureError("the target is a column of a flat table; call build_labels")
    if next(frames_of(events, [settings.timestamp_column]), None) is None:
        raise FeatureError("no event has happened yet, so nothing has a target; wait for events")
    moments = keys[TIMESTAMP].to_numpy(dtype="datetime64[ns]").astype(np.int64)
    values = np.full(len(keys), np.nan)
    wanted = AggregateSettings(agg=agg, column=target.column, where=target.where)
    with engine.opened(events, settings, {target.name: wanted}) as log:
        newest = log.newest
        matured = moments + ns(window) <= newest.value
        for moment in np.unique(moments[matured]).tolist():
            rows = moments == moment
            entities = keys.loc[rows, settings.key.name]
            values[rows] = log.following(moment, ns(window), entities)
    if not matured.any():
        raise FeatureError(
            f"no snapshot has matured: none is {spelled_days(window)} older than the "
            f"newest event at {newest}; start the snapshots earlier, or "
            "shorten target.window"
        )
    frame = keys.loc[matured, [settings.key.name, TIMESTAMP]]
    return _labelled(frame, pd.Series(values[matured], index=frame.index), target)


def flat_features(rows: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    """The feature columns of a flat table, and numbers of its dates: one row per row, in its order.

    Raises:
        FeatureError: No rows, two rows of one entity and timestamp, or a column that is missing or
            no number.
    """
    require_columns(rows, [date.column for date in settings.features.dates.values()])
    return _of_rows(rows, unique_keys(rows, settings), settings)


def built_features(
    rows: StoredRows, settings: ModelSettings, engine: Engine, folder: Path | None
) -> Part:
    """What `build_features` makes of stored rows: in memory, or part by part in a folder.

    Raises:
        FeatureError: As `build_features`.
    """
    if folder is None:
        return build_features(rows, settings, engine)
    stored = write_frames(folder / "computed.parquet", feature_parts(rows, settings, engine))
    readers: dict[str, Reader] = dict.fromkeys(stored.columns, lambda column: column.array)
    kinds = {settings.key.name: settings.key.dtype, **settings.feature_dtypes}
    texts = [name for name, kind in kinds.items() if kind == "string"]
    return FilePart(stored, readers | dict.fromkeys(texts, text_array))


def feature_parts(
    rows: StoredRows, settings: ModelSettings, engine: Engine = ARRAYS
) -> Iterator[pd.DataFrame]:
    """The frame of `build_features` in parts: of an event log by snapshot, of a table by batch.

    Raises:
        FeatureError: As `build_features`.
    """
    if settings.features.shape == "event_log":
        yield from _by_snapshot(rows, settings, engine)
        return
    dates = [date.column for date in settings.features.dates.values()]
    columns = [*settings.features.columns, *dates]
    unique_keys(event_frame(rows, settings, []), settings)
    for frame in event_frames(rows, settings, columns):
        yield _of_rows(frame, row_keys(frame, settings), settings)


def _of_rows(rows: pd.DataFrame, keys: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    rows = with_columns(rows, date_features(rows, keys[TIMESTAMP], settings))
    return pd.concat([keys, select_features(rows, settings.feature_dtypes)], axis=1)


def flat_labels(rows: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    """The target column of a flat table; rows without a target as `target.missing` says.

    Raises:
        FeatureError: A target is missing and must not be, none is there, one does not fit the task,
            or an entity and timestamp has two.
    """
    name = str(settings.target_column)
    require_columns(rows, [name])
    return _labelled(
        unique_keys(rows, settings), rows[name].reset_index(drop=True), settings.target
    )


def _with_weights(
    labels: pd.DataFrame, rows: pd.DataFrame, settings: ModelSettings
) -> pd.DataFrame:
    """The labels and, if `training.weight` names one, the column of how much each row counts."""
    name = settings.training.weight
    if name is None:
        return labels
    require_columns(rows, [name])
    keys = unique_keys(rows, settings)
    weights = with_columns(keys, {name: number_array(rows[name])})
    return labels.merge(weights, on=list(keys.columns), how="left", validate="one_to_one")


def _labelled(keys: pd.DataFrame, column: pd.Series, target: TargetSettings) -> pd.DataFrame:
    """`keys` with the target, of the same index, where it is known."""
    known = column.notna().to_numpy()
    if target.positive is not None:
        column = (column == target.positive).astype(np.int64)
    elif target.at_least is not None or target.above is not None:
        column, known = _reached(column, target)
    missing = len(known) - int(known.sum())
    if missing and target.missing == "refuse":
        raise FeatureError(
            f"{missing} of {len(known)} rows have no target {target.name!r}; set "
            "target.missing: unlabelled to leave them out of training"
        )
    if missing == len(known):
        raise FeatureError(f"no row has a target {target.name!r}; check target.column")
    values = label_array(column[known].rename(target.name), target.task)
    return with_columns(keys[known], {target.name: values}).reset_index(drop=True)


def _reached(column: pd.Series, target: TargetSettings) -> tuple[pd.Series, np.ndarray]:
    """1 where the threshold is reached, else 0, and where that is known."""
    numbers = number_array(column)
    reached = numbers > target.above if target.above is not None else numbers >= target.at_least
    # Over an event log a mean of no events is not reached; in a table it is not known.
    known = ~np.isnan(numbers) if target.agg is None else np.full(len(numbers), True)
    return pd.Series(reached.astype(np.int64), column.index), known


def _require_positive(rows: pd.DataFrame, settings: ModelSettings) -> None:
    positive, name = settings.target.positive, str(settings.target_column)
    if positive is None or name not in rows.columns or (rows[name] == positive).any():
        return
    seen = rows[name].value_counts().index[:5].tolist()
    raise FeatureError(
        f"no row has {positive!r} as its {name!r}, but e.g. {seen}; correct target.positive"
    )
