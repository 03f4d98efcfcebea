"""Predictions for every entity at once, by the version that serves."""

from typing import Any

import dagster as dg

from mlops_assets.assets.declared import asset_of
from mlops_assets.config import ModelSettings
from mlops_assets.failures import RETRIES, reported
from mlops_assets.keys import asset_key
from mlops_assets.metadata import named_values, place_of_file
from mlops_assets.records.scoring import BatchSummary
from resources.dagster.alike import asset
from resources.endpoints.deployer import EndpointDeployer
from resources.feature_store import FeastFeatureStore
from resources.prediction_log.log import PredictionLog


def build_batch_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    """`features`, `deployed_endpoint` -> `batch_predictions` of one model."""
    stages = ("features", "deployed_endpoint")

    @asset(
        **asset_of(settings, "batch_predictions"),
        deps=[asset_key(settings.name, stage) for stage in stages],
        kinds={"parquet"},
        code_version="1",
        retry_policy=RETRIES,
        description="What the served version says of every entity, by its newest features."
        if settings.entity
        else "What the served version says of every row of the features.",
    )
    def batch_predictions(
        deployment: EndpointDeployer, feature_store: FeastFeatureStore, predictions: PredictionLog
    ) -> dg.MaterializeResult[BatchSummary]:
        from mlops_assets.scoring.batch import Batches  # 25 modules that loading does without

        with reported():
            batches = Batches.of(settings, deployment, predictions)
            summary = batches.score(batches.snapshot(feature_store))
        return dg.MaterializeResult(value=summary, metadata=batch_metadata(summary))

    return [batch_predictions]


def batch_metadata(summary: BatchSummary) -> dict[str, Any]:
    """A batch as metadata."""
    return {
        "dagster/row_count": summary.rows,
        "quarantined": summary.quarantined,
        "quarantine": place_of_file(summary.quarantine) if summary.quarantine else "none",
        **({"reasons": named_values(summary.reasons)} if summary.reasons else {}),
        "version": summary.model_version,
        "batch": summary.batch,
        "logged_rows": summary.logged,
        "output": place_of_file(summary.output),
    }
