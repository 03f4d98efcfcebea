"""A model's input frame and its scores, the same for training, evaluation and serving.

Whatever turns rows into numbers for an estimator goes here, so that the endpoint cannot build
another frame than the training did. Columns stand in the order of `dtypes`; a number is a float64,
a text an object holding `str`, and anything missing is NaN: scikit-learn's encoders take None and
NaN for two different categories. No module here imports scikit-learn at load: it costs 6 CPU
seconds, and the endpoint pays for it once, with the model.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import Task
from mlops_assets.errors import FeatureError, TrainingError

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


def select_features(frame: pd.DataFrame, dtypes: FeatureDtypes) -> pd.DataFrame:
    """Build the model's input from a frame; equals `feature_frame` of its rows, but fast.

    Returns:
        A new frame with a fresh index, one row per row of `frame`.

    Raises:
        FeatureError: A feature is no column of `frame`, or holds what is no number.
    """
    if missing := [name for name in dtypes if name not in frame.columns]:
        raise FeatureError(
            f"no feature columns {missing} among {list(frame.columns)}; "
            "compute the features again with the present settings"
        )
    return pd.DataFrame(
        {
            name: text_array(frame[name]) if dtype == "string" else number_array(frame[name])
            for name, dtype in dtypes.items()
        }
    )


def score(model: Any, features: pd.DataFrame | np.ndarray, task: Task) -> np.ndarray:
    """Predict every row of `features`, a frame as `feature_frame` builds it, or an array.

    Returns:
        float64 of shape (rows, k). Binary: k = 1, the probability of the positive class;
        multiclass: one probability per class in the order of `model.classes_`; regression: k = 1,
        the value.

    Raises:
        TrainingError: The model of a classification gives no probabilities.
    """
    if task == "regression":
        return np.asarray(model.predict(features), dtype=np.float64).reshape(-1, 1)
    if not hasattr(model, "predict_proba"):
        raise TrainingError(
            f"{type(model).__name__} has no predict_proba, but a {task} model is scored by "
            "probabilities; choose a classifier that estimates them, e.g. "
            "sklearn.ensemble.HistGradientBoostingClassifier"
        )
    probabilities = np.asarray(model.predict_proba(features), dtype=np.float64)
    return probabilities[:, 1:2] if task == "binary" else probabilities


def class_names(model: Any, task: Task) -> tuple[str, ...]:
    """What a multiclass model's classes are called, in the order of its scores; else nothing."""
    return tuple(map(str, model.classes_)) if task == "multiclass" else ()


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
