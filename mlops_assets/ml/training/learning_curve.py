"""How much more rows would help: the same estimator fitted on fewer of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlops_assets.blocks.training import SampleSettings
from mlops_assets.config import ModelSettings
from mlops_assets.errors import MlopsError
from mlops_assets.ml.estimators import Estimator
from mlops_assets.ml.evaluation.gate import row_losses
from mlops_assets.ml.frames import Split, label_array
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.ml.training.fit import fit
from mlops_assets.ml.training.many_rows.sampling import Sample, sampled
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
    train, judged = rows.train, rows.test.take(_spread(len(rows.test)))
    learnt, points = sampled(train, settings), []
    for size in _sizes(len(learnt.rows)):
        fewer = _with_rows(settings, size)
        try:
            part, fitted = sampled(train, fewer), fit(train, fewer)
            points.append(_point(fitted, part, judged, settings))
        except MlopsError:  # too few rows for it, or for one of its classes
            continue
    return (*points, _point(model.model, learnt, judged, settings))


def _with_rows(settings: ModelSettings, rows: int) -> ModelSettings:
    fewer = SampleSettings(rows=rows, stratify=settings.training.stratified)
    training = settings.training.model_copy(update={"sample": fewer})
    return settings.model_copy(update={"training": training})


def _sizes(rows: int) -> Sequence[int]:
    most = min(rows // 2, FITTED) // 2
    return [size for size in (most // 4, most // 2, most) if size >= _FEWEST]


def _point(
    model: Estimator, learnt: Sample, test: pd.DataFrame, settings: ModelSettings
) -> CurvePoint:
    some, stand_for = _spread(len(learnt.rows)), learnt.design_weights
    of_learnt = _losses(model, learnt.rows.take(some), settings)
    each = None if stand_for is None else stand_for[some]
    return CurvePoint(
        rows=len(learnt.rows),
        loss=round(float(_losses(model, test, settings).mean()), 6),
        training_loss=round(float(np.average(of_learnt, weights=each)), 6),
    )


def _losses(model: Estimator, rows: pd.DataFrame, settings: ModelSettings) -> np.ndarray:
    scored = Scored.of(model, rows, settings)
    actual = label_array(rows[settings.target.name], settings.target.task)
    return row_losses(scored.scores, actual, scored.task, scored.classes)


def _spread(rows: int) -> np.ndarray:
    """The places of so many rows from all over."""
    return np.linspace(0, rows - 1, min(rows, _JUDGED)).astype(int)
