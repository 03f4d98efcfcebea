"""The jobs that materialize a model's assets, what launches them by the clock, and what is running.

Those that move the champion by hand are in `jobs.promotion`.
"""

from typing import TYPE_CHECKING

import dagster as dg

from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key, monitoring_selection
from resources.tracking.outcome import UNFINISHED

if TYPE_CHECKING:
    from resources.dagster.internals import UnresolvedAssetJobDefinition


def training_job_name(model: str) -> str:
    """Name that sensors, schedules and CI launch."""
    return f"{model}_training"


def build_asset_jobs(settings: ModelSettings) -> list["UnresolvedAssetJobDefinition"]:
    """`<model>_training`, `_deployment`, `_scoring`, `_monitoring` and `_backtest`.

    A training goes from the raw data to the endpoint; without that if it is not `automatic`. A
    deployment is refused if the newest evaluated version did not pass the gate. The monitoring
    trains and deploys nothing; late labels come with the data, so that is read again too.
    """
    name = settings.name
    watching = monitoring_selection(name)
    endpoint = dg.AssetSelection.assets(asset_key(name, "deployed_endpoint"))
    data = dg.AssetSelection.assets(asset_key(name, "raw_data"), asset_key(name, "processed_data"))
    scoring = dg.AssetSelection.assets(asset_key(name, "batch_predictions"))
    backtest = dg.AssetSelection.assets(asset_key(name, "backtest"))
    training = dg.AssetSelection.groups(name) - watching - scoring
    if not settings.deployment.automatic:
        training -= endpoint
    jobs = {
        training_job_name(name): (training, f"Train {name} from raw data on."),
        f"{name}_deployment": (endpoint, f"Deploy the newest evaluated version of {name}."),
        f"{name}_scoring": (scoring, f"Predict for every entity by what serves {name}."),
        f"{name}_backtest": (backtest, f"Replay the history of {name}: how often to train?"),
        f"{name}_monitoring": (watching | data, f"Watch what {name} predicts."),
    }
    tags = {"mlops/model": name}
    return [
        dg.define_asset_job(name=job, selection=selection, tags=tags, description=description)
        for job, (selection, description) in jobs.items()
    ]


def build_schedules(settings: ModelSettings) -> list[dg.ScheduleDefinition]:
    """`<job>_schedule` of each cron expression under `schedule`, in UTC."""
    return [
        dg.ScheduleDefinition(
            name=f"{settings.name}_{job}_schedule",
            job_name=f"{settings.name}_{job}",
            cron_schedule=cron,
            execution_timezone="UTC",
            tags={"mlops/trigger": "schedule"},
        )
        for job, cron in settings.schedule.crons.items()
    ]


def unfinished_trainings(instance: dg.DagsterInstance, model: str) -> tuple[str, ...]:
    """Ids of the model's runs that have not ended, queued ones too, the newest first.

    Of the training job, or of assets that somebody chose in the UI, `trained_model` among them.
    """
    trained, job = asset_key(model, "trained_model"), training_job_name(model)
    return tuple(
        run.run_id
        for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
        if run.job_name == job or trained in (run.asset_selection or ())
    )
