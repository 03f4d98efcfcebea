"""The champion moved by hand, or brought back: the verbs `rollback` and `promote` as jobs.

A move leaves the same events whether a job or the command line made it: `events`.
"""

import dagster as dg
from pydantic import Field

from jobs.asset_jobs import unfinished_trainings
from mlops_assets.config import ModelSettings
from mlops_assets.errors import PromotionRefusedError
from mlops_assets.failures import reported
from mlops_assets.keys import asset_key, pool
from mlops_assets.records.promotion import HandMove
from mlops_assets.records.serving import Endpoint
from resources.champion.by_hand import Promotions
from resources.champion.ledger import PromotionLedger
from resources.dagster.alike import op
from resources.dagster.cancellation import Cancellation
from resources.dagster.run_users import launched_by
from resources.endpoints.deployer import EndpointDeployer
from resources.tracking.tracking import MLflowTracking

_ROLL_BACK = (
    "Serve an older version again. Launch it when what serves now is worse than what served "
    "before; what is made of the same data, code and settings stays refused."
)
_PROMOTE = (
    "Serve a version, whatever the gate said. Launch it with `version` and `why` when a person "
    "knows better than the gate."
)
_RESTORE = (
    "Serve the ledger's champion again. Launch it when its endpoint is down; the sensor "
    "`endpoint_health` does."
)


class RollbackConfig(dg.Config):
    """What to go back to."""

    version: int | None = Field(None, description="Default: the champion before this one.")
    why: str = Field("", description="For the ledger.")


class PromotionConfig(dg.Config):
    """What to serve."""

    version: int = Field(ge=1, description="One that was deployed before.")
    why: str = Field(min_length=1, description="For the ledger.")


def restoration_job_name(settings: ModelSettings) -> str:
    """Name that the health sensor launches."""
    return f"{settings.name}_restoration"


def build_promotion_jobs(settings: ModelSettings) -> list[dg.JobDefinition]:
    """`<model>_rollback`, `<model>_promotion` and `<model>_restoration`."""
    return [
        _job(f"{settings.name}_rollback", _roll_back(settings), settings),
        _job(f"{settings.name}_promotion", _promote(settings), settings),
        _job(restoration_job_name(settings), _restore(settings), settings),
    ]


def _roll_back(settings: ModelSettings) -> dg.OpDefinition:
    @op(name=f"{settings.name}_roll_back", pool=pool(settings.name), description=_ROLL_BACK)
    def roll_back(
        context: dg.OpExecutionContext,
        config: RollbackConfig,
        tracking: MLflowTracking,
        ledger: PromotionLedger,
        deployment: EndpointDeployer,
    ) -> None:
        with reported():
            promotions = _promotions(context, settings, tracking, ledger, deployment)
            who = launched_by(context.run)
            moved = promotions.roll_back(config.version, _line(config.why), who)
        _log(context, moved.endpoint, moved.before)
        if said := warning(context.instance, moved):
            context.log.warning(said)

    return roll_back


def _promote(settings: ModelSettings) -> dg.OpDefinition:
    @op(name=f"{settings.name}_promote", pool=pool(settings.name), description=_PROMOTE)
    def promote(
        context: dg.OpExecutionContext,
        config: PromotionConfig,
        tracking: MLflowTracking,
        ledger: PromotionLedger,
        deployment: EndpointDeployer,
    ) -> None:
        with reported():
            promotions = _promotions(context, settings, tracking, ledger, deployment)
            who = launched_by(context.run)
            moved = promotions.promote(config.version, _line(config.why), who)
        _log(context, moved.endpoint, moved.before)

    return promote


def _restore(settings: ModelSettings) -> dg.OpDefinition:
    @op(name=f"{settings.name}_restore", pool=pool(settings.name), description=_RESTORE)
    def restore(
        context: dg.OpExecutionContext,
        tracking: MLflowTracking,
        ledger: PromotionLedger,
        deployment: EndpointDeployer,
    ) -> None:
        with reported():
            promotions = _promotions(context, settings, tracking, ledger, deployment)
            endpoint, head = promotions.restore(), ledger.head(settings.name)
            if head is None:
                raise PromotionRefusedError(
                    f"{settings.name} has no champion to restore; deploy one first: "
                    f"`mlops run {settings.name}`"
                )
        if endpoint:
            _log(context, endpoint, head.to_version)

    return restore


def _promotions(
    context: dg.OpExecutionContext,
    settings: ModelSettings,
    tracking: MLflowTracking,
    ledger: PromotionLedger,
    deployment: EndpointDeployer,
) -> Promotions:
    wanted = Cancellation(context.instance, context.run_id).require_not_asked
    return Promotions(settings.name, settings.deployment, tracking, ledger, deployment, wanted)


def _job(name: str, op: dg.OpDefinition, settings: ModelSettings) -> dg.JobDefinition:
    graph = dg.GraphDefinition(name=name, node_defs=[op], description=op.description)
    return graph.to_job(tags={"mlops/model": settings.name})


def _log(context: dg.OpExecutionContext, endpoint: Endpoint, before: int | None) -> None:
    for event in events(context.instance, endpoint, before):
        context.log_event(event)


def _line(text: str) -> str:
    return " ".join(text.split())


def events(
    instance: dg.DagsterInstance, endpoint: Endpoint, before: int | None
) -> tuple[dg.AssetObservation, dg.AssetMaterialization]:
    """What serves now, and the champion until then, for the timeline of `deployed_endpoint`.

    And its newest value, which the asset's page shows. That is made of what the value before was
    made of, so it has the same tags: what was out of date still is.
    """
    key = asset_key(endpoint.model_name, "deployed_endpoint")
    metadata = {
        "version": endpoint.model_version,
        "before": before or "none",
        "generation": endpoint.generation,
        "url": dg.MetadataValue.url(endpoint.url),
    }
    newest = instance.get_latest_materialization_event(key)
    value = newest.asset_materialization if newest else None
    return (
        dg.AssetObservation(key, metadata=metadata),
        dg.AssetMaterialization(key, metadata=metadata, tags=value.tags if value else None),
    )


def warning(instance: dg.DagsterInstance, moved: HandMove) -> str | None:
    """What becomes of the trainings in flight after a rollback; None if there are none."""
    model, before = moved.endpoint.model_name, moved.before
    runs = unfinished_trainings(instance, model)
    if not runs or before is None or before == moved.endpoint.model_version:
        return None
    return (
        f"a training of {model} is in flight: run {', '.join(runs)}. It goes on; made of the data, "
        f"code and settings of version {before}, its version will be refused, made of new data it "
        "may go live. Terminate the run in the Dagster UI if it must not"
    )
