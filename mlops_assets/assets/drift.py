"""Drift: what the served version was fed and answered, against its reference profile."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import dagster as dg
import pandas as pd
from pydantic import Field, ValidationError

from mlops_assets.assets.answers import served
from mlops_assets.assets.gate import load_version
from mlops_assets.config import ModelSettings
from mlops_assets.errors import ReportError, TrackingError
from mlops_assets.failures import RETRIES, reported
from mlops_assets.keys import asset_key
from mlops_assets.metadata import markdown_table, pictures
from mlops_assets.ml.drift import distance, summarize
from mlops_assets.ml.drift_plot import columns_plot, drift_plot
from mlops_assets.ml.prediction_log import FEATURE
from mlops_assets.ml.profiles import PREDICTION, profile, profile_reference
from mlops_assets.ml.scoring import FeatureDtypes, score, select_features
from mlops_assets.ml.training import split
from mlops_assets.records.evaluation import ModelVersion
from mlops_assets.records.monitoring import DriftSummary, Window
from mlops_assets.records.profile import Profile
from resources.ledger import PromotionLedger
from resources.metrics import EndpointMetrics, Gauge
from resources.predictions import PredictionLog
from resources.reports import EvidentlyReports
from resources.tracking import MLflowTracking

PROFILE_FILE = "reference_profile.json"


class PageConfig(dg.Config):
    """What a run may ask of `drift_report`."""

    all_columns: bool = Field(
        default=False, description="Evidently draws every column, not only those that drifted."
    )


def build_drift_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    """`evaluation_report` -> `reference_profile`; with `prediction_log` -> `drift_report`."""
    common: dict[str, Any] = {
        "group_name": settings.name,
        "owners": list(settings.owners),
        "retry_policy": RETRIES,
    }

    @dg.asset(
        key=asset_key(settings.name, "reference_profile"),
        ins={
            "rows": dg.AssetIn(asset_key(settings.name, "features")),
            "model": dg.AssetIn(asset_key(settings.name, "trained_model")),
        },
        deps=[asset_key(settings.name, "evaluation_report")],  # what is refused needs none
        kinds={"pandas", "mlflow"},
        code_version="2",
        description="How the held-out rows and their predictions are distributed; kept with the "
        "version.",
        **common,
    )
    def reference_profile(
        rows: pd.DataFrame, model: ModelVersion, tracking: MLflowTracking
    ) -> dg.MaterializeResult[Profile]:
        with reported():
            columns = held_out_columns(rows, model, settings, tracking)
            found = profile_reference(columns, settings.feature_dtypes)
            tracking.log_text(model, PROFILE_FILE, found.model_dump_json())
        size = len(found.model_dump_json())
        return dg.MaterializeResult(value=found, metadata={"rows": found.rows, "size_bytes": size})

    @dg.asset(
        key=asset_key(settings.name, "drift_report"),
        ins={"rows": dg.AssetIn(asset_key(settings.name, "features"))},
        deps=[asset_key(settings.name, "prediction_log")],
        kinds={"evidently"},
        code_version=settings.monitoring.drift.digest(),
        description="Features and predictions of the newest window against the version's profile.",
        **common,
    )
    def drift_report(
        config: PageConfig,
        rows: pd.DataFrame,
        predictions: PredictionLog,
        ledger: PromotionLedger,
        tracking: MLflowTracking,
        metrics: EndpointMetrics,
        reports: EvidentlyReports,
    ) -> dg.MaterializeResult[DriftSummary]:
        with reported():
            live = newest_predictions(settings, predictions, ledger)
            version = served_version(settings, tracking, ledger)
            reference = stored_profile(version, tracking)
            bins = {name: column.bins for name, column in reference.columns.items()}
            current = profile(live.columns, bins)
            summary = summarize(reference, current, settings, version.version, live.window)
            metrics.write(settings.name, "drift", drift_gauges(summary, datetime.now(UTC)))
            facts = describe(summary, reference, current, settings)
            drawn = tuple(reference.columns) if config.all_columns else summary.drifted_columns
            if drawn:
                held_out = held_out_columns(rows, version, settings, tracking)
                page = partial(reports.render, summary, drawn, held_out, live.columns)
                facts["evidently"] = page_link(page, settings.feature_dtypes)
        return dg.MaterializeResult(value=summary, metadata=facts)

    return [reference_profile, drift_report]


def held_out_columns(
    rows: pd.DataFrame, model: ModelVersion, settings: ModelSettings, tracking: MLflowTracking
) -> pd.DataFrame:
    """Features of the held-out rows and what the version says of them."""
    features = select_features(split(rows, settings).test, settings.feature_dtypes)
    scores = score(load_version(model, tracking), features, settings.target.task)
    return features.assign(**{PREDICTION: scores.max(axis=1)})


class Live(NamedTuple):
    """The newest window of the served version: its columns as a reference profile names them."""

    window: Window
    columns: pd.DataFrame


def newest_predictions(
    settings: ModelSettings, predictions: PredictionLog, ledger: PromotionLedger
) -> Live:
    """The window that holds the newest prediction; windows are aligned to the UTC epoch."""
    length, epoch = settings.monitoring.window, datetime.fromtimestamp(0, UTC)
    newest = predictions.newest(settings.name) or datetime.now(UTC)
    start = epoch + (newest - epoch) // length * length
    window = Window(start=start, end=start + length)
    logged = predictions.read(settings.name, window.start, window.end)
    names = {f"{FEATURE}{name}": name for name in settings.features.names}
    columns = served(logged, ledger.head(settings.name)).rename(columns=names)
    return Live(window, columns.rename(columns={"score": PREDICTION}))


def served_version(
    settings: ModelSettings, tracking: MLflowTracking, ledger: PromotionLedger
) -> ModelVersion:
    """The champion as the registry knows it.

    Raises:
        TrackingError: There is none yet, or the registry does not have it any more.
    """
    head = ledger.head(settings.name)
    version = tracking.version(settings.name, head.to_version) if head else None
    if version is None:
        number = head.to_version if head else "at all"
        raise TrackingError(
            f"no version {number} of {settings.name} is registered; deploy one first: "
            f"`mlops run {settings.name}`"
        )
    return version


def stored_profile(version: ModelVersion, tracking: MLflowTracking) -> Profile:
    """The profile that was kept with a version.

    Raises:
        TrackingError: None was, or one that another release of this project reads.
    """
    text = tracking.read_text(version, PROFILE_FILE)
    if text is None:
        raise TrackingError(
            f"{version.uri} has no {PROFILE_FILE}; materialize {version.name}/reference_profile "
            "while it is the newest version, or train a new one"
        )
    try:
        return Profile.model_validate_json(text)
    except ValidationError as err:
        raise TrackingError(
            f"{PROFILE_FILE} of {version.uri} is of another release ({err.error_count()} errors); "
            f"train {version.name} anew: `mlops run {version.name}`"
        ) from err


def drift_gauges(summary: DriftSummary, now: datetime) -> list[Gauge]:
    """Scores by column, and when they were computed."""
    number = str(summary.model_version)
    return [
        Gauge(
            name="model_feature_drift",
            help="Population stability index of the newest window, corrected for chance.",
            labels=("version", "feature"),
            values={(number, name): value for name, value in summary.scores.items()},
        ),
        Gauge(
            name="model_drift_alarm",
            help="1: a column that is watched has drifted, or is broken.",
            values={(): float(summary.verdict == "drifted" or bool(summary.broken_columns))},
        ),
        Gauge(
            name="model_drift_last_run_timestamp_seconds",
            help="When drift was last looked at.",
            values={(): now.timestamp()},
        ),
    ]


def page_link(
    render: Callable[[FeatureDtypes], str | None], dtypes: FeatureDtypes
) -> dg.MetadataValue:
    """Where the page is, or why there is none: what cannot be drawn costs no verdict."""
    try:
        page = render(dtypes)
    except ReportError as err:
        return dg.MetadataValue.text(str(err))
    return dg.MetadataValue.path(page) if page else dg.MetadataValue.text("no column has values")


def describe(
    summary: DriftSummary, reference: Profile, live: Profile, settings: ModelSettings
) -> dict[str, Any]:
    """A report as metadata: the verdict, every column as a table, and plots."""
    plots = {"drift": drift_plot(summary, settings.monitoring.drift.threshold)}
    if summary.drifted_columns:
        plots["columns"] = columns_plot(summary.drifted_columns, reference, live)
    rows = [
        {"column": name, **distance(column, live.columns[name])._asdict()}
        for name, column in reference.columns.items()
    ]
    return {
        "verdict": summary.verdict,
        "rows": summary.rows,
        "drifted_columns": ", ".join(summary.drifted_columns) or "none",
        "broken_columns": ", ".join(summary.broken_columns) or "none",
        "reasons": "; ".join(summary.reasons) or "none",
        "columns": markdown_table(pd.DataFrame(rows).round(4)),
        "summary": dg.MetadataValue.json(summary.model_dump(mode="json")),
        **pictures(plots),
    }
