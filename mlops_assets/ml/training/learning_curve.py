"""How much more rows would help: the same estimator fitted on fewer of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.errors import MlopsError
from mlops_assets.ml.estimators import Estimator
from mlops_assets.ml.evaluation.gate import row_losses
from mlops_assets.ml.frames import Split, label_array
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.ml.training.fit import fit
from mlops_assets.records.evaluation import CurvePoint

FITTED = 4_000
"""Rows of all smaller fits together; and never more than half of the training rows."""
_FEWEST, _JUDGED = 50, 2_000


def learning_curve(model: Scored, rows: Split, settings: ModelSettings) -> tuple[CurvePoint, ...]:
    """Mean loss on held-out and on training rows, by how many rows were trained on; `model` last.

    Three smaller fits, on at most 4,000 rows together and half of the training rows. One that the
    estimator refuses, or whose rows lack a class, is left out.

    Args:
        model: The version, and what it says of `rows.test`.
        rows: What it was trained on, and the held-out rows.
        settings: With the estimator and parameters that it was fitted with.
    """
    train, judged = rows.train, _spread(rows.test, _JUDGED)
    points = []
    for size in _sizes(len(train)):
        part = train.sample(size, random_state=settings.training.seed).sort_index()
        try:
            fitted = fit(part, settings)
            points.append(_point(fitted, part, judged, settings))
        except MlopsError:  # too few rows for it, or for one of its classes
            continue
    return (*points, _point(model.model, train, judged, settings))


def _sizes(rows: int) -> Sequence[int]:
    most = min(rows // 2, FITTED) // 2
    return [size for size in (most // 4, most // 2, most) if size >= _FEWEST]


def _point(
    model: Estimator, train: pd.DataFrame, test: pd.DataFrame, settings: ModelSettings
) -> CurvePoint:
    learnt = _spread(train, _JUDGED)
    return CurvePoint(
        rows=len(train),
        loss=round(_loss(model, test, settings), 6),
        training_loss=round(_loss(model, learnt, settings), 6),
    )


def _loss(model: Estimator, rows: pd.DataFrame, settings: ModelSettings) -> float:
    scored = Scored.of(model, rows, settings)
    actual = label_array(rows[settings.target.name], settings.target.task)
    return float(row_losses(scored.scores, actual, scored.task, scored.classes).mean())


def _spread(rows: pd.DataFrame, at_most: int) -> pd.DataFrame:
    """So many rows from all over."""
    if len(rows) <= at_most:
        return rows
    return rows.iloc[np.linspace(0, len(rows) - 1, at_most).astype(int)]
