"""The champion moved by hand: the verbs `rollback` and `promote` as jobs, for the Dagster UI."""

import dagster as dg
from pydantic import Field

from mlops_assets.config import ModelSettings
from mlops_assets.failures import reported
from mlops_assets.keys import asset_key
from mlops_assets.records.promotion import HandMove
from resources.deployment import EndpointDeployer
from resources.ledger import PromotionLedger
from resources.promotions import Promotions
from resources.tracking import MLflowTracking


class RollbackConfig(dg.Config):
    """What to go back to."""

    version: int | None = Field(None, description="Default: the champion before this one.")
    why: str = Field("", description="For the ledger.")


class PromotionConfig(dg.Config):
    """What to serve."""

    version: int = Field(ge=1, description="One that was deployed before.")
    why: str = Field(min_length=1, description="For the ledger.")


def build_promotion_jobs(settings: ModelSettings) -> list[dg.JobDefinition]:
    """`<model>_rollback` and `<model>_promotion`."""
    name = settings.name

    @dg.op(name=f"{name}_roll_back", description="Serve an older version again.")
    def roll_back(
        context: dg.OpExecutionContext,
        config: RollbackConfig,
        tracking: MLflowTracking,
        ledger: PromotionLedger,
        deployment: EndpointDeployer,
    ) -> None:
        with reported():
            promotions = Promotions(name, settings.deployment, tracking, ledger, deployment)
            moved = promotions.roll_back(config.version, _line(config.why), context.run_id)
        context.log_event(_observation(name, moved))

    @dg.op(name=f"{name}_promote", description="Serve a version, whatever the gate said.")
    def promote(
        context: dg.OpExecutionContext,
        config: PromotionConfig,
        tracking: MLflowTracking,
        ledger: PromotionLedger,
        deployment: EndpointDeployer,
    ) -> None:
        with reported():
            promotions = Promotions(name, settings.deployment, tracking, ledger, deployment)
            moved = promotions.promote(config.version, _line(config.why), context.run_id)
        context.log_event(_observation(name, moved))

    return [
        _job(f"{name}_rollback", roll_back, settings),
        _job(f"{name}_promotion", promote, settings),
    ]


def _job(name: str, op: dg.OpDefinition, settings: ModelSettings) -> dg.JobDefinition:
    graph = dg.GraphDefinition(name=name, node_defs=[op], description=op.description)
    return graph.to_job(tags={"mlops/model": settings.name})


def _line(text: str) -> str:
    return " ".join(text.split())


def _observation(model: str, moved: HandMove) -> dg.AssetObservation:
    """An entry in the endpoint's own timeline."""
    return dg.AssetObservation(
        asset_key=asset_key(model, "deployed_endpoint"),
        metadata={
            "version": moved.endpoint.model_version,
            "before": moved.before or "none",
            "url": dg.MetadataValue.url(moved.endpoint.url),
        },
    )
