"""Deployment: the newest evaluated version, apart from its training."""

from typing import TYPE_CHECKING

import dagster as dg

from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key

if TYPE_CHECKING:
    from resources.dagster.internals import UnresolvedAssetJobDefinition


def deployment_job_name(settings: ModelSettings) -> str:
    """Name that CI and operators launch."""
    return f"{settings.name}_deployment"


def build_deployment_job(settings: ModelSettings) -> "UnresolvedAssetJobDefinition":
    """Deploy the newest evaluated version; refused if it did not pass the gate."""
    return dg.define_asset_job(
        name=deployment_job_name(settings),
        selection=dg.AssetSelection.assets(asset_key(settings.name, "deployed_endpoint")),
        tags={"mlops/model": settings.name},
        description=f"Deploy the newest evaluated version of {settings.name}.",
    )
