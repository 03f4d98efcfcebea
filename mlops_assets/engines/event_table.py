"""Events, in a frame or a file -> Arrow tables as `EventRelation` describes them."""

from collections.abc import Iterator

import pandas as pd
import pyarrow as pa

from mlops_assets.config import ModelSettings
from mlops_assets.errors import FeatureError
from mlops_assets.ml.features.engine import Roles, Wanted
from mlops_assets.ml.features.keyed import event_frames, row_keys
from mlops_assets.ml.frames import TIMESTAMP, number_array
from mlops_assets.ml.stored_rows import AnyRows


def event_tables(events: AnyRows, settings: ModelSettings, wanted: Wanted) -> Iterator[pa.Table]:
    """The columns that are wanted, by role and number, null where they have no value.

    One table after another of one schema, of some events each; at least one.

    Raises:
        FeatureError: No events, or a column that is missing or not what is wanted of it.
    """
    roles = Roles.of(wanted)
    for frame in event_frames(events, settings, roles.columns):
        yield _event_table(frame, settings, roles)


def _event_table(events: pd.DataFrame, settings: ModelSettings, roles: Roles) -> pa.Table:
    keys = row_keys(events, settings)
    at = keys[TIMESTAMP].to_numpy("datetime64[ns]").astype("int64")
    columns = {"entity": pa.array(keys[settings.key.name]), "at": pa.array(at)}
    for place, name in enumerate(roles.numbers):
        columns[f"number_{place}"] = pa.array(number_array(events[name]), from_pandas=True)
    for place, name in enumerate(roles.compared):
        columns[f"compared_{place}"] = _compared(events[name])
    return pa.table(columns)


def _compared(column: pd.Series) -> pa.Array:
    """Values that engines compare as arrays do: moments as integers, which all of them are."""
    try:
        array = pa.array(column, from_pandas=True)
        if pa.types.is_temporal(array.type):
            return array.cast(pa.int64())
        return array.cast(pa.string()) if pa.types.is_null(array.type) else array
    except pa.ArrowException as err:
        raise FeatureError(
            f"the column {column.name!r} holds values of several types: {err}; declare its dtype "
            "in the contract"
        ) from err
