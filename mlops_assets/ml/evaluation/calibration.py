"""Miscalibration of a model on held-out rows: the loss that the best recalibration would save.

A proper score is miscalibration + refinement (Broecker 2009, Q. J. R. Meteorol. Soc. 135); a model
may keep the second, and so its AUC, while the first decays. Recalibration is linear in the log
odds (Cox 1958, Biometrika 45; of several classes, one slope and an offset for each), and in the
prediction for a regression (Mincer and Zarnowitz 1969). It minimizes the mean loss, so to first
order its own estimation does not move that mean (the envelope theorem), and the values per row can
be averaged, paired and clustered as losses are.
"""

import numpy as np

from mlops_assets.blocks.base import Task

_EPSILON = np.finfo(np.float64).eps


def miscalibration(
    scores: np.ndarray, actual: np.ndarray, task: Task, classes: np.ndarray | None = None
) -> np.ndarray:
    """Loss of each row less its loss once recalibrated on these rows; the mean is at least 0.

    The losses and the arguments are those of `ml.evaluation.gate.row_losses`.
    """
    if task == "regression":
        return _of_values(scores[:, 0], actual)
    if task == "binary":
        probabilities = np.column_stack([1 - scores[:, 0], scores[:, 0]])
        return _of_classes(probabilities, actual.astype(np.int64))
    return _of_classes(scores, np.searchsorted(np.asarray(classes), actual))


def _of_values(predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    design = np.column_stack([np.ones(len(predicted)), predicted])
    coefficients = np.linalg.lstsq(design, actual, rcond=None)[0]
    return (predicted - actual) ** 2 - (design @ coefficients - actual) ** 2


def _of_classes(probabilities: np.ndarray, columns: np.ndarray) -> np.ndarray:
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    rows = np.arange(len(columns))
    logits = np.log(np.clip(probabilities, _EPSILON, 1 - _EPSILON))

    def recalibrated(parameters: np.ndarray) -> np.ndarray:
        return log_softmax(parameters[0] * logits + np.append(0.0, parameters[1:]), axis=1)

    def mean_loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        logs = recalibrated(parameters)
        residuals = np.exp(logs)
        residuals[rows, columns] -= 1
        gradient = np.append((residuals * logits).sum(axis=1).mean(), residuals.mean(axis=0)[1:])
        return -float(logs[rows, columns].mean()), gradient

    # Convex, and started at no change: whatever it ends with is at least as good.
    start = np.append(1.0, np.zeros(probabilities.shape[1] - 1))
    found = minimize(mean_loss, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-9}).x
    return recalibrated(found)[rows, columns] - recalibrated(start)[rows, columns]
