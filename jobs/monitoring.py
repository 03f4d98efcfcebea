"""Monitoring: the job that looks at what the endpoint answered, and its schedule."""

from typing import TYPE_CHECKING

import dagster as dg

from jobs.schedules import cron_schedules
from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key, monitoring_selection

if TYPE_CHECKING:
    from resources.dagster.internals import UnresolvedAssetJobDefinition


def monitoring_job_name(settings: ModelSettings) -> str:
    """Name that schedules and operators launch."""
    return f"{settings.name}_monitoring"


def build_monitoring_job(settings: ModelSettings) -> "UnresolvedAssetJobDefinition":
    """Compact the prediction log and renew every report on it; trains and deploys nothing.

    Late labels come with the data, so that is read again too.
    """
    data = (asset_key(settings.name, "raw_data"), asset_key(settings.name, "processed_data"))
    return dg.define_asset_job(
        name=monitoring_job_name(settings),
        selection=monitoring_selection(settings.name) | dg.AssetSelection.assets(*data),
        tags={"mlops/model": settings.name},
        description=f"Watch what {settings.name} predicts.",
    )


def build_monitoring_schedules(settings: ModelSettings) -> list[dg.ScheduleDefinition]:
    """The schedule of `schedule.monitor`, in UTC; none without a cron expression."""
    return cron_schedules(monitoring_job_name(settings), settings.schedule.monitor)
