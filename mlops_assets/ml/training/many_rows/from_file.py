"""Fitting XGBoost to rows that are read from their file, batch by batch.

XGBoost keeps of them what its trees are made of, a byte or two for each value, in files of its own,
and in memory some numbers for each row. What a pipeline knows besides trees, classes and the
categories of texts, it learns from the few rows in which each of them stands for the first time.

Which rows are fitted is `many_rows.sampling`'s; reading them is `ml.file_part`'s.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.errors import TrainingError
from mlops_assets.ml.estimators import Pipeline
from mlops_assets.ml.file_part import FilePart, Part
from mlops_assets.ml.training.early_stopping import inner
from mlops_assets.ml.training.many_rows.growing import Batch, Grow, Growth, grown_here
from mlops_assets.ml.training.unfit_rows import require_finite
from mlops_assets.runtime.atomic import folder_aside

_MODELS = ("XGBClassifier", "XGBRegressor")
_FOREIGN = {
    "booster": (None, "gbtree", "dart"),
    "tree_method": (None, "auto", "hist"),
    "early_stopping_rounds": (None,),
}
"""Parameters of XGBoost, and what they may be."""
_ON_SPARK = {
    "booster": (None, "gbtree"),
    "objective": (None, "binary:logistic", "multi:softprob"),
    "num_parallel_tree": (None, 1),
    "enable_categorical": (None, False),
    "device": (None, "cpu"),
}
"""The same with `training.spark_workers`; the second of classifiers alone."""


def require_readable(model: Any, settings: ModelSettings) -> None:
    """Refuse `training.external_memory` of what cannot be fitted so.

    Raises:
        TrainingError: With the remedy.
    """
    training, encodings = settings.training, settings.processing.categorical_encoding
    if not training.external_memory or training.sample is not None:
        return
    booster = inner(model)
    library = type(booster).__module__.partition(".")[0]
    if library != "xgboost" or type(booster).__name__ not in _MODELS:
        raise TrainingError(
            f"{training.estimator} is fitted in memory; remove training.external_memory, bound the "
            "fitted rows by training.sample, or choose xgboost.XGBClassifier or XGBRegressor"
        )
    given = booster.get_params()
    for name, allowed in _FOREIGN.items():
        if given.get(name) not in allowed:
            raise TrainingError(
                f"{training.estimator} with {name}: {given[name]} is fitted in memory; remove that "
                "from training.params, or training.external_memory"
            )
    _require_spread(given, type(booster).__name__, settings)
    if targets := [name for name, kind in encodings.items() if kind == "target"]:
        raise TrainingError(
            f"the target encoding of {targets} is fitted in memory; choose one_hot or ordinal in "
            "processing.categorical_encoding, or remove training.external_memory"
        )


def _require_spread(given: Mapping[str, Any], kind: str, settings: ModelSettings) -> None:
    if settings.training.spark_workers is None:
        return
    free = {"objective"} if kind == "XGBRegressor" else set()
    wrong = [name for name in _ON_SPARK.keys() - free if given.get(name) not in _ON_SPARK[name]]
    wrong += [name for name, value in given.items() if isinstance(value, dict)]
    if wrong:
        name = min(wrong)
        raise TrainingError(
            f"{settings.training.estimator} with {name}: {given[name]} is not trained on Spark; "
            "remove that from training.params, or training.spark_workers"
        )


class Shown(NamedTuple):
    """Rows in memory."""

    rows: pd.DataFrame
    target: np.ndarray
    weights: np.ndarray | None


def shown(
    rows: Part, target: np.ndarray, weights: np.ndarray | None, settings: ModelSettings
) -> Shown:
    """All of the rows; of a part of a file those that `learn_file` wants a pipeline fitted to.

    Raises:
        TrainingError: As `require_finite`, of any row of the file.
    """
    if not isinstance(rows, FilePart):
        return Shown(rows, target, weights)
    places = _specimens(rows, target, settings)
    return Shown(rows.take(places), target[places], None)


def learn_file(
    pipeline: Pipeline,
    rows: Part,
    target: np.ndarray,
    weights: np.ndarray | None,
    settings: ModelSettings,
    grow: Grow = grown_here,
) -> None:
    """Give a pipeline that was fitted to what is `shown` of rows the trees of all of them.

    What was shown all rows has these already. Files lie beside that of the rows while this lasts.
    """
    if not isinstance(rows, FilePart):
        return
    model = _fitted(pipeline[-1])
    parameters = model.get_xgb_params()
    if settings.target.task == "multiclass" and hasattr(model, "n_classes_"):
        target = np.searchsorted(pipeline[-1].classes_, target)
        parameters |= {"num_class": model.n_classes_} if model.n_classes_ > 2 else {}
    features = rows[list(settings.features.names)]
    transform = pipeline[:-1].transform if pipeline.steps[:-1] else lambda frame: frame

    def read() -> Iterator[Batch]:
        for frame in features.frames():
            own = slice(frame.index[0], frame.index[-1] + 1)
            yield Batch(transform(frame), target[own], None if weights is None else weights[own])

    with folder_aside(rows.path.with_name("training")) as folder:
        model.get_booster().load_model(grow(Growth(model, parameters, read, folder)))


def _specimens(rows: FilePart, target: np.ndarray, settings: ModelSettings) -> np.ndarray:
    """The places of rows in which each class, and each value of an encoded text, is the first."""
    encoded = [*settings.processing.categorical_encoding]
    plain = [name for name in settings.features.names if name not in encoded]
    found = _first_of_class(target, settings)
    seen = {name: pd.Index([], dtype=object) for name in encoded}
    for frame in rows[list(settings.features.names)].frames():
        require_finite(frame[plain], settings)
        for name in encoded:
            values = frame[name].drop_duplicates()
            new = values[~values.isin(seen[name])]
            seen[name] = seen[name].append(pd.Index(new, dtype=object))
            found.update(new.index.tolist())
    return np.array(sorted(found))


def _first_of_class(target: np.ndarray, settings: ModelSettings) -> set[int]:
    if settings.target.task == "regression":
        return {0}
    return set(np.unique(target, return_index=True)[1].tolist())


def _fitted(model: Any) -> Any:
    """The fitted booster itself, as `inner` finds the unfitted one."""
    members = getattr(model, "estimators_", None)
    return members[0] if type(model).__name__ == "VotingClassifier" and members else model
