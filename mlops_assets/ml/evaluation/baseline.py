"""A version beside the prior, which answers the same whatever it is asked.

The prior answers the share of each class in the training rows, or the mean of a regression. Who
states no limits has at least this one: a version that is not shown to know more is not deployed.
Shown means at level `gate.alpha`, on the held-out rows: its loss is lower, by the paired test of
`ml.evaluation.paired`, or, of a binary model, it ranks better than chance (Mann and Whitney 1947,
Ann. Math. Stat. 18), since one that ranks well and promises too much is no coin flip. Of two tests
each has half the level (Bonferroni). Rows are taken for independent where all are of one entity.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import Task
from mlops_assets.config import ModelSettings
from mlops_assets.ml.evaluation.gate import LOSSES, row_losses
from mlops_assets.ml.evaluation.paired import Moments
from mlops_assets.ml.file_part import Part
from mlops_assets.ml.frames import Split, label_array
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.records.evaluation import Baseline


def against_prior(
    held_out: Scored, rows: Split, metrics: Mapping[str, float], settings: ModelSettings
) -> Baseline:
    """Compare a fitted pipeline with the prior of its training rows, on the held-out rows."""
    target, task = settings.target.name, settings.target.task
    learnt, actual = (label_array(part[target], task) for part in rows)
    losses = row_losses(held_out.scores, actual, task, held_out.classes)
    constant = np.tile(prior(learnt, task, held_out.classes), (len(actual), 1))
    before = row_losses(constant, actual, task, held_out.classes)
    moments = Moments.of(before, losses - before, _clusters(rows.test, settings))
    p_values = [moments.p_below(0.0)]
    if task == "binary":
        p_values.append(rank_p_value(metrics["roc_auc"], actual))
    p_value = min(1.0, len(p_values) * min(p_values))
    return Baseline(
        loss_name=LOSSES[task],
        rows=len(actual),
        prior_loss=float(before.mean()),
        loss=float(losses.mean()),
        p_value=p_value,
        passed=p_value <= settings.evaluation.gate.alpha,
    )


def prior(learnt: np.ndarray, task: Task, classes: Sequence[object] = ()) -> np.ndarray:
    """Scores of one row, of shape (k,), in the order of `classes`; `learnt` is a `label_array`."""
    if task == "multiclass":
        return np.array([np.mean(learnt == name) for name in classes])
    return np.array([learnt.mean()])


def rank_p_value(roc_auc: float, actual: np.ndarray) -> float:
    """Chance of an area under the curve this high, were the ranking a coin flip."""
    from scipy.special import ndtr

    positive = int((actual == 1).sum())
    negative = len(actual) - positive
    deviation = math.sqrt((len(actual) + 1) / (12 * positive * negative))
    return float(ndtr((0.5 - roc_auc) / deviation))


def refusal(found: Baseline) -> str:
    """Why a version that is not shown to beat the prior is refused, and what to do."""
    return (
        "no limits are set, and nothing shows that it knows more than the prior: its "
        f"{found.loss_name} is {found.loss:.4g}, that of always giving the usual answer of the "
        f"training rows {found.prior_loss:.4g}, on {found.rows} held-out rows (p "
        f"{found.p_value:.2g}); provide better features or more rows, or state in "
        "evaluation.gate.limits what is enough"
    )


def _clusters(test: Part, settings: ModelSettings) -> np.ndarray:
    """The entity of each row, as small whole numbers; each row alone if there is only one."""
    codes, entities = pd.factorize(test[settings.key.name])
    return codes if len(entities) > 1 else np.arange(len(test))
