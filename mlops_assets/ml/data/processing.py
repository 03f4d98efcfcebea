"""Good rows -> the rows that features are computed from, as the `processing` block says.

Only what needs no fitting: anything learnt from the rows belongs behind the split, or the held-out
rows leak into the training.

Encoding and imputing are part of the fitted pipeline (`ml.training.fit`).
"""

from datetime import datetime
from math import isfinite
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import Scalar
from mlops_assets.blocks.data import DELIVERED, ROW, EntitySettings, ProcessingSettings
from mlops_assets.config import ModelSettings
from mlops_assets.errors import ContractError, DatasetError
from mlops_assets.ml.data.contract import SeenKeys
from mlops_assets.ml.frames import with_columns


def process(
    rows: pd.DataFrame, settings: ProcessingSettings, seen: SeenKeys | None = None
) -> pd.DataFrame:
    """Drop columns, then exact duplicates, then fill missing values; empty settings change nothing.

    Of duplicates the first stays. `categorical_encoding` is not applied here but in the model's own
    pipeline: an encoding is fitted, on the training rows only, and the endpoint must apply the very
    same one to what it is asked.

    Args:
        rows: Typed, from `ml.data.contract.enforce`. Not modified.
        settings: What to do.
        seen: The rows of the batches before this one, if they come in some.

    Returns:
        A new frame in the same order, index from 0.

    Raises:
        ContractError: A column is unknown, or a fill value does not fit its column.
    """
    return cleaned(rows, settings, seen).reset_index(drop=True)


def cleaned(
    rows: pd.DataFrame, settings: ProcessingSettings, seen: SeenKeys | None = None
) -> pd.DataFrame:
    """As `process`, but each row is called as it was before: by its index."""
    _require_known(settings.drop_columns, rows, "drop_columns")
    result = rows.drop(columns=list(settings.drop_columns))
    _require_known(tuple(settings.fill_na), result, "fill_na")
    if settings.drop_duplicates:
        result = result.drop_duplicates() if seen is None else result[~seen.again(result)]
    filled = {name: _fill(result[name], value) for name, value in settings.fill_na.items()}
    return with_columns(result, filled)


def identified(
    rows: pd.DataFrame, settings: ModelSettings, delivered_at: datetime | None, first: int = 0
) -> pd.DataFrame:
    """`rows`, each with a key and a moment: those that the YAML names no column for are added.

    Without an entity the key is the row's number; without a timestamp the moment is that of the
    delivery. Of several rows of one entity in a delivery the last counts as the newest, so those
    before it are some microseconds older.

    Args:
        rows: Of `process`. Not modified.
        settings: Of the model.
        delivered_at: Of the version of the raw data; needed without a timestamp only.
        first: How many rows were before these; with an entity and no timestamp they are all.

    Raises:
        DatasetError: Nobody noted when the version was delivered.
    """
    added: dict[str, Any] = {}
    if settings.entity is None:
        added[ROW.name] = np.arange(first, first + len(rows))
    if settings.timestamp is None:
        if delivered_at is None:
            raise DatasetError(
                "this version of raw_data is of before deliveries were noted, and without a "
                f"`timestamp` its rows are as of that; materialize {settings.name}/raw_data again"
            )
        later = _rows_after(rows, settings.entity)
        moment = pd.Timestamp(delivered_at).tz_convert("UTC").as_unit("ns")
        added[DELIVERED] = moment - pd.to_timedelta(later, unit="us")
    return with_columns(rows, added)


def _rows_after(rows: pd.DataFrame, entity: EntitySettings | None) -> np.ndarray:
    """How many rows of the same entity come after each row."""
    if entity is None or entity.name not in rows:
        return np.zeros(len(rows), dtype=np.int64)
    return rows.groupby(entity.name).cumcount(ascending=False).to_numpy()


def _fill(column: pd.Series, value: Scalar) -> pd.Series:
    """`column` with `value` for missing ones, of the same type."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.fillna(_moment(column, value))
    wanted = {
        "O": ("a text; put it in quotes", isinstance(value, str)),
        "b": ("true or false", isinstance(value, bool)),
        "i": ("a whole number", not isinstance(value, str) and float(value).is_integer()),
        "f": ("a finite number", not isinstance(value, str) and isfinite(value)),
    }
    what, fits = wanted[column.dtype.kind]
    if not fits:
        _refuse(column, value, what)
    if not column.isna().any():
        return column
    # A column that can hold missing values is of objects or float64, and stays so: of a true that
    # pandas puts among floats it makes objects.
    return column.fillna(value if isinstance(value, str) else float(value))


def _moment(column: pd.Series, value: Scalar) -> pd.Timestamp:
    try:
        moment = pd.Timestamp(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if not isinstance(moment, pd.Timestamp) or moment.tzinfo is None:
        _refuse(column, value, "an ISO 8601 text with its offset, e.g. '2020-01-01T00:00:00Z'")
    return moment.tz_convert("UTC")


def _refuse(column: pd.Series, value: Scalar, wanted: str) -> NoReturn:
    raise ContractError(
        f"processing.fill_na.{column.name}: {value!r} does not fit a column of type "
        f"{column.dtype}; give {wanted}."
    )


def _require_known(names: tuple[str, ...], rows: pd.DataFrame, where: str) -> None:
    if unknown := [name for name in names if name not in rows.columns]:
        raise ContractError(
            f"processing.{where}: {unknown} not among the columns {list(rows.columns)}; "
            "correct the spelling."
        )
