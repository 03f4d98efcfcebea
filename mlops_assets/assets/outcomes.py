"""Live predictions: what was answered, how well it was predicted, and what it was made of.

None of these belongs to the training job: they look at what a trained version does.
"""

from datetime import UTC, datetime

import dagster as dg

from mlops_assets.config import ModelSettings
from mlops_assets.failures import RETRIES, reported
from mlops_assets.keys import asset_key, asset_of
from mlops_assets.ml.documented import Labels, TracedRows
from mlops_assets.records.data import Maturity
from mlops_assets.records.monitoring import (
    LogSummary,
    PerformanceReport,
    SkewSummary,
)
from resources.champion.ledger import PromotionLedger
from resources.dagster.signatures import inspected_once
from resources.endpoints.metrics import EndpointMetrics
from resources.engine import FeatureEngine
from resources.feature_store import FeastFeatureStore
from resources.prediction_log.log import PredictionLog
from resources.tracking.tracking import MLflowTracking


def build_outcome_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    """`prediction_log`, `processed_data` -> `labels` -> `performance_report`; `skew_report`."""
    log = asset_key(settings.name, "prediction_log")
    monitoring = settings.monitoring

    @dg.asset(
        **asset_of(settings, "prediction_log"),
        deps=[asset_key(settings.name, "deployed_endpoint")],
        kinds={"parquet"},
        code_version="1",
        retry_policy=RETRIES,
        description="Every acknowledged prediction, in one Parquet file per day of event time.",
    )
    @inspected_once
    def prediction_log(predictions: PredictionLog) -> dg.MaterializeResult[LogSummary]:
        with reported():
            summary = predictions.compact(settings.name)
        counts = {"rows", "torn_lines", "duplicates", "files", "open_files"}
        metadata = summary.model_dump(include=counts)
        metadata["rows_without_their_class"] = summary.nameless
        metadata["newest"] = summary.newest.isoformat() if summary.newest else "none"
        return dg.MaterializeResult(value=summary, metadata=metadata)

    @dg.asset(
        **asset_of(settings, "labels", processed="processed_data"),
        deps=[log],
        kinds={"pandas"},
        description="The target of each entity and moment that was predicted, where it is known."
        if settings.entity
        else "None: without an `entity` nothing tells what became of a row that was predicted.",
        retry_policy=RETRIES,
        code_version=monitoring.digest(),
    )
    @inspected_once
    def labels(
        processed: TracedRows, engine: FeatureEngine, predictions: PredictionLog
    ) -> dg.MaterializeResult[Labels]:
        from mlops_assets.ml.features.labelled import rows_until
        from mlops_assets.ml.monitoring.outcomes import (
            known_labels,
            known_until,
            predicted_moments,
        )

        with reported():
            recent = predictions.recent(settings.name, settings.watched_span, monitoring.window)
            asked = predicted_moments(recent, settings)
            rows = processed.rows
            until = known_until(rows, settings, processed.record.checked_at)
            chosen = engine.of(settings, len(rows))
            known = known_labels(rows_until(rows, settings, until), asked, settings, chosen)
        counts = {"dagster/row_count": len(known), "waiting": len(asked) - len(known)}
        value = Labels(known, Maturity(known_until=until))
        return dg.MaterializeResult(value=value, metadata=counts)

    @dg.asset(
        **asset_of(settings, "performance_report", known="labels", features="features"),
        deps=[log],
        kinds={"scikitlearn"},
        description="Metrics of the served version by window: estimated, then measured by labels."
        if settings.entity
        else "Metrics of the served version by window, estimated: to measure them by labels needs "
        "an `entity`.",
        retry_policy=RETRIES,
        code_version=monitoring.digest(),
    )
    @inspected_once
    def performance_report(
        known: Labels,
        features: TracedRows,
        predictions: PredictionLog,
        ledger: PromotionLedger,
        tracking: MLflowTracking,
        metrics: EndpointMetrics,
    ) -> dg.MaterializeResult[PerformanceReport]:
        from mlops_assets.monitoring.outcome_facts import performance_gauges, performance_metadata
        from mlops_assets.monitoring.performance import judged_windows

        with reported():
            now = datetime.now(UTC)
            report = judged_windows(
                known, features.rows, settings, predictions, ledger, tracking, now
            )
            metrics.write(settings.name, "performance", performance_gauges(report, now))
        return dg.MaterializeResult(value=report, metadata=performance_metadata(report))

    @dg.asset(
        **asset_of(settings, "skew_report"),
        deps=[log, asset_key(settings.name, "features")],
        kinds={"feast"},
        description="Logged requests against their features rebuilt from the offline store.",
        retry_policy=RETRIES,
        code_version=monitoring.digest(),
    )
    @inspected_once
    def skew_report(
        predictions: PredictionLog,
        ledger: PromotionLedger,
        feature_store: FeastFeatureStore,
        metrics: EndpointMetrics,
    ) -> dg.MaterializeResult[SkewSummary]:
        from mlops_assets.monitoring.outcome_facts import skew_gauges
        from mlops_assets.monitoring.skew import skew_of_requests

        with reported():
            report = skew_of_requests(settings, predictions, ledger, feature_store)
            gauges = skew_gauges(report, settings.features.names, datetime.now(UTC))
            metrics.write(settings.name, "skew", gauges)
        features = {skew.feature: skew.rows for skew in report.skewed}
        metadata = {"requests": report.rows, "skewed_features": len(features)}
        metadata["skewed_rows"] = dg.MetadataValue.json(features)
        return dg.MaterializeResult(value=report, metadata=metadata)

    return [prediction_log, labels, performance_report, *([skew_report] if settings.entity else [])]
