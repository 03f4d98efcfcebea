"""What a model looks at: how much worse it answers when one feature says nothing."""

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import Task
from mlops_assets.ml.evaluation.gate import row_losses
from mlops_assets.ml.frames import label_array
from mlops_assets.ml.inference.scoring import Scored, score
from mlops_assets.records.evaluation import Importance

ASKED = 30_000
"""Rows that are predicted at most, over all features together: it must not cost like a training."""
_ROWS, _REPEATS = 1_000, 5


def permutation_importance(
    held_out: Scored, target: pd.Series, seed: int
) -> tuple[Importance, ...]:
    """Mean loss that shuffling a feature adds (Breiman 2001, Mach. Learn. 45), the largest first.

    On at most 1,000 held-out rows, shuffled up to five times; with more than 30 features on fewer
    rows, once. Of features that say the same, none is missed when shuffled alone.

    Args:
        held_out: The rows and the pipeline.
        target: Of these rows, without missing values.
        seed: Of the sample and the shuffles.
    """
    random = np.random.default_rng(seed)
    names, task = list(held_out.features.columns), held_out.task
    rows = min(_ROWS, len(target), max(ASKED // max(len(names), 1), 1))
    some = np.sort(random.choice(len(target), rows, replace=False))
    features, actual = held_out.features.take(some), label_array(target.iloc[some], task)
    repeats = min(_REPEATS, max(ASKED // (rows * len(names)), 1))
    before = row_losses(held_out.scores[some], actual, task, held_out.classes)
    found = []
    for name in names:
        order = np.concatenate([random.permutation(rows) for _ in range(repeats)])
        shuffled = pd.concat([features] * repeats, ignore_index=True)
        shuffled[name] = features[name].take(order).array
        added = _losses(held_out, shuffled, np.tile(actual, repeats), task) - np.tile(
            before, repeats
        )
        each = added.reshape(repeats, rows).mean(axis=1)
        mean, deviation = (round(float(value), 6) for value in (each.mean(), each.std()))
        found.append(Importance(feature=name, added_loss=mean, deviation=deviation))
    return tuple(sorted(found, key=lambda one: -one.added_loss))


def _losses(model: Scored, features: pd.DataFrame, actual: np.ndarray, task: Task) -> np.ndarray:
    return row_losses(score(model.model, features, task), actual, task, model.classes)
