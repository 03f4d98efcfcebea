"""How well a live version predicts: measured once its labels came, estimated until then.

Measured: the metrics of `ml.evaluation.metrics` that the logged scores allow. A window counts as
degraded when its mean loss is shown, by a one-sided z test, to be more than `tolerance` above the
held-out loss, when promised and observed totals differ by more than chance and `calibration` allow,
or when a limit of the gate is broken. The calibration test is Spiegelhalter's in its simplest form:
under a calibrated model the positives are a sum of independent Bernoulli draws (Spiegelhalter 1986,
Stat. Med. 5).

Estimated: confidence-based performance estimation (CBPE of NannyML; Bialek, Kuberski, Perrakis and
Bifet 2024, arXiv:2401.08348): the expected metric if every row is positive with its calibrated
probability. It sees a shift of the features, never a change of what they mean (concept drift); that
is what the labels are waited for.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import Task
from mlops_assets.blocks.monitoring import PerformanceSettings
from mlops_assets.config import ModelSettings
from mlops_assets.ml.evaluation.gate import LOSSES, row_losses
from mlops_assets.ml.evaluation.metrics import breaches, metrics_of
from mlops_assets.ml.frames import label_array
from mlops_assets.records.monitoring import PerformanceReport, PerformanceSummary, Window

LIVE_LOSSES: dict[Task, str] = {**LOSSES, "multiclass": "share of errors"}
"""What the mean of a window is compared by."""


def summarize_windows(
    rows: pd.DataFrame,
    settings: ModelSettings,
    *,
    reference: Mapping[str, float],
    known_until: datetime | None,
    now: datetime,
    settled: Sequence[PerformanceSummary] = (),
) -> PerformanceReport:
    """Judge the newest windows that are over, `monitoring.window` long from the UTC epoch on.

    The arguments are those of `summarize`, `rows` of any number of whole windows. Final verdicts of
    earlier reports on the same version are `settled`: they stay as they are.

    Returns:
        `monitoring.performance.windows` that are final, and as many that wait for labels.
    """
    length, most = settings.monitoring.window, settings.monitoring.performance.windows
    starts = rows["event_time"].astype("datetime64[ns, UTC]").dt.floor(pd.Timedelta(length))
    over = rows.groupby(starts[starts + length <= now])["features_as_of"].max()
    until = pd.Timestamp(known_until) if known_until is not None else pd.NaT
    kept = {summary.window.start: summary for summary in settled}
    final = (over + settings.label_delay <= until) | over.index.isin(list(kept))
    chosen = [*over.index[final][-most:], *over.index[~final][-most:]]
    windows = []
    for start in sorted(moment.to_pydatetime() for moment in chosen):
        window, ours = Window(start=start, end=start + length), rows[starts == start]
        windows.append(
            kept.get(start)
            or summarize(ours, window, settings, reference=reference, known_until=known_until)
        )
    return PerformanceReport(windows=tuple(windows))


def summarize(
    rows: pd.DataFrame,
    window: Window,
    settings: ModelSettings,
    *,
    reference: Mapping[str, float],
    known_until: datetime | None,
) -> PerformanceSummary:
    """Judge one window of one version's predictions.

    Args:
        rows: Of `ml.monitoring.outcomes.with_outcomes`: `score`, `label` (NaN: not known),
            `features_as_of`; for an estimate also `calibrated`, the probability of the positive
            class.
        window: Which the rows are of.
        settings: Of the model.
        reference: Metrics of the version on its held-out rows; empty if nobody measured them.
        known_until: Of `outcomes.known_until`; None: no label is known.

    Returns:
        Final once every label that can come has come; `unknown` before, and with fewer labelled
        rows than `monitoring.performance.min_rows`.
    """
    task = settings.target.task
    labelled = rows[rows["label"].notna() & _said(rows, task)]
    due = rows["features_as_of"] + settings.label_delay
    final = known_until is not None and bool((due <= known_until).all())
    estimated = {}
    if task == "binary" and len(rows) and "calibrated" in rows and rows["calibrated"].notna().all():
        estimated = estimate(rows["score"].to_numpy(), rows["calibrated"].to_numpy())
    summary = PerformanceSummary(
        model=settings.name,
        model_version=int(rows["model_version"].iloc[0]) if len(rows) else 0,
        window=window,
        rows=len(rows),
        labelled_rows=len(labelled),
        final=final,
        verdict="unknown",
        estimated=estimated,
        reference=dict(reference),
    )
    if not final or len(labelled) < settings.monitoring.performance.min_rows:
        return summary
    metrics, reasons = _judge(labelled, settings, reference)
    verdict = "degraded" if reasons else "good"
    update = {"metrics": metrics, "reasons": tuple(reasons), "verdict": verdict}
    return summary.model_copy(update=update)


def _said(rows: pd.DataFrame, task: Task) -> pd.Series:
    """Whether it is known what was predicted: of a version that is gone, no class's name may be."""
    if task == "multiclass" and "predicted" in rows:
        return rows["predicted"].notna()
    return pd.Series(True, index=rows.index)


def _judge(
    labelled: pd.DataFrame, settings: ModelSettings, reference: Mapping[str, float]
) -> tuple[dict[str, float], list[str]]:
    """Metrics of labelled rows, and a sentence per way in which they are worse than promised."""
    rules, task = settings.monitoring.performance, settings.target.task
    actual, scores = label_array(labelled["label"], task), labelled[["score"]].to_numpy()
    reasons: list[str] = []
    if task == "multiclass":  # the log holds the likeliest class of a row, not all probabilities
        losses = (labelled["predicted"].to_numpy() != actual.astype(str)).astype(np.float64)
        metrics = {"accuracy": float(1 - losses.mean())}
        held_out = 1 - reference["accuracy"] if "accuracy" in reference else None
    else:
        losses, metrics = row_losses(scores, actual, task), _metrics(scores, actual, task)
        name = "rmse" if task == "regression" else "log_loss"
        held_out = reference.get(name)
        if held_out is not None and task == "regression":
            held_out **= 2
    if held_out is not None:
        reasons += _lost(losses, held_out, LIVE_LOSSES[task], rules)
    if task == "binary":
        reasons += _miscalibrated(scores[:, 0], actual, rules)
    limits = {n: x for n, x in settings.evaluation.gate.limits.items() if n in metrics}
    gate = settings.evaluation.gate.model_copy(update={"limits": limits})
    return metrics, [*reasons, *breaches(metrics, gate)]


def _metrics(scores: np.ndarray, actual: np.ndarray, task: Task) -> dict[str, float]:
    """All metrics of the task, without those that need both classes where there is one only."""
    if task == "regression" or len(np.unique(actual)) > 1:
        return metrics_of(actual, scores, task)
    positive = scores[:, 0]
    return {
        "log_loss": float(row_losses(scores, actual, task).mean()),
        "brier": float(np.mean((positive - actual) ** 2)),
        "accuracy": float(np.mean((positive >= 0.5) == actual)),
    }


def estimate(scores: np.ndarray, calibrated: np.ndarray) -> dict[str, float]:
    """Expected metrics of a binary model if each row is positive with its calibrated probability.

    Returns:
        `log_loss`, `brier`, `accuracy`, `calibration_ratio`, and `roc_auc` where it is defined.
    """
    epsilon = np.finfo(np.float64).eps
    p = np.clip(scores, epsilon, 1 - epsilon)
    loss = -(calibrated * np.log(p) + (1 - calibrated) * np.log(1 - p))
    found = {
        "log_loss": float(loss.mean()),
        "brier": float(np.mean(calibrated * (1 - p) ** 2 + (1 - calibrated) * p**2)),
        "accuracy": float(np.mean(np.where(p >= 0.5, calibrated, 1 - calibrated))),
    }
    if calibrated.sum() > 0:
        found["calibration_ratio"] = float(p.sum() / calibrated.sum())
    if (area := _expected_roc_auc(scores, calibrated)) is not None:
        found["roc_auc"] = area
    return found


def calibration_map(scores: np.ndarray, actual: np.ndarray, new_scores: np.ndarray) -> np.ndarray:
    """Probabilities of `new_scores` by isotonic regression on held-out scores and outcomes.

    Zadrozny and Elkan 2002, KDD. All three of shape (rows,).
    """
    from sklearn.isotonic import IsotonicRegression  # 6 CPU s

    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, actual)
    return np.asarray(fitted.predict(new_scores), dtype=np.float64)


def _expected_roc_auc(scores: np.ndarray, calibrated: np.ndarray) -> float | None:
    """Area under the curve of expected true and false positives; ties count half."""
    values, group = np.unique(scores, return_inverse=True)
    positive = np.bincount(group, weights=calibrated, minlength=len(values))
    negative = np.bincount(group, weights=1 - calibrated, minlength=len(values))
    if positive.sum() == 0 or negative.sum() == 0:
        return None
    below = np.cumsum(negative) - negative / 2
    return float((positive * below).sum() / (positive.sum() * negative.sum()))


def _lost(losses: np.ndarray, held_out: float, name: str, rules: PerformanceSettings) -> list[str]:
    """Whether the mean loss is shown to be more than `tolerance` above the held-out one."""
    excess = losses.mean() - held_out * (1 + rules.tolerance)
    error = losses.std(ddof=1) / math.sqrt(len(losses))
    if excess <= 0 or (error > 0 and _upper_tail(excess / error) > rules.alpha):
        return []
    return [
        f"{name} {losses.mean():.4g} on {len(losses)} labelled rows is more than "
        f"{rules.tolerance:.0%} above the {held_out:.4g} of the held-out rows"
    ]


def _miscalibrated(scores: np.ndarray, actual: np.ndarray, rules: PerformanceSettings) -> list[str]:
    """Whether promised and observed positives differ by more than `calibration` and chance."""
    promised, observed = float(scores.sum()), int(actual.sum())
    spread = math.sqrt(float((scores * (1 - scores)).sum()))
    low, high = promised / (1 + rules.calibration), promised * (1 + rules.calibration)
    beyond = max(low - observed, observed - high)
    if beyond <= 0 or (spread > 0 and _upper_tail(beyond / spread) > rules.alpha):
        return []
    return [
        f"{observed} of {len(actual)} rows were positive, {promised:.1f} were promised: more than "
        f"{rules.calibration:.0%} apart"
    ]


def _upper_tail(z: float) -> float:
    return 0.5 * math.erfc(z / math.sqrt(2))
