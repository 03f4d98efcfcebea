"""The champion gate between registry and pure functions: fetch, measure, compare, decide, show."""

from typing import Any, NamedTuple

from mlops_assets.config import ModelSettings
from mlops_assets.errors import NotComparableError
from mlops_assets.metadata import rounded
from mlops_assets.ml.evaluation.champion import compare_models
from mlops_assets.ml.evaluation.verdict import verdict
from mlops_assets.ml.file_part import Part
from mlops_assets.ml.frames import TIMESTAMP, Split
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.model_versions.champion.as_trained import as_trained
from mlops_assets.model_versions.champion.features import champion_features
from mlops_assets.model_versions.fetched import FetchedVersion, fetched
from mlops_assets.records.data import Origin
from mlops_assets.records.evaluation import Comparison, Evaluation, ModelVersion
from resources.champion.aliases import champion_of
from resources.champion.ledger import PromotionLedger
from resources.champion.rollbacks import hold_against
from resources.datasets.versions import DvcDatasets
from resources.tracking.tracking import MLflowTracking


class Against(NamedTuple):
    """Where the champion is found, and what its features of the held-out rows are made of."""

    tracking: MLflowTracking
    ledger: PromotionLedger
    datasets: DvcDatasets
    origin: Origin
    """Of the rows that are held out."""


def judge(
    candidate: FetchedVersion,
    held_out: Scored,
    rows: Split,
    settings: ModelSettings,
    against: Against,
) -> Evaluation:
    """Measure a version, compare it with the champion if there is another, and decide.

    Refused is also what a rollback gave up, or what is made of the same data, code and settings.
    `held_out` is what the version says of the rows that it is measured on.
    """
    tracking, ledger = against.tracking, against.ledger
    model, servable = candidate.version, candidate.facts(rows.test, settings)
    champion = champion_of(settings.name, tracking, ledger)
    comparison, not_compared = None, "there is no champion yet"
    if champion:
        comparison, not_compared = _compare(model, held_out, champion, rows.test, settings, against)
    elif ledger.head(settings.name):
        not_compared = "the champion was deleted from the registry"
    hold = hold_against(model, ledger.history(settings.name), tracking)
    further = [hold.said(model.version)] if hold else []
    found = verdict(held_out, rows, settings, comparison, servable, further)
    return Evaluation(
        model=model,
        metrics=found.metrics,
        train_rows=len(rows.train),
        test_rows=len(rows.test),
        learnt_until=max(part[TIMESTAMP].max() for part in rows).to_pydatetime(),
        champion=champion,
        comparison=comparison,
        not_compared=not_compared,
        baseline=found.baseline,
        files=candidate.digests,
        decision=found.decision,
    )


def _compare(
    model: ModelVersion,
    held_out: Scored,
    champion: ModelVersion,
    test: Part,
    settings: ModelSettings,
    against: Against,
) -> tuple[Comparison | None, str]:
    """The comparison with the champion, or why there is none.

    A champion whose file cannot be fetched or loaded is an error, not a reason to skip the
    comparison: `against_champion: off` is how to go on without it.
    """
    if settings.evaluation.gate.against_champion == "off":
        return None, "evaluation.gate.against_champion is off"
    if champion.version == model.version:
        return None, "this version is the champion"
    tracking, own = against.tracking, None
    then = as_trained(champion, settings, tracking)
    try:
        if then.computed_by != settings.computed_by:
            own = champion_features(test, then, settings, against.origin, against.datasets)
        with fetched(champion, tracking, settings) as incumbent:
            return compare_models(incumbent.estimator, held_out, test, settings, own), ""
    except NotComparableError as err:
        instead = "evaluation.gate.limits" if settings.evaluation.gate.limits else "the prior"
        said = f"the champion {champion.uri} cannot be compared: {err}"
        return None, f"{said}; the version was held against {instead} alone"


def compared_metrics(report: Evaluation) -> dict[str, float]:
    """The comparisons with prior and champion as metrics of the version's run."""
    prior = {"prior_loss": report.baseline.prior_loss} if report.baseline else {}
    if report.comparison is None:
        return prior
    loss = report.comparison.overall
    return {
        **prior,
        "champion_loss": loss.champion_loss,
        "champion_loss_difference": loss.difference,
        "champion_p_value": loss.p_value,
    }


def facts(report: Evaluation) -> dict[str, Any]:
    """Of an evaluation, for people: metrics, and what it was compared with."""
    shown = {"test_rows": report.test_rows, **rounded(report.metrics)}
    if prior := report.baseline:
        said = {"loss": prior.loss, "prior_loss": prior.prior_loss, "prior_p_value": prior.p_value}
        shown |= {name: round(value, 6) for name, value in said.items()}
    if report.comparison is None:
        return {**shown, "not_compared": report.not_compared}
    return {**shown, **_compared(report.comparison)}


def _compared(comparison: Comparison) -> dict[str, Any]:
    loss, calibration = comparison.overall, comparison.calibration
    whole = f"of the champion's {comparison.loss_name}"
    shown: dict[str, Any] = {
        "champion_loss": round(loss.champion_loss, 6),
        "loss_difference": round(loss.difference, 6),
        "loss_interval": f"{_interval(loss.lower, loss.upper)} {whole}",
        "p_value": round(loss.p_value, 6),
        "compared_slices": len(comparison.slices),
        "worse_slices": ", ".join(s.name for s in comparison.slices if s.worse) or "none",
    }
    if calibration is not None:
        between = _interval(calibration.lower, calibration.upper)
        shown |= {
            "miscalibration": round(calibration.challenger, 6),
            "champion_miscalibration": round(calibration.champion, 6),
            "miscalibration_interval": f"{between} {whole}",
        }
    return shown


def _interval(lower: float | None, upper: float | None) -> str:
    return "not bounded" if lower is None or upper is None else f"{lower:+.2%} to {upper:+.2%}"
