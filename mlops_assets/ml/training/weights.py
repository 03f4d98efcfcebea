"""How much each training row counts: by a column, by its class, or by both, multiplied.

Only the training is weighted. What is held out is measured row by row as it came, so probabilities
of a model whose classes were balanced stand out as badly calibrated there.
"""

import inspect
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.errors import TrainingError
from mlops_assets.ml.file_part import Part

_ARGUMENT = "sample_weight"


def row_weights(train: Part, target: np.ndarray, settings: ModelSettings) -> np.ndarray | None:
    """One weight for each row, of mean 1; None where `training` asks for none.

    Raises:
        TrainingError: A weight is missing, negative or infinite, all are 0, or `class_weight` has
            none for one of the classes.
    """
    training = settings.training
    if training.weight is None and training.class_weight is None:
        return None
    weights = np.ones(len(target))
    if training.weight is not None:
        weights = _of_column(train[training.weight])
    if training.class_weight is not None:
        weights = weights * _of_classes(target, settings)
    return weights / weights.mean()


def fit_arguments(model: Any, weights: np.ndarray | None, step: str = "model") -> dict[str, Any]:
    """What hands the weights through the steps of a pipeline to its estimator `model`."""
    if weights is None:
        return {}
    if type(model).__name__ == "Pipeline":
        name, last = model.steps[-1]
        return fit_arguments(last, weights, f"{step}__{name}")
    return {f"{step}__{_ARGUMENT}": weights}


def require_weighable(model: Any, settings: ModelSettings) -> None:
    """Refuse weights for an estimator that takes none.

    Raises:
        TrainingError: With the setting.
    """
    training = settings.training
    asked = [name for name in ("weight", "class_weight") if getattr(training, name) is not None]
    asked += ["sample.stratify"] * training.stratified
    while type(model).__name__ == "Pipeline":
        model = model.steps[-1][1]
    if asked and not _takes_weights(model):
        raise TrainingError(
            f"{training.estimator} takes no weights; remove training.{asked[0]}, or choose another "
            "estimator"
        )


def _takes_weights(model: Any) -> bool:
    """Whether `fit` takes them, or hands on what it is given, as voting and stacking do."""
    arguments = inspect.signature(model.fit).parameters.values()
    return any(a.name == _ARGUMENT or a.kind is inspect.Parameter.VAR_KEYWORD for a in arguments)


def _of_column(column: pd.Series) -> np.ndarray:
    weights = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if not (np.isfinite(weights) & (weights >= 0)).all():
        wrong = weights[~(np.isfinite(weights) & (weights >= 0))][0]
        raise TrainingError(
            f"the weight {column.name!r} of a training row is {wrong:g}; give the column `min: 0` "
            "and no nulls in `contract`, or fill it by processing.fill_na"
        )
    if not weights.any():
        raise TrainingError(f"every weight {column.name!r} of the training rows is 0; correct it")
    return weights


def _of_classes(target: np.ndarray, settings: ModelSettings) -> np.ndarray:
    """`balanced` lets each class count alike: rows / (classes * rows of the class)."""
    classes, codes, counts = np.unique(target, return_inverse=True, return_counts=True)
    wanted = settings.training.class_weight
    if wanted == "balanced":
        return (len(target) / (len(classes) * counts))[codes]
    given = {str(name): weight for name, weight in dict(wanted or {}).items()}
    known = [str(name) for name in classes]
    if not set(known) <= set(given):
        raise TrainingError(
            f"training.class_weight gives {sorted(given)}, the training rows have the classes "
            f"{known}; give each of them a weight"
        )
    return np.array([given[name] for name in known])[codes]
