"""How many rounds a booster should have, found on a part of the training rows.

It is fitted once on the earlier rows, judged after each round on the later ones (at random: by
other entities), and stopped when nothing got better for `rounds` of them. Then all training rows
are fitted with the number that was best: a plain model, of which nothing was held back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.blocks.training import EarlyStopping
from mlops_assets.config import ModelSettings
from mlops_assets.errors import TrainingError
from mlops_assets.ml.estimators import Pipeline
from mlops_assets.ml.frames import TIMESTAMP, Split

Matrix = np.ndarray | pd.DataFrame


@dataclass(frozen=True)
class Judged:
    """Prepared rows to fit, and rows to judge each round by, weighted; classes are 0, 1, 2."""

    fitted: Matrix
    target: np.ndarray
    weights: np.ndarray | None
    judged: Matrix
    judged_target: np.ndarray
    judged_weights: np.ndarray | None


def require_stoppable(model: Any, settings: ModelSettings) -> None:
    """Refuse early stopping of an estimator that has no rounds.

    Raises:
        TrainingError: With those that have.
    """
    if settings.training.early_stopping is not None and not _has_rounds(inner(model)):
        raise TrainingError(
            f"{settings.training.estimator} cannot be stopped early; remove "
            "training.early_stopping, or choose a booster of XGBoost, LightGBM or CatBoost, or "
            "scikit-learn's HistGradientBoosting"
        )


def later_part(
    train: pd.DataFrame, settings: ModelSettings, fraction: float
) -> Split[pd.DataFrame]:
    """Rows of a split by time, the latest `fraction` of them apart.

    Raises:
        TrainingError: One of the two parts is empty.
    """
    moments = train[TIMESTAMP]
    start = moments.sort_values(ignore_index=True).iloc[int(len(train) * (1 - fraction))]
    window = settings.target.window
    fitted = moments < start if window is None else moments + window <= start
    judged = moments >= start
    if not fitted.any() or not judged.any():
        raise TrainingError(
            f"of {len(train)} training rows, {int(fitted.sum())} are left to fit and "
            f"{int(judged.sum())} to judge rounds by; change training.early_stopping.fraction, or "
            "provide more data"
        )
    return Split(*(train[part].reset_index(drop=True) for part in (fitted, judged)))


def best_rounds(model: Any, rows: Judged, wanted: EarlyStopping) -> int:
    """After how many rounds the unfitted `model` judged best, at least 1."""
    return max(_STOPS[_library(model)](model, rows, wanted.rounds), 1)


def set_rounds(pipeline: Pipeline, rounds: int) -> None:
    """Make the unfitted pipeline train exactly so many."""
    model = inner(pipeline[-1])
    name = _rounds_parameter(model)
    fixed = {name: rounds}
    if _library(model) == "sklearn":
        fixed["early_stopping"] = False
    model.set_params(**fixed)


def rounds_of(pipeline: Pipeline) -> int:
    """How many rounds `set_rounds` gave."""
    model = inner(pipeline[-1])
    return int(model.get_params()[_rounds_parameter(model)])


def inner(model: Any) -> Any:
    """The booster itself, where `training.estimators` put it into one that numbers its classes."""
    members = getattr(model, "estimators", None)
    if type(model).__name__ == "VotingClassifier" and members and len(members) == 1:
        return members[0][1]
    return model


def _xgboost(model: Any, rows: Judged, rounds: int) -> int:
    model.set_params(early_stopping_rounds=rounds)
    model.fit(
        rows.fitted,
        rows.target,
        sample_weight=rows.weights,
        eval_set=[(rows.judged, rows.judged_target)],
        sample_weight_eval_set=None if rows.judged_weights is None else [rows.judged_weights],
        verbose=False,
    )
    return model.best_iteration + 1


def _lightgbm(model: Any, rows: Judged, rounds: int) -> int:
    from lightgbm import early_stopping

    model.fit(
        rows.fitted,
        rows.target,
        sample_weight=rows.weights,
        eval_X=(rows.judged,),
        eval_y=(rows.judged_target,),
        eval_sample_weight=None if rows.judged_weights is None else [rows.judged_weights],
        callbacks=[early_stopping(rounds, verbose=False)],
    )
    return model.best_iteration_


def _catboost(model: Any, rows: Judged, rounds: int) -> int:
    from catboost import Pool

    model.fit(
        rows.fitted,
        rows.target,
        sample_weight=rows.weights,
        eval_set=Pool(rows.judged, rows.judged_target, weight=rows.judged_weights),
        early_stopping_rounds=rounds,
    )
    return model.get_best_iteration() + 1


def _sklearn(model: Any, rows: Judged, rounds: int) -> int:
    model.set_params(early_stopping=True, n_iter_no_change=rounds, scoring="loss")
    model.fit(
        rows.fitted,
        rows.target,
        sample_weight=rows.weights,
        X_val=rows.judged,
        y_val=rows.judged_target,
        sample_weight_val=rows.judged_weights,
    )
    # The first score is that of no round.
    return int(np.argmax(model.validation_score_))


def _has_rounds(model: Any) -> bool:
    return _library(model) in _STOPS and _rounds_parameter(model) != ""


def _library(model: Any) -> str:
    return type(model).__module__.partition(".")[0]


def _rounds_parameter(model: Any) -> str:
    """What the number of rounds is called; empty where there is none."""
    if _library(model) == "sklearn":
        return "max_iter" if type(model).__name__.startswith("HistGradientBoosting") else ""
    given = model.get_params() if hasattr(model, "get_params") else {}
    names = _NAMES.get(_library(model), ())
    return next((name for name in names if name in given), names[0] if names else "")


_STOPS: Mapping[str, Callable[[Any, Judged, int], int]] = {
    "catboost": _catboost,
    "lightgbm": _lightgbm,
    "sklearn": _sklearn,
    "xgboost": _xgboost,
}
_NAMES: Mapping[str, tuple[str, ...]] = {
    "catboost": ("iterations", "n_estimators", "num_trees", "num_boost_round"),
    "lightgbm": ("n_estimators",),
    "xgboost": ("n_estimators",),
}
