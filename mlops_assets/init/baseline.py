"""A rehearsal: what the draft says, run on the sample by the product's own functions.

It finds what would fail in a run before anything is written, and what a first model reaches, from
which the limits of the gate follow.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import Task
from mlops_assets.config import ModelSettings
from mlops_assets.errors import ConfigError, MlopsError
from mlops_assets.init.doubts.rare import require_classes
from mlops_assets.init.draft import LINEAR, TREES, Draft
from mlops_assets.ml.data.delivered import checked_rows
from mlops_assets.ml.data.processing import identified, process
from mlops_assets.ml.data.verdict import Tally, broken_contract, contract_holds
from mlops_assets.ml.evaluation.baseline import prior
from mlops_assets.ml.evaluation.gate import row_losses
from mlops_assets.ml.evaluation.metrics import metrics_of
from mlops_assets.ml.features.build import build_features
from mlops_assets.ml.features.labelled import with_targets
from mlops_assets.ml.file_part import in_memory
from mlops_assets.ml.frames import Split, label_array
from mlops_assets.ml.inference.scoring import Scored, score
from mlops_assets.ml.training.fit import fit, split

_RESAMPLES = 25
_ERRORS = 4.0
"""Standard errors that a version may be worse than the rehearsal."""
_GAIN = 0.25
"""Or this share of what the rehearsal gained on the prior, whichever is more."""
_PERFECT = 0.995
"""The area under the curve, accuracy or R2 that hardly any honest table reaches."""
_TRIED = 32
"""Features that are shuffled one by one."""
_FAR = 0.95
"""An accuracy of the prior from which that says little."""
_LOWER_IS_BETTER = {"log_loss", "rmse"}
LIMITED = {
    "binary": ("roc_auc", "log_loss"),
    "multiclass": ("accuracy", "log_loss"),
    "regression": ("rmse",),
}


class Reached(NamedTuple):
    """One metric of the rehearsal on its held-out rows."""

    value: float
    prior: float
    """Of always giving the usual answer of the training rows."""
    error: float
    """Its standard error, by resampling the rows."""


class Rehearsal(NamedTuple):
    """What became of the draft on the sample."""

    metrics: dict[str, Reached]
    losses: np.ndarray
    """Of each held-out row."""
    train_rows: int
    test_rows: int
    remark: str = ""
    """Of a result that is too good, by the name of the feature that it is owed to."""

    def is_beaten_by(self, other: "Rehearsal") -> bool:
        """Whether the other's mean loss on the same rows is lower by more than a standard error.

        Else the simpler stays: the one-standard-error rule (Breiman et al. 1984, Classification
        and Regression Trees, 3.4.3).
        """
        gain = self.losses - other.losses
        return bool(gain.mean() > gain.std() / np.sqrt(len(gain)))


def rehearse(
    choices: Sequence[ModelSettings], files: Sequence[Path], now: datetime
) -> list[Rehearsal]:
    """Read, check, process and split the rows of the sample; fit and measure each of the choices.

    Args:
        choices: Alike but for what is trained, and how.
        files: The sample.
        now: As of when.

    Raises:
        ConfigError: A step fails; the message says which and why.
    """
    try:
        parts = _rows(choices[0], files, now)
        return [_rehearsal(parts, settings) for settings in choices]
    except ConfigError:
        raise
    except MlopsError as err:
        raise ConfigError(f"a rehearsal on the sample fails: {err}") from err


def candidates(draft: Draft, whole: bool) -> list[dict[str, Any]]:
    """What may be trained: as drafted, and for a flat table linear models and trees beside it.

    Over a part of a long table a linear model is no rival: trees learn more from more rows.
    """
    drafted, task = draft.attributes["training"], draft.attributes["target"]["task"]
    if "aggregates" in draft.attributes["features"]:
        return [drafted]
    others = [LINEAR[task], TREES[task]] if whole else [TREES[task]]
    kept = {"split": drafted["split"]}
    rivals = [one | kept for one in others if one["estimator"] != drafted["estimator"]]
    return [drafted, *rivals]


def choose(
    draft: Draft, choices: Sequence[dict[str, Any]], found: Sequence[Rehearsal]
) -> Rehearsal:
    """Train as drafted, unless a rehearsal of another choice is shown to be better."""
    best = 0
    for at in range(1, len(found)):
        best = at if found[best].is_beaten_by(found[at]) else best
    if best:
        name = choices[0]["estimator"].rpartition(".")[2]
        said = f"shown to be better than {name} on {found[best].test_rows} held-out rows"
        split_said = next(d for d in draft.decisions if d.place == "training.split")
        draft.decisions = [d for d in draft.decisions if not d.place.startswith("training.")]
        draft.attributes["training"] = {}
        draft.decide("training.estimator", choices[best]["estimator"], said)
        draft.attributes["training"] |= choices[best]
        draft.decisions.append(split_said)
    return found[best]


def decide_gate(draft: Draft, rehearsal: Rehearsal | None, task: str) -> None:
    """Add the limits of the gate; none where nothing is shown to beat the prior."""
    primary = LIMITED[task][0]
    remark = "" if rehearsal is None else rehearsal.remark
    draft.decide("evaluation.primary", primary, remark, likely=True, told=bool(remark))
    found = {} if rehearsal is None else _limits(rehearsal, task)
    for name, (bound, limit, said) in found.items():
        draft.decide(f"evaluation.gate.limits.{name}", {bound: limit}, said)
    if not found:
        said = "no limits: a first version must be shown to know more than the prior"
        draft.decide("evaluation.gate", {"against_champion": "non_inferior"}, said)


def _rows(settings: ModelSettings, files: Sequence[Path], now: datetime) -> Split:
    checked = checked_rows(files, settings, now)
    if not contract_holds(Tally.of(checked), settings.contract):
        found = Tally.of(checked)
        raise ConfigError(broken_contract(found, "in the sample", _remedy(found, settings)))
    rows = identified(process(checked.rows, settings.processing), settings, now)
    return split(with_targets(build_features(rows, settings), rows, settings, now), settings)


def _remedy(found: Tally, settings: ModelSettings) -> str:
    """What to do where too many rows break what was inferred of their columns."""
    keys = {settings.key.name: "--entity none ", settings.timestamp: "--time none "}
    names = [rule.rpartition(".")[0] for rule in found.broken]
    name = next((one for one in names if one in settings.contract.columns), "")
    if not name or name == settings.target.name:
        return "correct the source"
    source = settings.contract.source_names[name]
    if "--time" in (option := keys.get(name, "")) and f"{name}.future" in found.broken:
        return "correct the source, or say --time none"
    return f"correct the source, or say {option}--drop {source!r}"


def _rehearsal(parts: Split, settings: ModelSettings) -> Rehearsal:
    task = settings.target.task
    require_classes(parts, settings)
    held_out = Scored.of(fit(parts.train, settings), parts.test, settings)
    actual = label_array(parts.test[settings.target.name], task)
    losses = row_losses(held_out.scores, actual, task, held_out.classes)
    found = _measured(held_out, parts, settings)
    remark = ""
    if (reached := _nearness(found, task)) >= _PERFECT:
        name = _strongest(held_out, actual)
        name = settings.features.dates[name].column if name in settings.features.dates else name
        said = f"a rehearsal reached {reached:.4f} of 1, which is likely a leak by {name!r}"
        remark = f"{said}; leave it out, unless it is known in time"
    return Rehearsal(found, losses, len(parts.train), len(parts.test), remark)


def _nearness(found: dict[str, Reached], task: Task) -> float:
    """The area under the curve, accuracy or R2; 0 where the prior is not far from it."""
    first = found[LIMITED[task][0]]
    if task == "regression":
        return 1 - (first.value / first.prior) ** 2 if first.prior else 0.0
    return first.value if first.prior < _FAR else 0.0


def _strongest(held_out: Scored, actual: np.ndarray) -> str:
    """The feature without whose values, shuffled among the rows, the mean loss is the highest.

    Of many features the half is followed that costs more, as one prediction each takes too long.
    """
    rows, order = in_memory(held_out.features), np.random.default_rng(0).permutation(len(actual))

    def loss(names: list[str]) -> float:
        mixed = rows[names].iloc[order].set_axis(rows.index)
        mixed = pd.concat([rows.drop(columns=names), mixed], axis=1)[rows.columns]
        scores = score(held_out.model, mixed, held_out.task)
        return float(row_losses(scores, actual, held_out.task, held_out.classes).mean())

    names = list(rows.columns)
    while len(names) > _TRIED:
        middle = len(names) // 2
        names = max(names[:middle], names[middle:], key=loss)
    return max(names, key=lambda name: loss([name]))


def _measured(held_out: Scored, parts: Split, settings: ModelSettings) -> dict[str, Reached]:
    target, task = settings.target.name, settings.target.task
    learnt, actual = (label_array(part[target], task) for part in parts)
    constant = np.tile(prior(learnt, task, held_out.classes), (len(actual), 1))
    scores, classes = held_out.scores, held_out.classes
    values = metrics_of(actual, scores, task, classes)
    before = metrics_of(actual, constant, task, classes)
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, len(actual), len(actual)) for _ in range(_RESAMPLES)]
    drawn = [rows for rows in drawn if task == "regression" or len(np.unique(actual[rows])) > 1]
    again = [metrics_of(actual[rows], scores[rows], task, classes) for rows in drawn]
    errors = pd.DataFrame(again).std()
    return {
        name: Reached(values[name], before[name], float(errors[name])) for name in LIMITED[task]
    }


def _limits(rehearsal: Rehearsal, task: str) -> dict[str, tuple[str, float, str]]:
    """Metric -> which bound, where, and why; without those that gained no more than chance may."""
    found = {}
    for name in LIMITED[task]:
        reached = rehearsal.metrics[name]
        gain = reached.value - reached.prior
        sign = -1.0 if name in _LOWER_IS_BETTER else 1.0
        slack = max(_ERRORS * reached.error, _GAIN * sign * gain)
        if not slack < sign * gain:
            continue
        bound = "max" if sign < 0 else "min"
        limit = _shortened(reached.value - sign * slack, up=sign < 0)
        said = (
            f"a rehearsal reached {reached.value:.4g} on {rehearsal.test_rows} rows, the prior "
            f"{reached.prior:.4g}"
        )
        found[name] = (bound, limit, said)
    return found


def _shortened(value: float, *, up: bool) -> float:
    """Three digits, rounded to the lax side."""
    if value == 0:
        return 0.0
    scale = 10.0 ** (np.floor(np.log10(abs(value))) - 2)
    steps = np.ceil(value / scale) if up else np.floor(value / scale)
    return float(f"{steps * scale:.10g}")
