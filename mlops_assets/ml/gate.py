"""Whether a challenger may replace the champion: paired losses, one interval, one decision.

Both models score the same held-out rows, so what is tested is the mean of the difference of their
losses row by row, which cancels most of the rows' own noise. The difference is measured as a
fraction of the champion's mean loss, whose interval is Fieller's (1954, J. R. Stat. Soc. B 16):
it allows for the champion's loss being an estimate from the same rows. Its upper end answers every
question: below `margin` is non-inferior (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15; Walker
and Nowacki 2011, J. Gen. Intern. Med. 26), below 0 is superior, each at level `alpha` one-sided.

Rows of one entity are correlated, so variances are those of sums over clusters (Liang and Zeger
1986, Biometrika 73; Miller 2024, arXiv 2411.00640) with a t distribution of clusters - 1 degrees
of freedom. What several entities share, e.g. a storm that delays every flight of a day, is not
covered. No model is scored here: see `ml.champion`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import Task
from mlops_assets.blocks.evaluation import EvaluationSettings, GateSettings
from mlops_assets.errors import NotComparableError
from mlops_assets.ml.evaluation import breaches
from mlops_assets.records.evaluation import Comparison, Decision, LossDifference, SliceComparison

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

    Args:
        scores: (rows, k) as `scoring.score` returns them.
        actual: Targets as `features.label_array` returns them.
        task: Squared error of a regression, else log loss.
        classes: Multiclass: the model's classes in column order, sorted.

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
) -> Comparison:
    """Compare two models by their losses on the same rows.

    Args:
        champion: Loss per row, as `row_losses` returns it.
        challenger: The same of the challenger.
        task: Names the loss.
        settings: Rule, level, margins; with `off` it is compared as `non_inferior`.
        clusters: What rows have in common, e.g. their entity; default every row alone.
        slices: Column -> its value per row; each value with enough rows is compared alone.
    """
    gate, codes = settings.gate, np.arange(len(champion))
    if clusters is not None:
        codes = pd.factorize(clusters)[0]
    margin = 0.0 if gate.against_champion == "superior" else gate.margin
    moments = _moments(champion, challenger, codes)
    overall = _difference(moments, gate.alpha, _p_value(moments.t(margin), moments.clusters))
    return Comparison(
        loss_name=LOSSES[task],
        overall=overall,
        passed=overall.upper is not None and overall.upper < margin,
        slices=_compare_slices(champion, challenger, codes, slices or {}, settings),
    )


def decide(
    metrics: Mapping[str, float], comparison: Comparison | None, gate: GateSettings
) -> Decision:
    """Apply the limits, and the rule against the champion if there is a comparison."""
    reasons = breaches(dict(metrics), gate)
    if comparison is not None and gate.against_champion != "off":
        if not comparison.passed:
            reasons.append(_refusal(comparison, gate))
        reasons += [_slice_refusal(part) for part in comparison.slices if part.worse]
    return Decision(promoted=not reasons, reasons=tuple(reasons))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the given order (Holm 1979, Scand. J. Stat. 6)."""
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


class _Moments(NamedTuple):
    """Means of difference and champion's loss, and the covariance of these two means."""

    rows: int
    clusters: int
    difference: float
    champion: float
    covariance: np.ndarray

    @property
    def identical(self) -> bool:
        """Whether no row differs."""
        return self.difference == 0 and self.covariance[0, 0] == 0

    def t(self, margin: float) -> float:
        """Statistic of difference - margin * champion's loss against 0; NaN: not known."""
        excess = self.difference - margin * self.champion
        if self.identical:
            return -math.inf if margin > 0 else math.nan
        if self.clusters < 2:
            return math.nan
        weights = np.array([1.0, -margin])
        variance = float(weights @ self.covariance @ weights)
        if variance > 0:
            return excess / math.sqrt(variance)
        return math.copysign(math.inf, excess) if excess else math.nan


def _moments(champion: np.ndarray, challenger: np.ndarray, codes: np.ndarray) -> _Moments:
    values = np.column_stack([challenger - champion, champion])
    means, rows = values.mean(axis=0), len(values)
    sums = np.column_stack([np.bincount(codes, weights=column) for column in (values - means).T])
    clusters = int(np.count_nonzero(np.bincount(codes)))
    # Undefined for one cluster, whose sum of deviations is 0.
    correction = clusters / (clusters - 1) if clusters > 1 else 1.0
    covariance = sums.T @ sums / rows**2 * correction
    return _Moments(rows, clusters, float(means[0]), float(means[1]), covariance)


def _difference(moments: _Moments, alpha: float, p_value: float) -> LossDifference:
    lower, upper = _interval(moments, alpha)
    known = moments.clusters > 1 or moments.identical
    return LossDifference(
        rows=moments.rows,
        clusters=moments.clusters,
        champion_loss=moments.champion,
        challenger_loss=moments.champion + moments.difference,
        standard_error=math.sqrt(moments.covariance[0, 0]) if known else None,
        lower=lower,
        upper=upper,
        p_value=p_value,
    )


def _interval(moments: _Moments, alpha: float) -> tuple[float | None, float | None]:
    """Fieller's interval of difference / champion's loss: the margins that no test rejects."""
    if moments.identical:
        return 0.0, 0.0
    if moments.clusters < 2:
        return None, None
    from scipy.special import stdtrit

    squared = float(stdtrit(moments.clusters - 1, 1 - alpha)) ** 2
    difference, champion, covariance = moments.difference, moments.champion, moments.covariance
    a = champion**2 - squared * covariance[1, 1]
    b = difference * champion - squared * covariance[0, 1]
    c = difference**2 - squared * covariance[0, 0]
    if a <= 0:  # the champion's own loss is not known to be above 0
        return None, None
    half = math.sqrt(max(0.0, b * b - a * c))
    return float((b - half) / a), float((b + half) / a)


def _p_value(t: float, clusters: int) -> float:
    """Chance of a statistic this low; 1 if it is not known."""
    if math.isnan(t):
        return 1.0
    if math.isinf(t):
        return float(t > 0)
    from scipy.special import stdtr  # not scipy.stats, which takes ten times as long to import

    return float(stdtr(clusters - 1, t))


def _compare_slices(
    champion: np.ndarray,
    challenger: np.ndarray,
    codes: np.ndarray,
    slices: Mapping[str, np.ndarray],
    settings: EvaluationSettings,
) -> tuple[SliceComparison, ...]:
    """A slice is worse once shown to be, unlike the whole, which must be shown not to be."""
    parts = [
        (f"{column}={value}", _moments(champion[mask], challenger[mask], codes[mask]))
        for column, values in slices.items()
        for value, mask in _masks(values)
        if mask.sum() >= settings.min_slice_rows
    ]
    alpha, margin = settings.gate.alpha, settings.slice_margin
    p_values = [_p_value(-moments.t(margin), moments.clusters) for _, moments in parts]
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
    found = [(_label(v), (texts == v).to_numpy()) for v in sorted(texts.dropna().unique())]
    return [*found, ("missing", column.isna().to_numpy())]


def _label(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


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
