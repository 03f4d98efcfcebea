"""Whether a challenger may replace the champion: paired losses, one interval, one decision.

Both models score the same held-out rows, so what is tested is the mean of the difference of their
losses row by row, which cancels most of the rows' own noise (`ml.evaluation.paired`). The upper end
of its interval answers every question: below `margin` is non-inferior (Schuirmann 1987, J.
Pharmacokinet. Biopharm. 15; Walker and Nowacki 2011, J. Gen. Intern. Med. 26), below 0 is superior,
each at level `alpha` one-sided. Of the loss, the part that is miscalibration
(`ml.evaluation.calibration`) has a rule of its own, and so have slices: they are refused once shown
to be worse. No model is scored here: see `ml.evaluation.champion`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import Task
from mlops_assets.blocks.evaluation import EvaluationSettings, GateSettings
from mlops_assets.errors import NotComparableError
from mlops_assets.ml.evaluation.metrics import breaches
from mlops_assets.ml.evaluation.paired import Moments, holm
from mlops_assets.records.evaluation import (
    CalibrationComparison,
    Comparison,
    GateDecision,
    LossDifference,
    SliceComparison,
)

LOSSES: dict[Task, str] = {
    "binary": "log loss",
    "multiclass": "log loss",
    "regression": "squared error",
}
_MOST_VALUES = 10


def row_losses(
    scores: np.ndarray, actual: np.ndarray, task: Task, classes: Sequence[object] = ()
) -> np.ndarray:
    """Loss of every row; the means are the metrics `log_loss` and `rmse` squared.

    `scores`, (rows, k), and the sorted `classes` are those of a `Scored`, `actual` a `label_array`.

    Raises:
        NotComparableError: A score is not finite, or a class has no column.
    """
    if not np.isfinite(scores).all():
        raise NotComparableError("it predicts values that are not finite")
    if task == "regression":
        return (scores[:, 0] - actual) ** 2
    if task == "binary":
        of_actual = np.where(actual == 1, scores[:, 0], 1 - scores[:, 0])
    else:
        names = np.asarray(classes)
        if unknown := sorted(set(actual.tolist()) - set(names.tolist())):
            raise NotComparableError(f"it does not know the classes {unknown}")
        of_actual = scores[np.arange(len(actual)), np.searchsorted(names, actual)]
    epsilon = np.finfo(np.float64).eps  # where scikit-learn's log_loss clips
    return -np.log(np.clip(of_actual, epsilon, 1 - epsilon))


def compare(
    champion: np.ndarray,
    challenger: np.ndarray,
    *,
    task: Task,
    settings: EvaluationSettings,
    clusters: np.ndarray | None = None,
    slices: Mapping[str, np.ndarray] | None = None,
    miscalibration: tuple[np.ndarray, np.ndarray] | None = None,
) -> Comparison:
    """Compare two models by their losses on the same rows, with `off` as by `non_inferior`.

    Rows of one cluster, e.g. an entity, are not independent; by default every row stands alone.
    Each value of the columns `slices` that has enough rows is compared alone.
    """
    gate, codes = settings.gate, np.arange(len(champion))
    if clusters is not None:
        codes = pd.factorize(clusters)[0]
    margin = 0.0 if gate.against_champion == "superior" else gate.margin
    moments = Moments.of(champion, challenger - champion, codes)
    overall = _difference(moments, gate.alpha, moments.p_below(margin))
    return Comparison(
        loss_name=LOSSES[task],
        overall=overall,
        passed=overall.upper is not None and overall.upper < margin,
        slices=_compare_slices(champion, challenger, codes, slices or {}, settings),
        calibration=_compare_calibration(champion, miscalibration, codes, gate)
        if miscalibration
        else None,
    )


def decide(
    metrics: Mapping[str, float],
    comparison: Comparison | None,
    gate: GateSettings,
    further: Sequence[str] = (),
) -> GateDecision:
    """Apply the limits and the rule against a champion; `further` reasons are found by others."""
    reasons = [*breaches(dict(metrics), gate), *further]
    if comparison is not None and gate.against_champion != "off":
        if not comparison.passed:
            reasons.append(_refusal(comparison, gate))
        if comparison.calibration and comparison.calibration.worse:
            reasons.append(_calibration_refusal(comparison, comparison.calibration, gate))
        reasons += [_slice_refusal(part) for part in comparison.slices if part.worse]
    return GateDecision(promoted=not reasons, reasons=tuple(reasons))


def _difference(moments: Moments, alpha: float, p_value: float) -> LossDifference:
    lower, upper = moments.interval(alpha)
    return LossDifference(
        rows=moments.rows,
        clusters=moments.clusters,
        champion_loss=moments.champion,
        challenger_loss=moments.champion + moments.difference,
        standard_error=moments.standard_error,
        lower=lower,
        upper=upper,
        p_value=p_value,
    )


def _compare_calibration(
    champion: np.ndarray,
    excess: tuple[np.ndarray, np.ndarray],
    codes: np.ndarray,
    gate: GateSettings,
) -> CalibrationComparison:
    moments = Moments.of(champion, excess[1] - excess[0], codes)
    lower, upper = moments.interval(gate.alpha)
    p_value = moments.p_above(gate.calibration_margin)
    return CalibrationComparison(
        champion=float(excess[0].mean()),
        challenger=float(excess[1].mean()),
        lower=lower,
        upper=upper,
        p_value=p_value,
        worse=p_value <= gate.alpha,
    )


def _compare_slices(
    champion: np.ndarray,
    challenger: np.ndarray,
    codes: np.ndarray,
    slices: Mapping[str, np.ndarray],
    settings: EvaluationSettings,
) -> tuple[SliceComparison, ...]:
    """A slice is worse once shown to be, unlike the whole, which must be shown not to be."""
    difference = challenger - champion
    parts = [
        (f"{column}={value}", Moments.of(champion[mask], difference[mask], codes[mask]))
        for column, values in slices.items()
        for value, mask in _masks(values)
        if mask.sum() >= settings.min_slice_rows
    ]
    alpha, margin = settings.gate.alpha, settings.slice_margin
    p_values = [moments.p_above(margin) for _, moments in parts]
    return tuple(
        SliceComparison(
            name=name,
            loss=_difference(moments, alpha, p_value),
            adjusted_p_value=adjusted,
            worse=adjusted <= alpha,
        )
        for (name, moments), p_value, adjusted in zip(parts, p_values, holm(p_values), strict=True)
    )


def _masks(values: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Each value and its rows, the missing ones last; numbers of many values by quarter."""
    column = pd.Series(values)
    if pd.api.types.is_float_dtype(column) and column.nunique() > _MOST_VALUES:
        column = pd.qcut(column, 4, duplicates="drop")
    texts = column.astype(object).where(column.notna(), None)
    found = [
        (f"{value:g}" if isinstance(value, float) else str(value), (texts == value).to_numpy())
        for value in sorted(texts.dropna().unique())
    ]
    return [*found, ("missing", column.isna().to_numpy())]


def _refusal(comparison: Comparison, gate: GateSettings) -> str:
    loss, name = comparison.overall, comparison.loss_name
    rule = f"against_champion: {gate.against_champion}"
    if loss.difference == 0 and loss.standard_error == 0:
        return f"{rule}: the {name} equals the champion's on all {loss.rows} rows, without a gain"
    measured = (
        f"{rule}: {name} {loss.challenger_loss:.4g} against the champion's "
        f"{loss.champion_loss:.4g} is {spelled(loss.relative)}"
    )
    if loss.upper is None:
        return f"{measured}, and {loss.rows} rows are too few to bound that; hold out more rows"
    superior = gate.against_champion == "superior"
    needed = "only a lower loss passes" if superior else f"the margin is {gate.margin:.2%}"
    bound = f"and may be {spelled(loss.upper)} at {1 - gate.alpha:.0%} confidence"
    return f"{measured}, {bound}; {needed}"


def _calibration_refusal(
    comparison: Comparison, found: CalibrationComparison, gate: GateSettings
) -> str:
    return (
        f"calibration: miscalibration costs {found.challenger:.4g} of {comparison.loss_name}, the "
        f"champion {found.champion:.4g} on the same rows; the difference is more than "
        f"{gate.calibration_margin:.2%} of the champion's {comparison.overall.champion_loss:.4g} "
        f"(p {found.p_value:.2g})"
    )


def _slice_refusal(part: SliceComparison) -> str:
    loss = part.loss
    return (
        f"slice {part.name} ({loss.rows} rows): loss {loss.challenger_loss:.4g} against the "
        f"champion's {loss.champion_loss:.4g} is {spelled(loss.relative)}, more than "
        f"evaluation.slice_margin allows (adjusted p {part.adjusted_p_value:.2g})"
    )


def spelled(relative: float) -> str:
    """`2.31% worse` or `0.40% better`."""
    return f"{abs(relative):.2%} {'worse' if relative > 0 else 'better'}"
