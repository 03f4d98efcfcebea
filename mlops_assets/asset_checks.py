"""Quality gates that look at an asset after it was materialized.

`contract_holds` and `no_row_was_lost` are not here: they stand with their assets, since they must
fail before the previous value is replaced.
"""

import tempfile
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key
from mlops_assets.metadata import rounded
from mlops_assets.ml.features import TIMESTAMP
from mlops_assets.ml.model_files import untrusted_types
from mlops_assets.records.data import DatasetVersion, FeatureView
from mlops_assets.records.evaluation import Evaluation, ModelVersion
from mlops_assets.records.serving import Endpoint
from resources.datasets import DvcDatasets
from resources.deployment import EndpointDeployer
from resources.feature_store import FeastFeatureStore
from resources.ledger import PromotionLedger
from resources.registry import reconcile
from resources.tracking import MLflowTracking

SAMPLED_ENTITIES = 20


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
            passed=not damaged, metadata={"damaged": ", ".join(damaged) or "none"}
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
        offline = rows.tail(SAMPLED_ENTITIES)[names].reset_index(drop=True)
        online = feature_store.online_rows(view, offline[settings.entity.name].tolist())
        different = unequal_columns(offline, online[names])
        return dg.AssetCheckResult(
            passed=not different,
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
            metadata={"unknown_types": ", ".join(unknown) or "none", "size_bytes": size},
        )

    @dg.asset_check(
        asset=asset_key(settings.name, "evaluation_report"),
        blocking=True,
        description="Every metric is within `evaluation.gate.limits`, and against the champion, if "
        "there is one, the rule `evaluation.gate.against_champion` holds.",
    )
    def model_passes_the_gate(report: Evaluation) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(
            passed=report.decision.promoted,
            metadata={
                "reasons": "; ".join(report.decision.reasons) or "none",
                "champion": report.champion.uri if report.champion else "none",
                "not_compared": report.not_compared or "compared",
                **rounded(report.metrics),
            },
        )

    @dg.asset_check(
        asset=asset_key(settings.name, "deployed_endpoint"),
        description="The endpoint is up and serves the version that was deployed.",
    )
    def endpoint_is_live(endpoint: Endpoint, deployment: EndpointDeployer) -> dg.AssetCheckResult:
        found = deployment.status(settings.name)
        served = found.model_version if found else 0
        return dg.AssetCheckResult(
            passed=served == endpoint.model_version,
            metadata={"url": endpoint.url, "served_version": served},
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


def unequal_columns(left: pd.DataFrame, right: pd.DataFrame) -> list[str]:
    """Columns of two frames of the same rows whose values differ; all if the lengths do."""
    if len(left) != len(right):
        return list(left.columns)
    return [name for name in left.columns if not _same(left[name], right[name])]


def _same(left: pd.Series, right: pd.Series) -> bool:
    both_missing = left.isna().to_numpy() & right.isna().to_numpy()
    return bool(np.all(both_missing | (left.to_numpy() == right.to_numpy())))
