"""Live predictions: what was answered, how well it was predicted, and what it was made of.

None of these belongs to the training job: they look at what a trained version does.
"""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg

from mlops_assets.assets.declared import asset_of
from mlops_assets.config import ModelSettings
from mlops_assets.failures import RETRIES, reported
from mlops_assets.keys import asset_key
from mlops_assets.metadata import named_values
from mlops_assets.ml.documented import Labels, TracedFile
from mlops_assets.records.data import Maturity
from mlops_assets.records.monitoring import (
    LogSummary,
    PerformanceReport,
    SkewSummary,
)
from resources.champion.ledger import PromotionLedger
from resources.dagster.alike import asset
from resources.datasets.versions import DvcDatasets
from resources.endpoints.metrics import EndpointMetrics
from resources.engine import FeatureEngine
from resources.feature_store import FeastFeatureStore
from resources.prediction_log.log import PredictionLog
from resources.tracking.tracking import MLflowTracking

_DAYS_SHOWN = 31


def build_outcome_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    """`prediction_log`, `processed_data` -> `labels` -> `performance_report`; `skew_report`."""
    found = [_prediction_log(settings), _labels(settings), _performance_report(settings)]
    return [*found, *([_skew_report(settings)] if settings.entity else [])]


def _prediction_log(settings: ModelSettings) -> dg.AssetsDefinition:
    @asset(
        **asset_of(settings, "prediction_log"),
        deps=[asset_key(settings.name, "deployed_endpoint")],
        kinds={"parquet"},
        code_version="1",
        retry_policy=RETRIES,
        description="Every acknowledged prediction, in one Parquet file per day of event time.",
    )
    def prediction_log(predictions: PredictionLog) -> dg.MaterializeResult[LogSummary]:
        with reported():
            summary = predictions.compact(settings.name)
            newest = predictions.newest(settings.name)
        metadata = {**log_metadata(summary), "newest": newest.isoformat() if newest else "none"}
        return dg.MaterializeResult(value=summary, metadata=metadata)

    return prediction_log


def log_metadata(summary: LogSummary) -> dict[str, Any]:
    """What the log holds, the newest days as a table, and what the last compaction did."""
    newest = sorted(summary.held.items(), reverse=True)[:_DAYS_SHOWN]
    return {
        "dagster/row_count": sum(summary.held.values()),
        "days": len(summary.held),
        **({"rows_by_day": named_values(dict(newest))} if newest else {}),
        "new_rows": summary.rows,
        **summary.model_dump(include={"torn_lines", "duplicates", "files", "open_files"}),
        "rows_without_their_class": summary.nameless,
    }


def _labels(settings: ModelSettings) -> dg.AssetsDefinition:
    @asset(
        **asset_of(settings, "labels", processed="processed_data"),
        deps=[asset_key(settings.name, "prediction_log")],
        kinds={"pandas"},
        description="The target of each entity and moment that was predicted, where it is known."
        if settings.entity
        else "None: without an `entity` nothing tells what became of a row that was predicted.",
        retry_policy=RETRIES,
        code_version=settings.monitoring.digest(),
    )
    def labels(
        processed: TracedFile,
        engine: FeatureEngine,
        predictions: PredictionLog,
        tracking: MLflowTracking,
        ledger: PromotionLedger,
        datasets: DvcDatasets,
    ) -> dg.MaterializeResult[Labels]:
        from mlops_assets.ml.features.labelled import rows_until
        from mlops_assets.ml.monitoring.outcomes import (
            known_labels,
            known_until,
            predicted_moments,
        )
        from mlops_assets.model_versions.champion.as_trained import (
            RowsAsTrained,
            champion_as_trained,
        )

        with reported():
            then, watched = champion_as_trained(settings, tracking, ledger), settings.monitoring
            recent = predictions.recent(settings.name, then.watched_span, watched.window)
            asked = predicted_moments(recent, then)
            rows = RowsAsTrained(then, settings, datasets).processed(processed)
            until = known_until(rows, then, processed.record.checked_at)
            chosen = engine.of(then, processed.rows.count)
            known = known_labels(rows_until(rows, then, until), asked, then, chosen)
        counts = {"dagster/row_count": len(known), "waiting": len(asked) - len(known)}
        value = Labels(known, Maturity(known_until=until))
        return dg.MaterializeResult(value=value, metadata=counts)

    return labels


def _performance_report(settings: ModelSettings) -> dg.AssetsDefinition:
    @asset(
        **asset_of(settings, "performance_report", known="labels", features="features"),
        deps=[asset_key(settings.name, "prediction_log")],
        kinds={"scikitlearn"},
        description="Metrics of the served version by window: estimated, then measured by labels."
        if settings.entity
        else "Metrics of the served version by window, estimated: to measure them by labels needs "
        "an `entity`.",
        retry_policy=RETRIES,
        code_version=settings.monitoring.digest(),
    )
    def performance_report(
        known: Labels,
        features: TracedFile,
        predictions: PredictionLog,
        ledger: PromotionLedger,
        tracking: MLflowTracking,
        datasets: DvcDatasets,
        metrics: EndpointMetrics,
    ) -> dg.MaterializeResult[PerformanceReport]:
        from mlops_assets.model_versions.champion.as_trained import (
            RowsAsTrained,
            champion_as_trained,
        )
        from mlops_assets.monitoring.outcome_facts import performance_gauges, performance_metadata
        from mlops_assets.monitoring.performance import judged_windows

        with reported():
            now, then = datetime.now(UTC), champion_as_trained(settings, tracking, ledger)
            rows = partial(RowsAsTrained(then, settings, datasets).features, features)
            report = judged_windows(known, rows, then, predictions, ledger, tracking, now)
            metrics.write(settings.name, "performance", performance_gauges(report, now))
        return dg.MaterializeResult(value=report, metadata=performance_metadata(report))

    return performance_report


def _skew_report(settings: ModelSettings) -> dg.AssetsDefinition:
    @asset(
        **asset_of(settings, "skew_report", features="features"),
        deps=[asset_key(settings.name, "prediction_log")],
        kinds={"feast"},
        description="Logged requests against their features rebuilt from the offline store.",
        retry_policy=RETRIES,
        code_version=settings.monitoring.digest(),
    )
    def skew_report(
        features: TracedFile,
        predictions: PredictionLog,
        ledger: PromotionLedger,
        tracking: MLflowTracking,
        datasets: DvcDatasets,
        feature_store: FeastFeatureStore,
        metrics: EndpointMetrics,
    ) -> dg.MaterializeResult[SkewSummary]:
        from mlops_assets.model_versions.champion.as_trained import (
            RowsAsTrained,
            champion_as_trained,
        )
        from mlops_assets.monitoring.outcome_facts import skew_gauges, skew_metadata
        from mlops_assets.monitoring.skew import skew_of_requests

        with reported():
            then = champion_as_trained(settings, tracking, ledger)
            champion = RowsAsTrained(then, settings, datasets)
            report = skew_of_requests(features, champion, predictions, ledger, feature_store)
            gauges = skew_gauges(report, then.features.names, datetime.now(UTC))
            metrics.write(settings.name, "skew", gauges)
        return dg.MaterializeResult(value=report, metadata=skew_metadata(report))

    return skew_report
