"""What must hold of a live version: its alarms, and that its features are what they were."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key, pool
from mlops_assets.metadata import holds_without
from mlops_assets.ml.documented import TracedFile
from mlops_assets.records.data import FeatureView
from mlops_assets.records.evaluation import ModelVersion
from mlops_assets.records.monitoring import DriftReport, PerformanceReport, SkewSummary
from mlops_assets.records.serving import Endpoint
from resources.champion.aliases import registered
from resources.dagster.alike import asset_check
from resources.endpoints.deployer import EndpointDeployer
from resources.feature_store import FeastFeatureStore
from resources.tracking.tracking import MLflowTracking

if TYPE_CHECKING:
    import pandas as pd


def build_outcome_checks(settings: ModelSettings) -> list[dg.AssetChecksDefinition]:
    """What is asked of a model once it is live; none of them stops the serving."""
    by_id = (_served_features_equal_offline, _performance_has_not_degraded)
    return [
        _live_equals_offline(settings),
        *(build(settings) for build in by_id if settings.entity),
        _features_have_not_drifted(settings),
    ]


def _live_equals_offline(settings: ModelSettings) -> dg.AssetChecksDefinition:
    asked = "entities" if settings.entity else "rows"

    @asset_check(
        asset=asset_key(settings.name, "deployed_endpoint"),
        pool=pool(settings.name),
        additional_ins={"features": dg.AssetIn(asset_key(settings.name, "features"))},
        blocking=True,
        description=f"By {'entity id' if settings.entity else 'features'}, the endpoint answers "
        "what the model says of offline features.",
    )
    def live_equals_offline(
        endpoint: Endpoint,
        features: TracedFile,
        feature_store: FeastFeatureStore,
        tracking: MLflowTracking,
        deployment: EndpointDeployer,
    ) -> dg.AssetCheckResult:
        live = deployment.status(settings.name) or endpoint  # after a rollback it is another
        version = registered(settings.name, live.model_version, tracking)
        offline = _newest_offline(features, settings, feature_store)
        different = _answered_otherwise(offline, version, settings, tracking, deployment)
        return holds_without(
            different,
            f"for the {asked} {different} the endpoint does not answer what the model says of "
            "their offline features; see its log",
            **{asked: len(offline)},
            different=", ".join(different) or "none",
        )

    return live_equals_offline


def _newest_offline(
    features: TracedFile, settings: ModelSettings, feature_store: FeastFeatureStore
) -> "pd.DataFrame":
    """The newest rows, as many as one request may have, as the offline store knows them."""
    from mlops_assets.ml.features.agreement import newest_rows
    from mlops_assets.ml.frames import TIMESTAMP
    from mlops_assets.ml.training.many_rows.labelled import all_rows

    # Without an entity nothing is looked up, and nothing expires.
    expires = settings.entity is not None and settings.features.clock == "wall"
    view, now = FeatureView.of(settings), datetime.now(UTC) if expires else None
    rows = all_rows(features.rows, settings)
    newest = newest_rows(rows, view, now).tail(settings.deployment.max_rows)
    return feature_store.training_rows(view, newest[[view.key.name, TIMESTAMP]])


def _answered_otherwise(
    offline: "pd.DataFrame",
    version: ModelVersion,
    settings: ModelSettings,
    tracking: MLflowTracking,
    deployment: EndpointDeployer,
) -> list[str]:
    """The keys of those rows to which the endpoint does not answer what the version says."""
    from mlops_assets.ml.export.parity import read_inference
    from mlops_assets.ml.features.agreement import answers_alike
    from mlops_assets.ml.file_part import in_memory
    from mlops_assets.ml.frames import feature_rows
    from mlops_assets.ml.inference.scoring import class_names
    from mlops_assets.model_versions.fetched import fetched

    with fetched(version, tracking, settings) as one:
        allowed, said = read_inference(one.file).tolerance, one.scored(offline, settings)
    names = class_names(said.model, said.task)
    keys = offline[settings.key.name].tolist()
    if settings.entity is None:
        sent = feature_rows(in_memory(said.features))
        answers = deployment.predict_features(settings.name, sent, logged=False)
    else:
        answers = deployment.predict(settings.name, keys, logged=False)
    asked = zip(keys, answers, said.scores.tolist(), strict=True)
    return [
        str(who)
        for who, answer, scores in asked
        if not answers_alike(answer, scores, allowed, names)
    ]


def _served_features_equal_offline(settings: ModelSettings) -> dg.AssetChecksDefinition:
    @asset_check(
        asset=asset_key(settings.name, "skew_report"),
        pool=pool(settings.name),
        blocking=True,
        description="Live requests were answered with the features that training would see.",
    )
    def served_features_equal_offline(report: SkewSummary) -> dg.AssetCheckResult:
        found = "; ".join(f"{s.feature}: {s.rows} rows, {s.example}" for s in report.skewed)
        said = f"requests were answered with others: {found}"
        return holds_without(report.skewed, said, requests=report.rows, skewed=found or "none")

    return served_features_equal_offline


def _performance_has_not_degraded(settings: ModelSettings) -> dg.AssetChecksDefinition:
    @asset_check(
        asset=asset_key(settings.name, "performance_report"),
        pool=pool(settings.name),
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

    return performance_has_not_degraded


def _features_have_not_drifted(settings: ModelSettings) -> dg.AssetChecksDefinition:
    @asset_check(
        asset=asset_key(settings.name, "drift_report"),
        pool=pool(settings.name),
        description="No watched feature, nor the predictions, moved away from the reference.",
    )
    def features_have_not_drifted(report: DriftReport) -> dg.AssetCheckResult:
        newest = report.newest
        return dg.AssetCheckResult(
            passed=newest.verdict != "drifted" and not newest.broken_columns,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"verdict": newest.verdict, "reasons": "; ".join(newest.reasons) or "none"},
        )

    return features_have_not_drifted
