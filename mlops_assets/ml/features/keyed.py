"""Whose each row is, and when: the keys of an event log or a flat table, and what they must be."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.errors import FeatureError
from mlops_assets.ml.frames import TIMESTAMP, text_array
from mlops_assets.ml.stored_rows import AnyRows, frame_of, frames_of


def row_keys(rows: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    """Entity and event_timestamp (UTC, whole microseconds) of each row, with a fresh index.

    Raises:
        FeatureError: No rows, or the entity or the timestamp is missing, or has missing values.
    """
    entity, timestamp = settings.key.name, settings.timestamp_column
    require_columns(rows, [entity, timestamp])
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


def unique_keys(rows: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    """As `row_keys`; `FeatureError` also if two rows are of one entity and moment."""
    keys = row_keys(rows, settings)
    if repeated := int(keys.duplicated().sum()):
        example = keys[keys.duplicated()].iloc[0].to_dict()
        raise FeatureError(
            f"{repeated} rows repeat an entity and timestamp, e.g. {example}; set "
            "processing.drop_duplicates, or contract.unique to reject them"
        )
    return keys


def event_frame(rows: AnyRows, settings: ModelSettings, names: Sequence[str]) -> pd.DataFrame:
    """The keys and these columns at least, of all events; `FeatureError` if one is not there."""
    return frame_of(rows, _required(rows, settings, names))


def event_frames(
    rows: AnyRows, settings: ModelSettings, names: Sequence[str]
) -> Iterator[pd.DataFrame]:
    """The same, some events at once; without any event one frame without rows."""
    needed = _required(rows, settings, names)
    found = frames_of(rows, needed)
    first = next(found, None)
    yield frame_of(rows, needed) if first is None else first
    yield from found


def _required(rows: AnyRows, settings: ModelSettings, names: Sequence[str]) -> list[str]:
    require_columns(rows, names)
    keys = [settings.key.name, settings.timestamp_column]
    require_columns(rows, keys)
    return [*dict.fromkeys([*keys, *names])]


def require_columns(rows: AnyRows, names: Iterable[str]) -> None:
    """`FeatureError` naming the columns that `rows` has not."""
    if missing := [name for name in names if name not in rows.columns]:
        raise FeatureError(
            f"no columns {missing} among {list(rows.columns)}; "
            "check the names, and processing.drop_columns"
        )
