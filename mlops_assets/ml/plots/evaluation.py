"""Pictures of an evaluation, as PNG bytes of at most 20 kB; drawn without pyplot's global state.

No picture is a file here, and none is needed to decide: the gate reads the metrics.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlops_assets.blocks.base import Task
from mlops_assets.errors import EvaluationError
from mlops_assets.ml.plots.style import INK, MODEL, REFERENCE, figure_and_axes, label, png

_BINS = 10


def evaluation_plots(
    scores: np.ndarray, actual: Any, task: Task, classes: Sequence[Any] = ()
) -> dict[str, bytes]:
    """Draw how scores compare with the truth, `actual`, in which no value is missing.

    Binary: `calibration`, `roc` and `precision_recall`; multiclass: `confusion`, which needs
    `classes` where the rows lack one of them; regression: `residuals`.

    Raises:
        EvaluationError: The classes do not fit the scores, or a binary target has one only.
    """
    truth = np.asarray(actual)
    if task == "binary":
        positive = truth.astype(bool)
        if positive.all() or not positive.any():
            raise EvaluationError("the rows have one class only; hold out more by training.split")
        return {
            "calibration": _calibration(scores[:, 0], positive),
            "roc": _roc(scores, positive),
            "precision_recall": _precision_recall(scores, positive),
        }
    if task == "regression":
        return {"residuals": _residuals(scores[:, 0], truth.astype(np.float64))}
    names = np.asarray(classes) if len(classes) else np.unique(truth)
    if len(names) != scores.shape[1] or not np.isin(truth, names).all():
        raise EvaluationError(
            f"{scores.shape[1]} scores a row, but the classes {names.tolist()}; "
            "pass `classes`, the model's classes_"
        )
    return {"confusion": _confusion(scores, truth, names)}


def _calibration(scores: np.ndarray, positive: np.ndarray) -> bytes:
    """Observed rate over mean score in ten bins of equally many rows; below, where scores lie."""
    figure, (upper, lower) = figure_and_axes(2, 1, sharex=True, height_ratios=[3, 1])
    parts = np.array_split(np.argsort(scores, kind="stable"), min(_BINS, len(scores)))
    predicted = [scores[part].mean() for part in parts]
    observed = [positive[part].mean() for part in parts]
    upper.plot([0, 1], [0, 1], color=REFERENCE, linestyle="--", label="perfect")
    upper.plot(predicted, observed, color=MODEL, marker="o", markersize=4, label="model")
    upper.set(title="Calibration", ylabel="observed rate", xlim=(0, 1), ylim=(0, 1))
    upper.legend(frameon=False, loc="upper left")
    lower.hist(scores, bins=40, range=(0, 1), color=MODEL)
    lower.set(xlabel="predicted probability", ylabel="rows")
    return png(figure)


def _roc(scores: np.ndarray, positive: np.ndarray) -> bytes:
    from sklearn import metrics  # 6 CPU s

    false, true, _ = metrics.roc_curve(positive, scores[:, 0])
    area = metrics.auc(false, true)
    figure, axes = figure_and_axes()
    axes.plot([0, 1], [0, 1], color=REFERENCE, linestyle="--", label="chance")
    axes.plot(false, true, color=MODEL, label=f"model, area {area:.3f}")
    axes.fill_between(false, true, alpha=0.1, color=MODEL, linewidth=0)
    axes.set(title="ROC", xlabel="false positive rate", ylabel="true positive rate")
    axes.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    axes.legend(frameon=False, loc="lower right")
    return png(figure)


def _precision_recall(scores: np.ndarray, positive: np.ndarray) -> bytes:
    from sklearn import metrics

    precision, recall, _ = metrics.precision_recall_curve(positive, scores[:, 0])
    area = metrics.average_precision_score(positive, scores[:, 0])
    figure, axes = figure_and_axes()
    rate = positive.mean()
    axes.axhline(rate, color=REFERENCE, linestyle="--", label=f"chance, {rate:.3f}")
    axes.step(recall, precision, where="post", color=MODEL, label=f"model, average {area:.3f}")
    axes.set(title="Precision and recall", xlabel="recall", ylabel="precision")
    axes.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    axes.legend(frameon=False, loc="upper right")
    return png(figure)


def confusion_shares(scores: np.ndarray, truth: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Row = actual class, column = predicted class, in the order of `names`; rows sum to 1 or 0."""
    order = np.argsort(names, kind="stable")
    rows = order[np.searchsorted(names, truth, sorter=order)]
    counts = np.zeros((len(names), len(names)))
    np.add.at(counts, (rows, scores.argmax(axis=1)), 1)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _confusion(scores: np.ndarray, truth: np.ndarray, names: np.ndarray) -> bytes:
    """The shares as colours, and as numbers while these can be read."""
    size, share = len(names), confusion_shares(scores, truth, names)
    figure, axes = figure_and_axes()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.grid(visible=False)
    if size <= 10:
        for row, column in np.ndindex(size, size):
            color = "white" if share[row, column] > 0.5 else INK
            axes.text(
                column, row, f"{share[row, column]:.2f}", ha="center", va="center", color=color
            )
    shown = np.arange(0, size, 1 + size // 20)
    labels = [label(name) for name in names[shown]]
    axes.set_xticks(shown, labels, rotation=45 if size > 4 else 0)
    axes.set_yticks(shown, labels)
    axes.set(title="Confusion, share of the actual class", xlabel="predicted", ylabel="actual")
    figure.colorbar(image, ax=axes, shrink=0.8)
    return png(figure)


def _residuals(predicted: np.ndarray, actual: np.ndarray) -> bytes:
    from matplotlib.colors import LogNorm

    figure, axes = figure_and_axes()
    ends = [min(predicted.min(), actual.min()), max(predicted.max(), actual.max())]
    # Density, because thousands of dots hide each other and make a large file.
    density = axes.hist2d(actual, predicted, bins=48, cmin=1, cmap="Blues", norm=LogNorm(vmin=1))[3]
    axes.plot(ends, ends, color=REFERENCE, linestyle="--", label="perfect")
    axes.set(title="Predicted and actual", xlabel="actual", ylabel="predicted")
    axes.legend(frameon=False, loc="upper left")
    figure.colorbar(density, ax=axes, shrink=0.8, label="rows")
    return png(figure)
