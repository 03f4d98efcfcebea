"""Live predictions: what was answered, how well it was predicted, and what it was made of.

None of these belongs to the training job: they look at what a trained version does.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import ValidationError

from mlops_assets.config import ModelSettings
from mlops_assets.failures import RETRIES, reported
from mlops_assets.keys import asset_key, asset_of
from mlops_assets.ml.documented import Labels, TracedRows
from mlops_assets.records.data import FeatureView, Maturity
from mlops_assets.records.monitoring import (
    LogSummary,
    PerformanceReport,
    PerformanceSummary,
    SkewSummary,
)
from mlops_assets.records.promotion import Promotion
from resources.champion.aliases import registered
from resources.champion.ledger import PromotionLedger
from resources.dagster.signatures import inspected_once
from resources.endpoints.metrics import EndpointMetrics
from resources.feature_store import FeastFeatureStore
from resources.prediction_log.log import PredictionLog
from resources.tracking.tracking import MLflowTracking

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FINAL_FILE = "final_windows.json"
"""Beside a version in the registry: the verdicts on it that do not change any more."""


def build_outcome_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    """`prediction_log`, `processed_data` -> `labels` -> `performance_report`; `skew_report`."""
    log = asset_key(settings.name, "prediction_log")
    monitoring, view = settings.monitoring, FeatureView.of(settings)
    # A window is final when its last label has come, so that long must be looked back at least.
    span = monitoring.window * monitoring.performance.windows + settings.label_delay

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
    def labels(processed: TracedRows, predictions: PredictionLog) -> dg.MaterializeResult[Labels]:
        from mlops_assets.ml.monitoring.outcomes import (
            known_labels,
            known_until,
            predicted_moments,
            rows_until,
        )

        with reported():
            recent = predictions.recent(settings.name, span, monitoring.window)
            asked = predicted_moments(recent, settings)
            rows = processed.rows
            until = known_until(rows, settings, processed.record.checked_at)
            known = known_labels(rows_until(rows, settings, until), asked, settings)
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
        from mlops_assets.ml.monitoring.outcomes import with_outcomes
        from mlops_assets.ml.monitoring.performance import summarize_windows
        from mlops_assets.monitoring.answers import held_out_metrics, judged_answers
        from mlops_assets.monitoring.outcome_facts import performance_gauges, performance_metadata

        with reported():
            recent = predictions.recent(settings.name, span, monitoring.window)
            history = ledger.history(settings.name)
            live = judged_answers(recent, history, settings, tracking)
            joined = with_outcomes(live, known.rows, settings)
            joined["calibrated"] = calibrated(joined, features.rows, settings, tracking)
            now = datetime.now(UTC)
            report = summarize_windows(
                joined,
                settings,
                reference=held_out_metrics(history),
                known_until=known.record.known_until,
                now=now,
                settled=settled_windows(settings.name, history, tracking),
            )
            settle(report, tracking)
            gauges = performance_gauges(report, now)
            metrics.write(settings.name, "performance", gauges)
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
        from mlops_assets.ml.monitoring.skew import compare_features, request_keys, sample_requests
        from mlops_assets.monitoring.answers import served
        from mlops_assets.monitoring.outcome_facts import skew_gauges

        with reported():
            recent = predictions.recent(settings.name, monitoring.window, monitoring.window)
            live = served(recent, ledger.head(settings.name))
            if settings.timestamp is None:  # of an earlier delivery nothing is left to compare with
                live = live[live["features_as_of"] >= feature_store.oldest(view)]
            asked = sample_requests(live, monitoring.skew.sample, seed=len(live))
            keys = request_keys(asked, settings).drop_duplicates()
            rebuilt = feature_store.training_rows(view, keys) if len(keys) else keys
            report = compare_features(asked, rebuilt, settings)
            gauges = skew_gauges(report, settings.features.names, datetime.now(UTC))
            metrics.write(settings.name, "skew", gauges)
        features = {skew.feature: skew.rows for skew in report.skewed}
        metadata = {"requests": report.rows, "skewed_features": len(features)}
        metadata["skewed_rows"] = dg.MetadataValue.json(features)
        return dg.MaterializeResult(value=report, metadata=metadata)

    return [prediction_log, labels, performance_report, *([skew_report] if settings.entity else [])]


def settled_windows(
    model: str, history: Sequence[Promotion], tracking: MLflowTracking
) -> tuple[PerformanceSummary, ...]:
    """The final verdicts on the champion that were given before; they are kept with the version."""
    if not history:
        return ()
    champion = registered(model, history[-1].to_version, tracking)
    text = tracking.run_of(champion).read_text(FINAL_FILE)
    try:
        return PerformanceReport.model_validate_json(text).windows if text else ()
    except ValidationError:  # of another release: given anew
        return ()


def settle(report: PerformanceReport, tracking: MLflowTracking) -> None:
    """Keep the verdicts of a report that are final; `unknown` is none, and late rows may end it."""
    final = tuple(one for one in report.windows if one.final and one.verdict != "unknown")
    if final:
        version = registered(final[0].model, final[0].model_version, tracking)
        kept = PerformanceReport(windows=final).model_dump_json()
        tracking.run_of(version).log_text(FINAL_FILE, kept)


def calibrated(
    live: "pd.DataFrame", rows: "pd.DataFrame", settings: ModelSettings, tracking: MLflowTracking
) -> "np.ndarray":
    """Probability that rows of such scores were positive among the held-out ones; NaN: no binary.

    `live` are predictions of one version, `rows` the features and targets known today.
    """
    import numpy as np

    from mlops_assets.ml.frames import label_array
    from mlops_assets.ml.monitoring.performance import calibration_map
    from mlops_assets.ml.training.fit import split
    from mlops_assets.model_versions.fetched import fetched

    if settings.target.task != "binary" or live.empty:
        return np.full(len(live), np.nan)
    version = registered(settings.name, int(live["model_version"].iloc[0]), tracking)
    test = split(rows, settings).test
    with fetched(version, tracking, settings) as one:
        scores = one.scored(test, settings).scores[:, 0]
    actual = label_array(test[settings.target.name], "binary")
    return calibration_map(scores, actual, live["score"].to_numpy())
