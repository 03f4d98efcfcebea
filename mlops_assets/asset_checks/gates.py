"""What must hold of a version on its way to the endpoint: a blocking check stops the run."""

from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg

from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key, pool
from mlops_assets.metadata import holds_without, rounded
from mlops_assets.ml.documented import TracedFile
from mlops_assets.records.data import DatasetVersion, FeatureView
from mlops_assets.records.evaluation import Evaluation, ModelVersion
from mlops_assets.records.serving import Endpoint
from resources.champion.aliases import reconcile
from resources.champion.ledger import PromotionLedger
from resources.dagster.alike import asset_check
from resources.datasets.versions import DvcDatasets
from resources.endpoints.deployer import EndpointDeployer
from resources.feature_store import FeastFeatureStore
from resources.tracking.tracking import MLflowTracking

if TYPE_CHECKING:
    import pandas as pd


def build_asset_checks(settings: ModelSettings) -> list[dg.AssetChecksDefinition]:
    """The gates of one model; a blocking one stops everything downstream in the run."""
    return [
        _version_is_in_the_cache(settings),
        *([_online_equals_offline(settings)] if settings.entity else []),
        _model_is_safe_to_load(settings),
        _model_passes_the_gate(settings),
        _endpoint_is_live(settings),
        _alias_follows_the_ledger(settings),
    ]


def _version_is_in_the_cache(settings: ModelSettings) -> dg.AssetChecksDefinition:
    @asset_check(
        asset=asset_key(settings.name, "raw_data"),
        pool=pool(settings.name),
        blocking=True,
        description="The version can be read again from the cache, byte for byte.",
    )
    def version_is_in_the_cache(raw: DatasetVersion, datasets: DvcDatasets) -> dg.AssetCheckResult:
        damaged = datasets.damaged_files(raw)
        said = f"{damaged} are damaged in the cache; run again"
        return holds_without(damaged, said, damaged=", ".join(damaged) or "none")

    return version_is_in_the_cache


def _online_equals_offline(settings: ModelSettings) -> dg.AssetChecksDefinition:
    view = FeatureView.of(settings)

    @asset_check(
        asset=asset_key(settings.name, "features"),
        pool=pool(settings.name),
        blocking=True,
        description="Serving would read the same values online as training reads offline.",
    )
    def online_equals_offline(
        features: TracedFile, feature_store: FeastFeatureStore
    ) -> dg.AssetCheckResult:
        from mlops_assets.ml.features.agreement import newest_rows
        from mlops_assets.ml.frames import TIMESTAMP
        from mlops_assets.ml.training.many_rows.labelled import all_rows

        names = [view.key.name, TIMESTAMP, *view.features]
        offline = newest_rows(all_rows(features.rows, settings), view)[names]
        online = feature_store.online_rows(view, offline[view.key.name].tolist())
        finest = feature_store.resolution(view)
        different = unequal_columns(at(finest, offline), at(finest, online[names]))
        return holds_without(
            different,
            f"the online store has other values of {different} than the offline store for the "
            f"newest {len(offline)} entities; see that both are written by this run alone",
            entities=len(offline),
            different_columns=", ".join(different) or "none",
        )

    return online_equals_offline


def _model_is_safe_to_load(settings: ModelSettings) -> dg.AssetChecksDefinition:
    @asset_check(
        asset=asset_key(settings.name, "trained_model"),
        pool=pool(settings.name),
        blocking=True,
        description="The registered file holds only types of our allow-list.",
    )
    def model_is_safe_to_load(model: ModelVersion, tracking: MLflowTracking) -> dg.AssetCheckResult:
        from mlops_assets.ml.inference.model_files import untrusted_types
        from mlops_assets.model_versions.fetched import fetched

        with fetched(model, tracking, settings) as one:
            unknown, size = untrusted_types(one.content, one.own_types), len(one.content)
        return holds_without(
            unknown,
            f"the file holds {unknown}, off the allow-list; choose another estimator, or "
            "review the types and name them in training.trusted_types",
            unknown_types=", ".join(unknown) or "none",
            size_bytes=size,
        )

    return model_is_safe_to_load


def _model_passes_the_gate(settings: ModelSettings) -> dg.AssetChecksDefinition:
    @asset_check(
        asset=asset_key(settings.name, "evaluation_report"),
        pool=pool(settings.name),
        blocking=True,
        description="Every metric is within `evaluation.gate.limits`, or without limits the "
        "version knows more than the prior; against the champion, if there is one, the rule "
        "`evaluation.gate.against_champion` holds; no rollback holds against the version.",
    )
    def model_passes_the_gate(report: Evaluation) -> dg.AssetCheckResult:
        reasons = "; ".join(report.decision.reasons)
        return holds_without(
            not report.decision.promoted,
            f"version {report.model.version} is refused: {reasons}",
            reasons=reasons or "none",
            champion=report.champion.uri if report.champion else "none",
            not_compared=report.not_compared or "compared",
            **rounded(report.metrics),
        )

    return model_passes_the_gate


def _endpoint_is_live(settings: ModelSettings) -> dg.AssetChecksDefinition:
    @asset_check(
        asset=asset_key(settings.name, "deployed_endpoint"),
        pool=pool(settings.name),
        description="The endpoint is up and serves the champion of the ledger.",
    )
    def endpoint_is_live(
        endpoint: Endpoint, deployment: EndpointDeployer, ledger: PromotionLedger
    ) -> dg.AssetCheckResult:
        found, head = deployment.status(settings.name), ledger.head(settings.name)
        served = found.model_version if found else 0
        champion = head.to_version if head else endpoint.model_version
        return dg.AssetCheckResult(
            passed=served == champion,
            metadata={"url": endpoint.url, "served_version": served, "champion": champion},
        )

    return endpoint_is_live


def _alias_follows_the_ledger(settings: ModelSettings) -> dg.AssetChecksDefinition:
    @asset_check(
        asset=asset_key(settings.name, "deployed_endpoint"),
        pool=pool(settings.name),
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

    return alias_follows_the_ledger


def at(resolution: timedelta, rows: "pd.DataFrame") -> "pd.DataFrame":
    """`rows` with their moments rounded down to what a store keeps."""
    import pandas as pd

    from mlops_assets.ml.frames import TIMESTAMP

    return rows.assign(**{TIMESTAMP: rows[TIMESTAMP].dt.floor(pd.Timedelta(resolution))})


def unequal_columns(left: "pd.DataFrame", right: "pd.DataFrame") -> list[str]:
    """Columns of two frames of the same rows whose values differ; all if the lengths do."""
    if len(left) != len(right):
        return list(left.columns)
    return [name for name in left.columns if not _same(left[name], right[name])]


def _same(left: "pd.Series", right: "pd.Series") -> bool:
    import numpy as np

    both_missing = left.isna().to_numpy() & right.isna().to_numpy()
    return bool(np.all(both_missing | (left.to_numpy() == right.to_numpy())))
