"""What must hold of a live version: its alarms, and that its features are what they were."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key
from mlops_assets.metadata import unless
from mlops_assets.ml.export.parity import read_inference
from mlops_assets.ml.features.agreement import answers_alike, newest_rows
from mlops_assets.ml.frames import TIMESTAMP, select_features
from mlops_assets.ml.inference.model_files import load_estimator
from mlops_assets.ml.inference.scoring import class_names, score
from mlops_assets.records.data import FeatureView
from mlops_assets.records.monitoring import DriftReport, PerformanceReport, SkewSummary
from mlops_assets.records.serving import Endpoint
from resources.champion.aliases import registered
from resources.endpoints.deployer import EndpointDeployer
from resources.feature_store import FeastFeatureStore
from resources.tracking.tracking import MLflowTracking


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
            description=unless(
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
            description=unless(not report.skewed, f"requests were answered with others: {found}"),
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


def version_scores(
    endpoint: Endpoint, rows: pd.DataFrame, settings: ModelSettings, tracking: MLflowTracking
) -> Expected:
    """What scikit-learn says of `rows` by the deployed version's file.

    Raises:
        TrackingError: The registry does not have that version any more.
    """
    version = registered(settings.name, endpoint.model_version, tracking)
    with tempfile.TemporaryDirectory() as folder:
        file = tracking.registry.download_model(version, Path(folder))
        model, allowed = load_estimator(file.read_bytes()), read_inference(file).tolerance
    features, task = select_features(rows, settings.feature_dtypes), settings.target.task
    return Expected(score(model, features, task).tolist(), class_names(model, task), allowed)
