"""Rows and frames <-> arrays: what every stage feeds a model.

Nothing here knows what a row means; computing features is in `features`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, TypeVar, overload

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import Task
from mlops_assets.errors import FeatureError
from mlops_assets.ml.file_part import FilePart, Part
from mlops_assets.records.data import TIMESTAMP as TIMESTAMP

_EXACT = 2**53 - 1
"""Beyond it a float64, which labels become where some are missing, is several integers."""


def label_array(column: pd.Series, task: Task) -> np.ndarray:
    """Targets without missing values, in the type that the task is trained on.

    Returns:
        Binary: int64 0 and 1; regression: float64; multiclass: int64, or an object array of `str`.

    Raises:
        FeatureError: A value does not fit the task.
    """
    if task == "multiclass" and not pd.api.types.is_numeric_dtype(column.dtype):
        return text_array(column)
    values = number_array(column)
    if task == "binary" and not np.isin(values, (0, 1)).all():
        raise FeatureError(
            f"the target {column.name!r} is not 0 or 1, but e.g. {values.max()}; "
            "set target.positive, target.at_least or target.above"
        )
    if task == "multiclass":
        _require_whole_classes(values, column.name)
    return values if task == "regression" else values.astype(np.int64)


def _require_whole_classes(values: np.ndarray, name: object) -> None:
    if (values % 1 != 0).any():
        raise FeatureError(f"the classes of {name!r} are not whole numbers; use task: regression")
    if (np.abs(values) > _EXACT).any():
        raise FeatureError(
            f"the classes of {name!r} are numbers beyond 2**53, e.g. {values.max():.0f}, of which "
            "several would be one; declare the column as dtype string in the contract"
        )


FeatureDtypes = Mapping[str, Literal["float64", "string"]]
"""Feature -> dtype, in column order; `ModelSettings.feature_dtypes`."""


def feature_frame(rows: Sequence[Mapping[str, Any]], dtypes: FeatureDtypes) -> pd.DataFrame:
    """Build the model's input from one mapping per row; keys besides the features are ignored.

    Raises:
        FeatureError: A row lacks a feature (None is a value), or one is no number.
    """
    columns: dict[str, np.ndarray] = {}
    for name, dtype in dtypes.items():
        try:
            values = [row[name] for row in rows]
        except KeyError as err:
            raise FeatureError(
                f"a row has no feature {name!r}; give every one of {list(dtypes)}, None if missing"
            ) from err
        columns[name] = _texts(values) if dtype == "string" else _numbers(values, name)
    return pd.DataFrame(columns)


@overload
def select_features(frame: pd.DataFrame, dtypes: FeatureDtypes) -> pd.DataFrame: ...
@overload
def select_features(frame: Part, dtypes: FeatureDtypes) -> Part: ...
def select_features(frame: Part, dtypes: FeatureDtypes) -> Part:
    """Build the model's input from a frame; equals `feature_frame` of its rows, but fast.

    Returns:
        A new frame with a fresh index, one row per row of `frame`; of a part of a file these
        columns of it, which are as whoever made it reads them.

    Raises:
        FeatureError: A feature is no column of `frame`, or holds what is no number.
    """
    if isinstance(frame, FilePart):
        require_features(frame.columns, dtypes)
        return frame[list(dtypes)]
    return column_frame(feature_columns(frame, dtypes), dtypes)


def feature_columns(frame: pd.DataFrame, dtypes: FeatureDtypes) -> dict[str, np.ndarray]:
    """The columns of `select_features`, each an array; it raises what that does."""
    require_features(frame.columns, dtypes)
    return {name: feature_reader(dtype)(frame[name]) for name, dtype in dtypes.items()}


def require_features(columns: Collection[str], dtypes: FeatureDtypes) -> None:
    """`FeatureError` naming the features that are not among the columns."""
    if missing := [name for name in dtypes if name not in columns]:
        raise FeatureError(
            f"no feature columns {missing} among {list(columns)}; "
            "compute the features again with the present settings"
        )


def feature_reader(dtype: Literal["float64", "string"]) -> Callable[[pd.Series], np.ndarray]:
    """How a column of this type becomes what a model is fed."""
    return text_array if dtype == "string" else number_array


def column_frame(columns: Mapping[str, np.ndarray], dtypes: FeatureDtypes) -> pd.DataFrame:
    """The model's input from its columns."""
    return pd.DataFrame({name: columns[name] for name in dtypes})


def feature_rows(features: pd.DataFrame) -> list[dict[str, Any]]:
    """One mapping per row of `select_features`, as a request has it: None for what is missing."""
    return features.astype(object).where(features.notna(), None).to_dict("records")


def number_array(column: pd.Series) -> np.ndarray:
    """The column as float64, with NaN where it has no value.

    Raises:
        FeatureError: It holds something that is no number.
    """
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as err:
        raise _not_a_number(str(column.name), err) from err


def text_array(column: pd.Series) -> np.ndarray:
    """The column as an object array of `str`, with NaN where it has no value."""
    values = column.to_numpy(dtype=object, copy=True)
    missing = column.isna().to_numpy()
    values[missing] = np.nan
    if pd.api.types.infer_dtype(values, skipna=True) != "string":
        values[~missing] = [str(value) for value in values[~missing]]
    return values


def _texts(values: list[Any]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = [np.nan if value is None or value != value else str(value) for value in values]
    return array


def _numbers(values: list[Any], name: str) -> np.ndarray:
    try:
        return np.array(values, dtype=np.float64)  # None becomes NaN
    except (TypeError, ValueError) as err:
        raise _not_a_number(name, err) from err


def _not_a_number(name: str, err: Exception) -> FeatureError:
    return FeatureError(
        f"the feature {name!r} is a number, but: {err}. "
        "Send a number or null, or declare the column as dtype string."
    )


_Rows = TypeVar("_Rows", bound=Part)


class Split(NamedTuple, Generic[_Rows]):
    """Disjoint rows to train on and to evaluate on, sorted by time and entity."""

    train: _Rows
    test: _Rows


def with_columns(frame: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """A copy of `frame` in which these columns are new or replaced, in their places.

    As `DataFrame.assign`, which takes names for arguments and so refuses one: `self`.
    """
    result = frame.copy()
    for name, values in columns.items():
        result[name] = values
    return result
