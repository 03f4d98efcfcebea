"""A model's input frame and its scores, the same for training, evaluation and serving.

Whatever turns rows into numbers for an estimator goes here, so that the endpoint cannot build
another frame than the training did. Columns stand in the order of `dtypes`; a number is a float64,
a text an object holding `str`, and anything missing is NaN: scikit-learn's encoders take None and
NaN for two different categories. No module here imports scikit-learn at load: it costs 6 CPU
seconds, and the endpoint pays for it once, with the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self, cast

import numpy as np

from mlops_assets.blocks.base import Task
from mlops_assets.errors import TrainingError
from mlops_assets.ml.estimators import Classifier, Estimator, Features

if TYPE_CHECKING:
    import pandas as pd  # not of the worker that ONNX Runtime serves

    from mlops_assets.config import ModelSettings
    from mlops_assets.ml.file_part import Part


@dataclass(frozen=True)
class Scored:
    """Rows of features and what a fitted pipeline says of them: asked once, then kept."""

    model: Estimator
    features: "Part"
    task: Task

    @classmethod
    def of(cls, model: Estimator, rows: "Part", settings: "ModelSettings") -> Self:
        """The pipeline, and of the rows the features that the settings name."""
        from mlops_assets.ml.frames import select_features

        return cls(model, select_features(rows, settings.feature_dtypes), settings.target.task)

    @cached_property
    def scores(self) -> np.ndarray:
        """As `score` returns them; `TrainingError` also if the pipeline refuses some row."""
        from mlops_assets.ml.file_part import frames_in

        parts = [self._scored(frame) for frame in frames_in(self.features)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _scored(self, features: "pd.DataFrame") -> np.ndarray:
        try:
            return score(self.model, features, self.task)
        except TrainingError:
            raise
        except Exception as err:  # LightGBM, CatBoost and a user's class have errors of their own
            raise _unscored(err, self.model, features) from err

    @property
    def classes(self) -> Sequence[object]:
        """Of a classification, in column order."""
        return getattr(self.model, "classes_", ())


def _unscored(err: Exception, model: Estimator, features: "pd.DataFrame") -> TrainingError:
    """Why rows that the pipeline was not fitted to cannot be scored, by their columns' faults."""
    estimator = type(getattr(model, "steps", [(None, model)])[-1][1]).__name__
    said = " ".join(str(err).split())
    numbers = features.select_dtypes("number")
    if infinite := numbers.columns[np.isinf(numbers).any()].tolist():
        return TrainingError(
            f"{estimator} cannot score rows in which the features {infinite} are infinite; bound "
            "them by min and max in `contract`"
        )
    if missing := numbers.columns[numbers.isna().any()].tolist():
        return TrainingError(
            f"{estimator} cannot score rows in which features are missing, as {missing} are here "
            "and never were in the rows it was fitted to; set training.impute to median, mean or "
            f"zero ({said})"
        )
    return TrainingError(
        f"{estimator} cannot score rows that it was not fitted to; look at their features ({said})"
    )


def score(model: Estimator, features: Features, task: Task) -> np.ndarray:
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
    probabilities = np.asarray(cast("Classifier", model).predict_proba(features), dtype=np.float64)
    return probabilities[:, 1:2] if task == "binary" else probabilities


def class_names(model: Estimator, task: Task) -> tuple[str, ...]:
    """What a multiclass model's classes are called, in the order of its scores; else nothing."""
    return tuple(map(str, cast("Classifier", model).classes_)) if task == "multiclass" else ()
