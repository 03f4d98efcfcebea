"""Outcomes of live predictions: their labels, how well they were predicted, and what they were fed.

None of these belongs to the training job: they look at what a trained version does.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from mlops_assets.assets.answers import held_out_metrics, judged_answers, registered, served
from mlops_assets.assets.gate import load_version
from mlops_assets.config import ModelSettings
from mlops_assets.failures import RETRIES, reported
from mlops_assets.keys import asset_key
from mlops_assets.metadata import markdown_table, pictures, rounded
from mlops_assets.ml.features import label_array
from mlops_assets.ml.outcomes import known_labels, label_delay, predicted_moments, with_outcomes
from mlops_assets.ml.performance import calibration_map, summarize_windows
from mlops_assets.ml.performance_plot import performance_plot
from mlops_assets.ml.scoring import score, select_features
from mlops_assets.ml.skew import compare_features, request_keys, sample_requests
from mlops_assets.ml.training import split
from mlops_assets.records.data import FeatureView
from mlops_assets.records.monitoring import PerformanceReport, PerformanceSummary, SkewSummary
from resources.feature_store import FeastFeatureStore
from resources.ledger import PromotionLedger
from resources.metrics import EndpointMetrics, Gauge
from resources.predictions import PredictionLog
from resources.tracking import MLflowTracking


def build_outcome_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    """`prediction_log`, `processed_data` -> `labels` -> `performance_report`; `skew_report`."""
    log = asset_key(settings.name, "prediction_log")
    monitoring, view = settings.monitoring, FeatureView.of(settings)
    # A window is final when its last label has come, so that long must be looked back at least.
    span = monitoring.window * monitoring.performance.windows + label_delay(settings)
    common: dict[str, Any] = {
        "group_name": settings.name,
        "owners": list(settings.owners),
        "retry_policy": RETRIES,
        "code_version": monitoring.digest(),
    }

    @dg.asset(
        key=asset_key(settings.name, "labels"),
        ins={"rows": dg.AssetIn(asset_key(settings.name, "processed_data"))},
        deps=[log],
        kinds={"pandas"},
        description="The target of each entity and moment that was predicted, where it is known.",
        **common,
    )
    def labels(rows: pd.DataFrame, predictions: PredictionLog) -> dg.MaterializeResult:
        with reported():
            asked = predicted_moments(predictions.recent(settings.name, span), settings)
            known = known_labels(rows, asked, settings)
        known.attrs["known_until"] = rows[settings.timestamp].max().isoformat()
        counts = {"dagster/row_count": len(known), "waiting": len(asked) - len(known)}
        return dg.MaterializeResult(value=known, metadata=counts)

    @dg.asset(
        key=asset_key(settings.name, "performance_report"),
        ins={
            "known": dg.AssetIn(asset_key(settings.name, "labels")),
            "rows": dg.AssetIn(asset_key(settings.name, "features")),
        },
        deps=[log],
        kinds={"scikitlearn"},
        description="Metrics of the served version by window: estimated, then measured by labels.",
        **common,
    )
    def performance_report(
        known: pd.DataFrame,
        rows: pd.DataFrame,
        predictions: PredictionLog,
        ledger: PromotionLedger,
        tracking: MLflowTracking,
        metrics: EndpointMetrics,
    ) -> dg.MaterializeResult[PerformanceReport]:
        with reported():
            recent = predictions.recent(settings.name, span)
            history = ledger.history(settings.name)
            live = judged_answers(recent, history, settings, tracking)
            joined = with_outcomes(live, known, settings)
            joined["calibrated"] = calibrated(joined, rows, settings, tracking)
            report = summarize_windows(
                joined,
                settings,
                reference=held_out_metrics(history),
                known_until=datetime.fromisoformat(known.attrs["known_until"]),
            )
            gauges = performance_gauges(report, datetime.now(UTC))
            metrics.write(settings.name, "performance", gauges)
        return dg.MaterializeResult(value=report, metadata=describe(report))

    @dg.asset(
        key=asset_key(settings.name, "skew_report"),
        deps=[log, asset_key(settings.name, "features")],
        kinds={"feast"},
        description="Logged requests against their features rebuilt from the offline store.",
        **common,
    )
    def skew_report(
        predictions: PredictionLog,
        ledger: PromotionLedger,
        feature_store: FeastFeatureStore,
        metrics: EndpointMetrics,
    ) -> dg.MaterializeResult[SkewSummary]:
        with reported():
            recent = predictions.recent(settings.name, monitoring.window)
            live = served(recent, ledger.head(settings.name))
            asked = sample_requests(live, monitoring.skew.sample, seed=len(live))
            keys = request_keys(asked, settings).drop_duplicates()
            rebuilt = feature_store.training_rows(view, keys) if len(keys) else keys
            report = compare_features(asked, rebuilt, settings)
            metrics.write(settings.name, "skew", skew_gauges(report, settings.features.names))
        features = {skew.feature: skew.rows for skew in report.skewed}
        metadata = {"requests": report.rows, "skewed_features": len(features), **features}
        return dg.MaterializeResult(value=report, metadata=metadata)

    return [labels, performance_report, skew_report]


def calibrated(
    live: pd.DataFrame,
    rows: pd.DataFrame,
    settings: ModelSettings,
    tracking: MLflowTracking,
) -> np.ndarray:
    """Probability that rows of such scores were positive among the held-out ones; NaN: no binary.

    `live` are predictions of one version, `rows` the features and targets known today.
    """
    if settings.target.task != "binary" or live.empty:
        return np.full(len(live), np.nan)
    version = registered(settings, int(live["model_version"].iloc[0]), tracking)
    test = split(rows, settings).test
    features = select_features(test, settings.feature_dtypes)
    scores = score(load_version(version, tracking), features, "binary")[:, 0]
    actual = label_array(test[settings.target.name], "binary")
    return calibration_map(scores, actual, live["score"].to_numpy())


def performance_gauges(report: PerformanceReport, now: datetime) -> list[Gauge]:
    """The newest final window beside the held-out rows, and the newest estimate."""
    final, values = report.newest_final, {}
    for kind, found in (
        ("measured", final.metrics if final else {}),
        ("held_out", report.windows[-1].reference if report.windows else {}),
        ("estimated", report.windows[-1].estimated if report.windows else {}),
    ):
        values |= {(metric, kind): value for metric, value in found.items()}
    degraded = float(final is not None and final.verdict == "degraded")
    return [
        Gauge(
            name="model_performance",
            help="Metrics of the served version: measured by labels, estimated, and held out.",
            labels=("metric", "kind"),
            values=values,
        ),
        Gauge(
            name="model_performance_degraded",
            help="1: the newest window with all its labels was predicted worse than promised.",
            values={(): degraded},
        ),
        Gauge(
            name="model_performance_last_run_timestamp_seconds",
            help="When performance was last looked at.",
            values={(): now.timestamp()},
        ),
    ]


def skew_gauges(report: SkewSummary, names: Iterable[str]) -> list[Gauge]:
    """Share of requests whose feature the offline store knows otherwise, 0 for the others."""
    shares = {skew.feature: skew.rows / report.rows for skew in report.skewed}
    return [
        Gauge(
            name="model_feature_skew_ratio",
            help="Share of sampled requests whose feature the offline store knows otherwise.",
            labels=("feature",),
            values={(name,): shares.get(name, 0.0) for name in names},
        )
    ]


def describe(report: PerformanceReport) -> dict[str, Any]:
    """A report as metadata: the newest verdict, every window as a table, and a plot."""
    newest = report.newest_final
    facts: dict[str, Any] = {"windows": len(report.windows)}
    if newest is not None:
        facts |= {"verdict": newest.verdict, **rounded(newest.metrics)}
        facts["reasons"] = "; ".join(newest.reasons) or "none"
        facts["summary"] = dg.MetadataValue.json(newest.model_dump(mode="json"))
    if report.windows:
        labelled = {w.window.start.isoformat(): w.labelled_rows for w in report.windows}
        facts["labelled"] = dg.MetadataValue.json(labelled)
        facts["estimate"] = dg.MetadataValue.json(report.windows[-1].model_dump(mode="json"))
        facts["by_window"] = markdown_table(pd.DataFrame([_row(w) for w in report.windows]))
        facts |= pictures({"performance": performance_plot(report)})
    return facts


def _row(summary: PerformanceSummary) -> dict[str, Any]:
    name = "log_loss" if "log_loss" in {**summary.estimated, **summary.metrics} else "rmse"
    return {
        "window": summary.window.start.isoformat(),
        "rows": summary.rows,
        "labelled": summary.labelled_rows,
        "verdict": summary.verdict if summary.final else "waiting for labels",
        f"estimated {name}": round(summary.estimated.get(name, float("nan")), 4),
        name: round(summary.metrics.get(name, float("nan")), 4),
    }
