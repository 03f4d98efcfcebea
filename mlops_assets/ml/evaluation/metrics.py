"""Metrics on held-out rows, and what of them breaks the gate's limits.

`evaluate` computes exactly the metrics that `blocks.evaluation.METRICS` lists for the task. A
metric that cannot be computed is an error, never a number that looks like a result.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import Task
from mlops_assets.blocks.evaluation import GateSettings, MetricLimits
from mlops_assets.errors import EvaluationError
from mlops_assets.ml.frames import label_array
from mlops_assets.ml.inference.scoring import Scored


def evaluate(held_out: Scored, target: pd.Series) -> dict[str, float]:
    """Compare the scores of held-out rows with their target.

    Returns:
        Metric -> value. `calibration_ratio` is mean probability / observed rate, so above 1 the
        model promises too much; `accuracy` of a binary model is at 0.5; multiclass `roc_auc` is
        one against the rest, weighted by frequency; `bias` is mean prediction - mean actual.

    Raises:
        EvaluationError: Too few rows, one class only, a class unknown to the model, or scores
            that are not finite.
    """
    task = held_out.task
    actual = label_array(target, task)
    if len(actual) < 2 or (task != "regression" and len(np.unique(actual)) < 2):
        raise EvaluationError(
            f"the {len(actual)} test rows have only the targets {np.unique(actual).tolist()}; "
            "provide more rows, of each class, or hold out more by training.split"
        )
    if not np.isfinite(held_out.scores).all():
        raise EvaluationError(
            "the model predicts values that are not finite; scale or bound its features"
        )
    return metrics_of(actual, held_out.scores, task, held_out.classes)


def metrics_of(
    actual: np.ndarray, scores: np.ndarray, task: Task, classes: Sequence[object] = ()
) -> dict[str, float]:
    """What `evaluate` returns, of computed scores, and of two classes where there are classes."""
    if task == "binary":
        return _binary(actual, scores[:, 0])
    if task == "regression":
        return _regression(actual, scores[:, 0])
    return _multiclass(actual, scores, np.asarray(classes))


def breaches(metrics: dict[str, float], gate: GateSettings) -> list[str]:
    """One sentence per broken limit, with the metric, its value and the bound; empty if passed."""
    return [
        sentence
        for name, limits in gate.bounds.items()
        for sentence in _breaches(name, metrics.get(name, float("nan")), limits)
    ]


def _breaches(name: str, value: float, limits: MetricLimits) -> list[str]:
    if np.isnan(value):
        return [f"{name} is not known, but has limits"]
    found = []
    if limits.min is not None and value < limits.min:
        found.append(f"{name} {value:.4g} is below the minimum {limits.min:g}")
    if limits.max is not None and value > limits.max:
        found.append(f"{name} {value:.4g} is above the maximum {limits.max:g}")
    return found


def _binary(actual: np.ndarray, positive: np.ndarray) -> dict[str, float]:
    from sklearn import metrics  # 6 CPU s

    return {
        "roc_auc": float(metrics.roc_auc_score(actual, positive)),
        "log_loss": float(metrics.log_loss(actual, positive)),
        "brier": float(np.mean((positive - actual) ** 2)),
        "calibration_ratio": float(positive.mean() / actual.mean()),
        "accuracy": float(np.mean((positive >= 0.5) == actual)),
    }


def _multiclass(actual: np.ndarray, scores: np.ndarray, classes: np.ndarray) -> dict[str, float]:
    from sklearn import metrics

    if unknown := sorted(set(actual.tolist()) - set(classes.tolist())):
        raise EvaluationError(
            f"the test rows have the classes {unknown}, which training did not see; provide "
            "training rows of them, or hold out fewer"
        )
    predicted = classes[scores.argmax(axis=1)]
    present, counts = np.unique(actual, return_counts=True)
    # Per class, because scikit-learn's own refuses a test that lacks one of the model's classes.
    columns = np.searchsorted(classes, present)
    one_against_rest = [
        metrics.roc_auc_score(actual == name, scores[:, column])
        for name, column in zip(present, columns, strict=True)
    ]
    return {
        "roc_auc": float(np.average(one_against_rest, weights=counts)),
        "log_loss": float(metrics.log_loss(actual, scores, labels=classes)),
        "accuracy": float(np.mean(predicted == actual)),
        "f1_macro": float(metrics.f1_score(actual, predicted, average="macro", zero_division=0)),
    }


def _regression(actual: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    from sklearn import metrics

    errors = predicted - actual
    return {
        "rmse": float(np.sqrt(np.mean(errors**2))),
        "mae": float(np.mean(np.abs(errors))),
        "r2": float(metrics.r2_score(actual, predicted)),
        "bias": float(errors.mean()),
    }
