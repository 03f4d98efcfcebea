"""Quality gates that look at an asset after it was materialized.

`contract_holds` and `no_row_was_lost` are not here: they stand with their assets, since they must
fail before the previous value is replaced.
"""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import numpy as np
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key
from mlops_assets.metadata import rounded
from mlops_assets.ml.export.parity import read_inference
from mlops_assets.ml.features.agreement import answers_alike, newest_rows
from mlops_assets.ml.frames import TIMESTAMP, select_features
from mlops_assets.ml.inference.model_files import load_estimator, untrusted_types
from mlops_assets.ml.inference.scoring import class_names, score
from mlops_assets.records.data import DatasetVersion, FeatureView
from mlops_assets.records.evaluation import Evaluation, ModelVersion
from mlops_assets.records.monitoring import DriftReport, PerformanceReport, SkewSummary
from mlops_assets.records.serving import Endpoint
from resources.champion.aliases import reconcile, registered
from resources.champion.ledger import PromotionLedger
from resources.datasets import DvcDatasets
from resources.endpoints.deployer import EndpointDeployer
from resources.feature_store import FeastFeatureStore
from resources.tracking.tracking import MLflowTracking


def build_asset_checks(settings: ModelSettings) -> list[dg.AssetChecksDefinition]:
    """The gates of one model; a blocking one stops everything downstream in the run."""
    view = FeatureView.of(settings)

    @dg.asset_check(
        asset=asset_key(settings.name, "raw_data"),
        blocking=True,
        description="The version can be read again from the cache, byte for byte.",
    )
    def version_is_in_the_cache(raw: DatasetVersion, datasets: DvcDatasets) -> dg.AssetCheckResult:
        damaged = datasets.damaged_files(raw)
        return dg.AssetCheckResult(
            passed=not damaged,
            description=_unless(not damaged, f"{damaged} are damaged in the cache; run again"),
            metadata={"damaged": ", ".join(damaged) or "none"},
        )

    @dg.asset_check(
        asset=asset_key(settings.name, "features"),
        blocking=True,
        description="Serving would read the same values online as training reads offline.",
    )
    def online_equals_offline(
        rows: pd.DataFrame, feature_store: FeastFeatureStore
    ) -> dg.AssetCheckResult:
        names = [settings.entity.name, TIMESTAMP, *view.features]
        offline = newest_rows(rows, view)[names]
        online = feature_store.online_rows(view, offline[settings.entity.name].tolist())
        finest = feature_store.resolution(view)
        different = unequal_columns(at(finest, offline), at(finest, online[names]))
        return dg.AssetCheckResult(
            passed=not different,
            description=_unless(
                not different,
                f"the online store has other values of {different} than the offline store for the "
                f"newest {len(offline)} entities; see that both are written by this run alone",
            ),
            metadata={
                "entities": len(offline),
                "different_columns": ", ".join(different) or "none",
            },
        )

    @dg.asset_check(
        asset=asset_key(settings.name, "trained_model"),
        blocking=True,
        description="The registered file holds only types of our allow-list.",
    )
    def model_is_safe_to_load(model: ModelVersion, tracking: MLflowTracking) -> dg.AssetCheckResult:
        with tempfile.TemporaryDirectory() as folder:
            file = tracking.download_model(model, Path(folder))
            unknown = untrusted_types(file.read_bytes())
            size = file.stat().st_size
        return dg.AssetCheckResult(
            passed=not unknown,
            description=_unless(
                not unknown,
                f"the file holds {unknown}, off the allow-list; choose an estimator "
                "and encoders of scikit-learn",
            ),
            metadata={"unknown_types": ", ".join(unknown) or "none", "size_bytes": size},
        )

    @dg.asset_check(
        asset=asset_key(settings.name, "evaluation_report"),
        blocking=True,
        description="Every metric is within `evaluation.gate.limits`, or without limits the "
        "version knows more than the prior; against the champion, if there is one, the rule "
        "`evaluation.gate.against_champion` holds; no rollback holds against the version.",
    )
    def model_passes_the_gate(report: Evaluation) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(
            passed=report.decision.promoted,
            description=_unless(
                report.decision.promoted,
                f"version {report.model.version} is refused: {'; '.join(report.decision.reasons)}",
            ),
            metadata={
                "reasons": "; ".join(report.decision.reasons) or "none",
                "champion": report.champion.uri if report.champion else "none",
                "not_compared": report.not_compared or "compared",
                **rounded(report.metrics),
            },
        )

    @dg.asset_check(
        asset=asset_key(settings.name, "deployed_endpoint"),
        description="The endpoint is up and serves the champion of the ledger.",
    )
    def endpoint_is_live(
        endpoint: Endpoint, deployment: EndpointDeployer, ledger: PromotionLedger
    ) -> dg.AssetCheckResult:
        found, head = deployment.status(settings.name), ledger.head(settings.name)
        served = found.model_version if found else 0
        champion = head.to_version if head else endpoint.model_version
        return dg.AssetCheckResult(
            passed=served == champion,
            metadata={"url": endpoint.url, "served_version": served, "champion": champion},
        )

    @dg.asset_check(
        asset=asset_key(settings.name, "deployed_endpoint"),
        description="Nobody moved the aliases in the registry by hand; moved ones are put back.",
    )
    def alias_follows_the_ledger(
        tracking: MLflowTracking, ledger: PromotionLedger
    ) -> dg.AssetCheckResult:
        edits = reconcile(settings.name, tracking=tracking, ledger=ledger)
        head = ledger.head(settings.name)
        found = [f"{name}: {was}, ledger: {says}" for name, (was, says) in edits.items()]
        return dg.AssetCheckResult(
            passed=not edits,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "edited": "; ".join(found) or "none",
                "champion": head.to_version if head else 0,
            },
        )

    return [
        version_is_in_the_cache,
        online_equals_offline,
        model_is_safe_to_load,
        model_passes_the_gate,
        endpoint_is_live,
        alias_follows_the_ledger,
    ]


def build_outcome_checks(settings: ModelSettings) -> list[dg.AssetChecksDefinition]:
    """What is asked of a model once it is live; none of them stops the serving."""
    view = FeatureView.of(settings)

    @dg.asset_check(
        asset=asset_key(settings.name, "deployed_endpoint"),
        additional_ins={"rows": dg.AssetIn(asset_key(settings.name, "features"))},
        blocking=True,
        description="By entity id, the endpoint answers what the model says of offline features.",
    )
    def live_equals_offline(
        endpoint: Endpoint,
        rows: pd.DataFrame,
        feature_store: FeastFeatureStore,
        tracking: MLflowTracking,
        deployment: EndpointDeployer,
    ) -> dg.AssetCheckResult:
        now = datetime.now(UTC) if settings.features.clock == "wall" else None
        newest = newest_rows(rows, view, now)[[settings.entity.name, TIMESTAMP]]
        offline = feature_store.training_rows(view, newest)
        live = deployment.status(settings.name) or endpoint  # after a rollback it is another
        expected = version_scores(live, offline, settings, tracking)
        entities = offline[settings.entity.name].tolist()
        answers = deployment.predict(settings.name, entities, logged=False)
        asked = zip(entities, answers, expected.scores, strict=True)
        different = [
            str(who)
            for who, said, scores in asked
            if not answers_alike(said, scores, expected.allowed, expected.classes)
        ]
        return dg.AssetCheckResult(
            passed=not different,
            description=_unless(
                not different,
                f"for the entities {different} the endpoint does not answer what "
                "the model says of their offline features; see its log",
            ),
            metadata={"entities": len(answers), "different": ", ".join(different) or "none"},
        )

    @dg.asset_check(
        asset=asset_key(settings.name, "skew_report"),
        blocking=True,
        description="Live requests were answered with the features that training would see.",
    )
    def served_features_equal_offline(report: SkewSummary) -> dg.AssetCheckResult:
        found = "; ".join(f"{s.feature}: {s.rows} rows, {s.example}" for s in report.skewed)
        return dg.AssetCheckResult(
            passed=not report.skewed,
            description=_unless(not report.skewed, f"requests were answered with others: {found}"),
            metadata={"requests": report.rows, "skewed": found or "none"},
        )

    @dg.asset_check(
        asset=asset_key(settings.name, "performance_report"),
        description="The newest window whose labels are complete was predicted as promised.",
    )
    def performance_has_not_degraded(report: PerformanceReport) -> dg.AssetCheckResult:
        newest = report.newest_final
        verdict = newest.verdict if newest else "unknown"
        reasons = "; ".join(newest.reasons) if newest else "no window has all its labels yet"
        return dg.AssetCheckResult(
            passed=verdict != "degraded",
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"verdict": verdict, "reasons": reasons or "none"},
        )

    @dg.asset_check(
        asset=asset_key(settings.name, "drift_report"),
        description="No watched feature, nor the predictions, moved away from the reference.",
    )
    def features_have_not_drifted(report: DriftReport) -> dg.AssetCheckResult:
        newest = report.newest
        return dg.AssetCheckResult(
            passed=newest.verdict != "drifted" and not newest.broken_columns,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"verdict": newest.verdict, "reasons": "; ".join(newest.reasons) or "none"},
        )

    return [
        live_equals_offline,
        served_features_equal_offline,
        performance_has_not_degraded,
        features_have_not_drifted,
    ]


class Expected(NamedTuple):
    """What scikit-learn says of some rows."""

    scores: list[list[float]]
    """A list for each row."""
    classes: tuple[str, ...]
    """Of a multiclass model, in the order of the scores; else empty."""
    allowed: float
    """How far the endpoint may be from it, which depends on its runtime."""


def _unless(passed: bool, said: str) -> str | None:
    """What a check says when it fails."""
    return None if passed else said


def version_scores(
    endpoint: Endpoint, rows: pd.DataFrame, settings: ModelSettings, tracking: MLflowTracking
) -> Expected:
    """What scikit-learn says of `rows` by the deployed version's file.

    Raises:
        TrackingError: The registry does not have that version any more.
    """
    version = registered(settings.name, endpoint.model_version, tracking)
    with tempfile.TemporaryDirectory() as folder:
        file = tracking.download_model(version, Path(folder))
        model, allowed = load_estimator(file.read_bytes()), read_inference(file).tolerance
    features, task = select_features(rows, settings.feature_dtypes), settings.target.task
    return Expected(score(model, features, task).tolist(), class_names(model, task), allowed)


def at(resolution: timedelta, rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` with their moments rounded down to what a store keeps."""
    return rows.assign(**{TIMESTAMP: rows[TIMESTAMP].dt.floor(pd.Timedelta(resolution))})


def unequal_columns(left: pd.DataFrame, right: pd.DataFrame) -> list[str]:
    """Columns of two frames of the same rows whose values differ; all if the lengths do."""
    if len(left) != len(right):
        return list(left.columns)
    return [name for name in left.columns if not _same(left[name], right[name])]


def _same(left: pd.Series, right: pd.Series) -> bool:
    both_missing = left.isna().to_numpy() & right.isna().to_numpy()
    return bool(np.all(both_missing | (left.to_numpy() == right.to_numpy())))
