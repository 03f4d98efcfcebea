"""The deployed endpoint: the version that passed the gate, live and answering as it did offline."""

import dagster as dg

from mlops_assets.assets.declared import asset_of
from mlops_assets.config import ModelSettings
from mlops_assets.failures import RETRIES, reported
from mlops_assets.keys import asset_key
from mlops_assets.ml.documented import TracedFile
from mlops_assets.records.evaluation import Evaluation, ModelVersion
from mlops_assets.records.serving import Endpoint
from resources.champion.ledger import PromotionLedger
from resources.dagster.alike import asset
from resources.dagster.cancellation import Cancellation
from resources.endpoints.deployer import EndpointDeployer
from resources.feature_store import FeastFeatureStore
from resources.tracking.tracking import MLflowTracking


def build_deployment_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    """`features`, `trained_model`, `evaluation_report` -> `deployed_endpoint` of one model."""

    @asset(
        **asset_of(
            settings,
            "deployed_endpoint",
            features="features",
            model="trained_model",
            evaluation="evaluation_report",
        ),
        deps=[asset_key(settings.name, "reference_profile")],  # what is live can be watched
        kinds={"bentoml"} if settings.deployment.target == "local" else {"bentoml", "kubernetes"},
        code_version=settings.deployment.digest(),
        retry_policy=RETRIES,
        description="The evaluated version, live where `deployment.target` says, beyond the run.",
    )
    def deployed_endpoint(
        context: dg.AssetExecutionContext,
        features: TracedFile,
        model: ModelVersion,
        evaluation: Evaluation,
        tracking: MLflowTracking,
        ledger: PromotionLedger,
        feature_store: FeastFeatureStore,
        deployment: EndpointDeployer,
    ) -> dg.MaterializeResult[Endpoint]:
        from mlops_assets.ml.training.many_rows.labelled import all_rows
        from mlops_assets.model_versions.champion.deployment import ChampionDeployment

        run_id = context.run.run_id
        wanted = Cancellation(context.instance, run_id).require_not_asked
        by = ChampionDeployment(run_id, wanted, tracking, ledger, feature_store, deployment)
        with reported():
            rows = all_rows(features.rows, settings)
            endpoint, online = by.of(model, evaluation, rows, settings)
        metadata = {
            "version": endpoint.model_version,
            "generation": endpoint.generation,
            "online_lookup": f"{online.lookup}: {online.lookup_reason}",
            "url": dg.MetadataValue.url(endpoint.url),
        }
        return dg.MaterializeResult(value=endpoint, metadata=metadata)

    return [deployed_endpoint]
