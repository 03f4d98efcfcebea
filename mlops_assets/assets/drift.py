"""Drift: what the served version was fed and answered, against a reference."""

from datetime import UTC, datetime
from functools import partial

import dagster as dg
from pydantic import Field

from mlops_assets.assets.declared import asset_of
from mlops_assets.config import ModelSettings
from mlops_assets.failures import RETRIES, reported
from mlops_assets.keys import asset_key
from mlops_assets.ml.documented import TracedFile
from mlops_assets.records.evaluation import ModelVersion
from mlops_assets.records.files import PROFILE_FILE
from mlops_assets.records.monitoring import DriftReport
from mlops_assets.records.profile import Profile
from resources.champion.ledger import PromotionLedger
from resources.dagster.alike import asset
from resources.datasets.versions import DvcDatasets
from resources.endpoints.metrics import EndpointMetrics
from resources.prediction_log.log import PredictionLog
from resources.reports import EvidentlyReports
from resources.tracking.tracking import MLflowTracking


class PageConfig(dg.Config):
    """What a run may ask of `drift_report`."""

    all_columns: bool = Field(
        default=False, description="Evidently draws every column, not only those that drifted."
    )


def build_drift_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    """`evaluation_report` -> `reference_profile`; with `prediction_log` -> `drift_report`."""
    return [_reference_profile(settings), _drift_report(settings)]


def _reference_profile(settings: ModelSettings) -> dg.AssetsDefinition:
    ages = settings.monitoring.drift.ageing

    @asset(
        **asset_of(settings, "reference_profile", features="features", model="trained_model"),
        deps=[asset_key(settings.name, "evaluation_report")],  # what is refused needs none
        kinds={"pandas", "mlflow"},
        code_version="-".join(["3", *(f"{n} {per}" for n, per in ages.items())]),
        description="How the held-out rows and their predictions are distributed; kept with the "
        "version.",
        retry_policy=RETRIES,
    )
    def reference_profile(
        features: TracedFile, model: ModelVersion, tracking: MLflowTracking
    ) -> dg.MaterializeResult[Profile]:
        from mlops_assets.monitoring.drift_facts import reference_metadata
        from mlops_assets.monitoring.live_window import held_out_profile

        with reported():
            found = held_out_profile(features.rows, model, settings, tracking)
            text = found.model_dump_json()
            tracking.run_of(model).log_text(PROFILE_FILE, text)
        metadata = {"size_bytes": len(text.encode()), **reference_metadata(found, settings.titles)}
        return dg.MaterializeResult(value=found, metadata=metadata)

    return reference_profile


def _drift_report(settings: ModelSettings) -> dg.AssetsDefinition:
    rules = settings.monitoring.drift

    @asset(
        **asset_of(settings, "drift_report", features="features"),
        deps=[asset_key(settings.name, "prediction_log")],
        kinds={"evidently"},
        code_version=rules.digest(),
        description="Features and predictions of the newest complete windows against the version's "
        "profile, or earlier windows of their season.",
        retry_policy=RETRIES,
    )
    def drift_report(
        config: PageConfig,
        features: TracedFile,
        predictions: PredictionLog,
        ledger: PromotionLedger,
        tracking: MLflowTracking,
        metrics: EndpointMetrics,
        reports: EvidentlyReports,
        datasets: DvcDatasets,
    ) -> dg.MaterializeResult[DriftReport]:
        from mlops_assets.model_versions.champion.as_trained import (
            RowsAsTrained,
            champion_as_trained,
        )
        from mlops_assets.monitoring.drift_facts import drift_gauges, drift_metadata, page_link
        from mlops_assets.monitoring.live_window import draw, newest_findings

        with reported():
            now, then = datetime.now(UTC), champion_as_trained(settings, tracking, ledger)
            *older, seen = newest_findings(then, predictions, ledger, tracking, now)
            metrics.write(settings.name, "drift", drift_gauges(seen.finding, now))
            summaries = [one.finding.summary for one in (*older, seen)]
            facts = drift_metadata(seen.finding, rules, summaries, then.titles)
            if columns := seen.finding.columns_to_draw(everything=config.all_columns):
                rows = partial(RowsAsTrained(then, settings, datasets).features, features)
                page = partial(draw, seen, columns, rows, then, predictions, tracking, reports)
                facts["evidently"] = page_link(page)
        return dg.MaterializeResult(value=DriftReport(windows=tuple(summaries)), metadata=facts)

    return drift_report
