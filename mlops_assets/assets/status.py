"""The page of all models for who does not open Dagster; what stands on it is `status`'s."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from mlops_assets.config import ModelSettings
from mlops_assets.failures import reported
from mlops_assets.keys import STATUS_PAGE, Stage, asset_key
from mlops_assets.metadata import place_of_file
from resources.champion.ledger import PromotionLedger
from resources.decisions import DecisionStore
from resources.endpoints.deployer import EndpointDeployer

_SHOWN: tuple[Stage, ...] = ("deployed_endpoint", "drift_report", "performance_report")
_EVERY_HOUR = "10 * * * *"


def build_status_page(models: Sequence[ModelSettings], file: Path) -> dg.Definitions:
    """`status_page` over these models, its job, and the schedule of every hour, off at first."""

    @dg.asset(
        key=STATUS_PAGE,
        deps=[asset_key(model.name, stage) for model in models for stage in _SHOWN],
        group_name="Status",
        kinds={"html"},
        code_version="1",
        description="How every model is now: what serves, its requests, drift, performance, the "
        "last decision and the next run. `mlops dev` serves it at /status.",
    )
    def status_page(
        context: dg.AssetExecutionContext,
        deployment: EndpointDeployer,
        ledger: PromotionLedger,
        decisions: DecisionStore,
    ) -> dg.MaterializeResult[None]:
        from mlops_assets.status.writing import Stores, write_page

        with reported():
            stores = Stores(context.instance, deployment, ledger, decisions)
            found = write_page(models, stores, file)
        return dg.MaterializeResult(metadata={"page": place_of_file(str(file)), **found})

    job = dg.define_asset_job(
        name="status",
        selection=dg.AssetSelection.assets(STATUS_PAGE),
        description="Write the page that says how every model is. Launch it for a page of now; the "
        "schedule writes one every hour.",
    )
    schedule = dg.ScheduleDefinition(
        name="status_schedule",
        job=job,
        cron_schedule=_EVERY_HOUR,
        execution_timezone="UTC",
        tags={"mlops/trigger": "schedule"},
        description="Launches status ten minutes past every hour; switch it on where people look "
        "at the page and not at Dagster.",
    )
    return dg.Definitions(assets=[status_page], jobs=[job], schedules=[schedule])
