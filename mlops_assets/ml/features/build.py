"""Features and labels of a model, from an event log or from a flat table.

Both shapes give the same frames: features `[entity, event_timestamp, *features]`, one row per
entity and moment, and labels `[entity, event_timestamp, target]` of the moments whose outcome is
known. Over an event log the moments are snapshots s: features see only events of t < s, a label
only those of s <= t < s + window. Timestamps are datetime64[ns, UTC]. No input is modified.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta

import numpy as np
import pandas as pd

from mlops_assets.blocks.features import AggregateSettings, TargetSettings, Where
from mlops_assets.config import ModelSettings
from mlops_assets.errors import FeatureError
from mlops_assets.ml.features.dates import date_features
from mlops_assets.ml.features.snapshots import snapshot_times
from mlops_assets.ml.features.windows import EventLog
from mlops_assets.ml.frames import (
    TIMESTAMP,
    label_array,
    number_array,
    select_features,
    text_array,
    with_columns,
)


def build_features(rows: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    """Features of every entity and moment, whatever the shape of `rows`.

    Raises:
        FeatureError: As `aggregate` and `flat_features`.
    """
    event_log = settings.features.shape == "event_log"
    return aggregate(rows, settings) if event_log else flat_features(rows, settings)


def build_labels(
    rows: pd.DataFrame, features: pd.DataFrame, settings: ModelSettings
) -> pd.DataFrame:
    """The known targets of `features`, a frame of `build_features` from the same rows.

    Raises:
        FeatureError: As `label_events` and `flat_labels`, or no row has `target.positive`.
    """
    if settings.features.shape == "flat_table":
        _require_positive(rows, settings)
        return _with_weights(flat_labels(rows, settings), rows, settings)
    return label_events(rows, features[[settings.key.name, TIMESTAMP]], settings)


def aggregate(events: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    """Aggregate an event log as of each snapshot.

    Args:
        events: One row per event, in any order; every row counts, duplicates too.
        settings: With `features.snapshots` and `features.aggregates`.

    Returns:
        One row per snapshot and entity with an event before it, sorted by both; float64 features
        as `Window.compute` defines them. An entity whose events are all older than an
        aggregate's window has a row, with a count of 0.

    Raises:
        FeatureError: No event, none before any snapshot, or a column that cannot be aggregated.
    """
    aggregates, snapshots = settings.features.aggregates, settings.features.snapshots
    if snapshots is None:
        raise FeatureError(
            "the settings describe a flat table, not an event log; call build_features"
        )
    log = _event_log(events, settings, aggregates)
    entities, moments = [], []
    features: dict[str, list[np.ndarray]] = {name: [] for name in aggregates}
    for snapshot in snapshot_times(snapshots, log.newest).asi8.tolist():
        spans = {a.window for a in aggregates.values()}
        windows = {w: log.window(None if w is None else snapshot - _ns(w), snapshot) for w in spans}
        present = np.flatnonzero(log.window(None, snapshot).compute("count"))
        entities.append(present)
        moments.append(np.full(len(present), snapshot))
        for name, a in aggregates.items():
            events_of = windows[a.window].only(name)
            features[name].append(events_of.compute(a.agg, a.column)[present])
    columns = {name: np.concatenate(parts) for name, parts in features.items()}
    keys = _keys_frame(log.entities.take(np.concatenate(entities)), moments, settings)
    if keys.empty:
        raise FeatureError(
            f"no event lies before a snapshot; the first event is at "
            f"{log.oldest}: move features.snapshots later"
        )
    return with_columns(keys, columns)


def label_events(events: pd.DataFrame, keys: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    """Label entities and snapshots by the events that follow.

    Only matured snapshots are labelled: those whose window ends at the newest event or before.

    Args:
        events: One row per event that has happened, in any order: `labelled.rows_until` leaves
            out those of the future, which are not all of their time.
        keys: Entity and event_timestamp.
        settings: With `target.agg` and `target.window`.

    Raises:
        FeatureError: No snapshot has matured, the target's column is unsuited, or a mean or max
            without threshold is asked of an entity without events and `target.missing` refuses.
    """
    target = settings.target
    agg, window = target.agg, target.window
    if agg is None or window is None:
        raise FeatureError("the target is a column of a flat table; call build_labels")
    if events.empty:
        raise FeatureError("no event has happened yet, so nothing has a target; wait for events")
    log = _event_log(events, settings, {target.name: target})
    moments = keys[TIMESTAMP].to_numpy(dtype="datetime64[ns]").astype(np.int64)
    codes = log.entities.get_indexer(keys[settings.key.name])
    values = np.full(len(keys), np.nan)
    matured = moments + _ns(window) < log.whole.end
    for moment in np.unique(moments[matured]).tolist():
        rows = moments == moment
        following = log.window(moment, moment + _ns(window)).only(target.name)
        values[rows] = following.compute(agg, target.column)[codes[rows]]
    if not matured.any():
        raise FeatureError(
            f"no snapshot has matured: none is {window} older than the newest event at "
            f"{log.newest}; start the snapshots earlier, or "
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
    keys = _unique_keys(rows, settings)
    _require_columns(rows, [date.column for date in settings.features.dates.values()])
    rows = with_columns(rows, date_features(rows, keys[TIMESTAMP], settings))
    return pd.concat([keys, select_features(rows, settings.feature_dtypes)], axis=1)


def flat_labels(rows: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    """The target column of a flat table; rows without a target as `target.missing` says.

    Raises:
        FeatureError: A target is missing and must not be, none is there, one does not fit the task,
            or an entity and timestamp has two.
    """
    name = str(settings.target_column)
    _require_columns(rows, [name])
    return _labelled(
        _unique_keys(rows, settings), rows[name].reset_index(drop=True), settings.target
    )


def _with_weights(
    labels: pd.DataFrame, rows: pd.DataFrame, settings: ModelSettings
) -> pd.DataFrame:
    """The labels and, if `training.weight` names one, the column of how much each row counts."""
    name = settings.training.weight
    if name is None:
        return labels
    _require_columns(rows, [name])
    keys = _unique_keys(rows, settings)
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


def _event_log(
    events: pd.DataFrame,
    settings: ModelSettings,
    wanted: Mapping[str, AggregateSettings | TargetSettings],
) -> EventLog:
    """Sorted events with what the aggregates are computed of, by their names."""
    used = [(one.agg == "nunique", one.column) for one in wanted.values() if one.column is not None]
    tested = {column for one in wanted.values() for column in one.where}
    _require_columns(events, sorted({column for _, column in used} | tested))
    numbers = sorted({column for distinct, column in used if not distinct})
    labels = sorted({column for distinct, column in used if distinct})
    chosen = {name: _chosen(events, one.where) for name, one in wanted.items() if one.where}
    return EventLog.build(row_keys(events, settings), events, numbers, labels, chosen)


def _chosen(events: pd.DataFrame, where: Where) -> np.ndarray:
    """Whether each event has one of the values in each of the columns."""
    return np.logical_and.reduce([events[name].isin(values) for name, values in where.items()])


def _unique_keys(rows: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    keys = row_keys(rows, settings)
    if repeated := int(keys.duplicated().sum()):
        example = keys[keys.duplicated()].iloc[0].to_dict()
        raise FeatureError(
            f"{repeated} rows repeat an entity and timestamp, e.g. {example}; set "
            "processing.drop_duplicates, or contract.unique to reject them"
        )
    return keys


def row_keys(rows: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    """Entity and event_timestamp of each row, with a fresh index."""
    entity, timestamp = settings.key.name, settings.timestamp_column
    _require_columns(rows, [entity, timestamp])
    if rows.empty:
        raise FeatureError("there are no rows; check the source, and what was put in quarantine")
    if missing := [name for name in (entity, timestamp) if rows[name].isna().any()]:
        raise FeatureError(f"columns {missing} have missing values; reject them by the contract")
    if not isinstance(rows[timestamp].dtype, pd.DatetimeTZDtype):
        raise FeatureError(
            f"the timestamp {timestamp!r} is {rows[timestamp].dtype}, not a UTC datetime; "
            "declare it as dtype datetime in the contract"
        )
    ids = rows[entity]
    return pd.DataFrame(
        {
            entity: ids.to_numpy(np.int64) if settings.key.dtype == "int64" else text_array(ids),
            TIMESTAMP: rows[timestamp]
            .astype("datetime64[ns, UTC]")
            .dt.floor("us")
            .reset_index(drop=True),
        }
    )


def _keys_frame(
    entities: pd.Index, moments: list[np.ndarray], settings: ModelSettings
) -> pd.DataFrame:
    times = pd.to_datetime(np.concatenate(moments), unit="ns", utc=True)
    return pd.DataFrame({settings.key.name: entities.to_numpy(), TIMESTAMP: times})


def _require_columns(rows: pd.DataFrame, names: Iterable[str]) -> None:
    if missing := [name for name in names if name not in rows.columns]:
        raise FeatureError(
            f"no columns {missing} among {list(rows.columns)}; "
            "check the names, and processing.drop_columns"
        )


def _ns(length: timedelta) -> int:
    return int(pd.Timedelta(length).value)
