"""A version that passed the gate becomes the champion and goes live, or nothing changes."""

from collections.abc import Callable
from dataclasses import dataclass

from mlops_assets.config import ModelSettings
from mlops_assets.ml.file_part import Part
from mlops_assets.model_versions.fetched import fetched
from mlops_assets.model_versions.online_features import online_features
from mlops_assets.model_versions.packaging import (
    documented,
    gate_move,
    require_evaluated,
    require_passed,
)
from mlops_assets.records.evaluation import Evaluation, ModelVersion
from mlops_assets.records.serving import Endpoint, OnlineFeatures
from resources.champion.aliases import champion_of, promote
from resources.champion.ledger import PromotionLedger
from resources.champion.rollbacks import require_not_given_up
from resources.endpoints.deployer import EndpointDeployer
from resources.feature_store import FeastFeatureStore
from resources.tracking.tracking import MLflowTracking


@dataclass(frozen=True)
class ChampionDeployment:
    """What a version becomes the champion by, and goes live, on behalf of one run."""

    run_id: str
    require_wanted: Callable[[], None]
    """Raises if nobody wants it any more; asked right before the ledger is written."""
    tracking: MLflowTracking
    ledger: PromotionLedger
    feature_store: FeastFeatureStore
    deployment: EndpointDeployer

    def of(
        self,
        model: ModelVersion,
        evaluation: Evaluation,
        features: Part,
        settings: ModelSettings,
    ) -> tuple[Endpoint, OnlineFeatures]:
        """Where the version is live, and how it reads features by id.

        Args:
            model: The version.
            evaluation: What the gate said of it, against the present champion.
            features: Of which some are answered before it goes live, as they were offline.
            settings: Of the model.

        Raises:
            DeploymentError: It did not pass, is not what passed, or does not answer as offline.
            PromotionConflictError: Somebody moved the champion meanwhile.
            PromotionRefusedError: A rollback holds against the version.
        """
        tracking, ledger = self.tracking, self.ledger
        head, move = ledger.head(settings.name), gate_move(evaluation, self.run_id)
        require_not_given_up(move, ledger.history(settings.name), tracking)
        require_passed(evaluation, model, champion_of(settings.name, tracking, ledger), settings)
        with fetched(model, tracking, settings) as one:
            servable, recorded = one.servable(settings), one.recorded(features, settings)
            require_evaluated(servable, evaluation)
            servable = documented(servable, one, tracking)
            online = online_features(features, settings, self.feature_store)
            wanted = self.require_wanted
            with promote(
                move, head, tracking=tracking, ledger=ledger, require_wanted=wanted
            ) as confirm:
                endpoint = self.deployment.deploy(
                    servable, one.file, recorded, online, settings.deployment, confirm
                )
        return endpoint, online
