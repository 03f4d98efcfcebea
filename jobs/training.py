"""Training: the job from raw data to an evaluated, and by default deployed, model; its schedule."""

from typing import TYPE_CHECKING

import dagster as dg

from jobs.schedules import cron_schedules
from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key, monitoring_selection

if TYPE_CHECKING:
    from resources.dagster.internals import UnresolvedAssetJobDefinition


FINISHED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
"""Statuses of a run that has ended."""


def training_job_name(settings: ModelSettings) -> str:
    """Name that sensors, schedules and CI launch."""
    return f"{settings.name}_training"


def build_training_job(settings: ModelSettings) -> "UnresolvedAssetJobDefinition":
    """Rematerialize a model up to its endpoint; without the endpoint if it is not `automatic`."""
    selection = dg.AssetSelection.groups(settings.name) - monitoring_selection(settings.name)
    if not settings.deployment.automatic:
        selection -= dg.AssetSelection.assets(asset_key(settings.name, "deployed_endpoint"))
    return dg.define_asset_job(
        name=training_job_name(settings),
        selection=selection,
        tags={"mlops/model": settings.name},
        description=f"Train {settings.name} from raw data on.",
    )


def unfinished_trainings(instance: dg.DagsterInstance, model: str) -> tuple[str, ...]:
    """Ids of the model's runs that have not ended, queued ones too, the newest first.

    Of the training job, or of assets that somebody chose in the UI, `trained_model` among them.
    """
    statuses = [status for status in dg.DagsterRunStatus if status not in FINISHED]
    found = instance.get_run_records(dg.RunsFilter(statuses=statuses))
    trained = asset_key(model, "trained_model")
    return tuple(
        run.run_id
        for run in (record.dagster_run for record in found)
        if run.job_name == f"{model}_training" or trained in (run.asset_selection or ())
    )


def build_training_schedules(settings: ModelSettings) -> list[dg.ScheduleDefinition]:
    """The training schedule of `schedule.train`, in UTC; none without a cron expression."""
    return cron_schedules(training_job_name(settings), settings.schedule.train)
