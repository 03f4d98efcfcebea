"""The champion gate between registry and pure functions: fetch, measure, compare, decide, show."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops_assets.config import ModelSettings
from mlops_assets.errors import NotComparableError
from mlops_assets.metadata import rounded
from mlops_assets.ml.champion import compare_models
from mlops_assets.ml.evaluation import evaluate
from mlops_assets.ml.features import TIMESTAMP
from mlops_assets.ml.gate import decide
from mlops_assets.ml.model_files import load_estimator
from mlops_assets.ml.training import Split
from mlops_assets.records.evaluation import Comparison, Evaluation, ModelVersion
from resources.registry import CHAMPION
from resources.tracking import MLflowTracking


def load_version(version: ModelVersion, tracking: MLflowTracking) -> Any:
    """The fitted pipeline of a registered version."""
    with tempfile.TemporaryDirectory() as folder:
        return load_estimator(tracking.download_model(version, Path(folder)).read_bytes())


def judge(
    model: ModelVersion,
    estimator: Any,
    rows: Split,
    settings: ModelSettings,
    tracking: MLflowTracking,
    servable: Mapping[str, float],
) -> Evaluation:
    """Measure a version, compare it with the champion if there is another, and decide.

    A champion whose file cannot be fetched or loaded is an error, not a reason to skip the
    comparison: `against_champion: off` is how to go on without it.

    Args:
        model: The version.
        estimator: Its fitted pipeline.
        rows: What it was trained on, and what it is measured on.
        settings: Of the model.
        tracking: Knows the champion.
        servable: Further facts that `evaluation.gate` may bound, e.g. `size_mb`.
    """
    metrics = evaluate(estimator, rows.test, settings) | dict(servable)
    champion = tracking.version_by_alias(settings.name, CHAMPION)
    comparison, not_compared = None, ""
    if settings.evaluation.gate.against_champion == "off":
        not_compared = "evaluation.gate.against_champion is off"
    elif champion is None:
        not_compared = "there is no champion yet"
    elif champion.version == model.version:
        not_compared = "this version is the champion"
    else:
        try:
            incumbent = load_version(champion, tracking)
            comparison = compare_models(incumbent, estimator, rows.test, settings)
        except NotComparableError as err:
            not_compared = f"the champion {champion.uri} cannot be compared: {err}"
    return Evaluation(
        model=model,
        metrics=metrics,
        train_rows=len(rows.train),
        test_rows=len(rows.test),
        learnt_until=max(part[TIMESTAMP].max() for part in rows).to_pydatetime(),
        champion=champion,
        comparison=comparison,
        not_compared=not_compared,
        decision=decide(metrics, comparison, settings.evaluation.gate),
    )


def compared_metrics(report: Evaluation) -> dict[str, float]:
    """The comparison with the champion as metrics of the challenger's run; none without one."""
    if report.comparison is None:
        return {}
    loss = report.comparison.overall
    return {
        "champion_loss": loss.champion_loss,
        "champion_loss_difference": loss.difference,
        "champion_p_value": loss.p_value,
    }


def facts(report: Evaluation) -> dict[str, Any]:
    """An evaluation as metadata: metrics, what it was compared with, and the decision."""
    shown = {
        "model_uri": report.model.uri,
        "test_rows": report.test_rows,
        **({"learnt_until": report.learnt_until.isoformat()} if report.learnt_until else {}),
        **rounded(report.metrics),
        "champion": report.champion.uri if report.champion else "none",
        "promoted": report.decision.promoted,
        "reasons": "; ".join(report.decision.reasons) or "none",
    }
    if report.comparison is None:
        return {**shown, "not_compared": report.not_compared}
    return {**shown, **_compared(report.comparison)}


def _compared(comparison: Comparison) -> dict[str, Any]:
    loss, calibration = comparison.overall, comparison.calibration
    whole = f"of the champion's {comparison.loss_name}"
    shown: dict[str, Any] = {
        "champion_loss": round(loss.champion_loss, 6),
        "loss_difference": round(loss.difference, 6),
        "loss_difference_interval": f"{_interval(loss.lower, loss.upper)} {whole}",
        "p_value": round(loss.p_value, 6),
        "compared_slices": len(comparison.slices),
        "worse_slices": ", ".join(s.name for s in comparison.slices if s.worse) or "none",
    }
    if calibration is None:
        return shown
    return {
        **shown,
        "miscalibration": round(calibration.challenger, 6),
        "champion_miscalibration": round(calibration.champion, 6),
        "miscalibration_difference_interval": (
            f"{_interval(calibration.lower, calibration.upper)} {whole}"
        ),
    }


def _interval(lower: float | None, upper: float | None) -> str:
    return "not bounded" if lower is None or upper is None else f"{lower:+.2%} to {upper:+.2%}"
