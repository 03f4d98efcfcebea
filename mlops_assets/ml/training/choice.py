"""`training.estimator: auto`: the simplest of a few estimators that is not shown to be worse.

Compared are the usual answer, a linear model and boosted trees, on folds of the training rows; what
is held out for the evaluation stays unseen. Taken is the simplest whose loss exceeds that of the
best by no more than one standard error (Breiman, Friedman, Olshen and Stone 1984, Classification
and Regression Trees, section 3.4.3). The standard error is of the differences on the same folds:
of folds by time the losses go up and down together, and their own spread would hide any difference.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mlops_assets.blocks.training import AUTO
from mlops_assets.config import ModelSettings
from mlops_assets.errors import EvaluationError, TrainingError
from mlops_assets.ml.evaluation.gate import LOSSES, row_losses
from mlops_assets.ml.frames import Split, label_array
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.ml.training.fit import fit
from mlops_assets.ml.training.tuning import validation_folds
from mlops_assets.records.reproduction import CandidateLoss, EstimatorChoice

_FOLDS = (5, 4, 3, 2)
"""As many as the rows allow."""


def candidates(settings: ModelSettings) -> dict[str, ModelSettings]:
    """What `auto` compares, by name, the simplest first; of a named estimator that one alone."""
    training = settings.training
    if training.estimator != AUTO:
        return {training.estimator: settings}
    classifies = settings.target.task != "regression"
    filled = "median" if training.impute == "none" else training.impute
    changes: Mapping[str, Mapping[str, object]] = {
        "usual answer": {
            "estimator": f"sklearn.dummy.Dummy{'Classifier' if classifies else 'Regressor'}",
        },
        "linear": {
            "estimator": f"sklearn.linear_model.{'LogisticRegression' if classifies else 'Ridge'}",
            "params": {"max_iter": 1000} if classifies else {},
            "scale": True,
            "impute": filled,
        },
        "boosted trees": {
            "estimator": "sklearn.ensemble.HistGradientBoosting"
            + ("Classifier" if classifies else "Regressor"),
        },
    }
    return {
        name: settings.model_copy(update={"training": training.model_copy(update=dict(change))})
        for name, change in changes.items()
    }


def choose(train: pd.DataFrame, settings: ModelSettings) -> tuple[ModelSettings, EstimatorChoice]:
    """The settings of the candidate that is taken, and how all of them did.

    Args:
        train: `Split.train`.
        settings: With `training.estimator: auto`.

    Raises:
        TrainingError: The rows allow no two folds, or no candidate can be fitted on each.
    """
    folds, tried = _folds(train, settings), candidates(settings)
    losses: dict[str, np.ndarray] = {}
    failed: dict[str, str] = {}
    for name, candidate in tried.items():
        try:
            losses[name] = np.array([_loss(fold, candidate) for fold in folds])
        except (TrainingError, EvaluationError) as err:
            failed[name] = str(err)
    if not losses:
        raise TrainingError(f"no candidate of training.estimator: auto can be fitted: {failed}")
    taken = simplest(losses)
    best = min(losses, key=lambda name: losses[name].mean())
    return tried[taken], EstimatorChoice(
        loss_name=LOSSES[settings.target.task],
        folds=len(folds),
        taken=taken,
        candidates=tuple(
            CandidateLoss(
                name=name,
                estimator=candidate.training.estimator,
                loss=float(losses[name].mean()) if name in losses else None,
                excess=float((losses[name] - losses[best]).mean()) if name in losses else None,
                standard_error=_standard_error(losses[name] - losses[best])
                if name in losses
                else None,
                failed=failed.get(name, ""),
            )
            for name, candidate in tried.items()
        ),
    )


def simplest(losses: Mapping[str, Sequence[float] | np.ndarray]) -> str:
    """The first name whose mean loss exceeds the least by at most one standard error.

    Args:
        losses: Name -> loss on each fold, the simplest first.
    """
    by_fold = {name: np.asarray(values, dtype=np.float64) for name, values in losses.items()}
    best = min(by_fold.values(), key=np.mean)
    return next(
        name
        for name, values in by_fold.items()
        if (values - best).mean() <= _standard_error(values - best)
    )


def _standard_error(differences: np.ndarray) -> float:
    return float(differences.std(ddof=1) / np.sqrt(len(differences)))


def _folds(train: pd.DataFrame, settings: ModelSettings) -> list[Split]:
    for count in _FOLDS:
        try:
            return validation_folds(train, settings, count)
        except TrainingError:  # fewer may do
            continue
    raise TrainingError(
        f"the {len(train)} training rows cannot be cut into two folds to compare estimators on; "
        "name one in training.estimator, or provide more data"
    )


def _loss(fold: Split, settings: ModelSettings) -> float:
    fitted, judged = fold
    scored = Scored.of(fit(fitted, settings), judged, settings)
    actual = label_array(judged[settings.target.name], scored.task)
    return float(row_losses(scored.scores, actual, scored.task, scored.classes).mean())
