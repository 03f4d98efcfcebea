"""The jobs that materialize a model's assets, what launches them by the clock, and what is running.

Those that move the champion by hand are in `jobs.promotion`.
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key, monitoring_selection, partitions_of, tags_of_now
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
    selections = {
        training_job_name(name): training,
        f"{name}_deployment": endpoint,
        f"{name}_scoring": scoring,
        f"{name}_backtest": backtest,
        f"{name}_monitoring": watching | data,
    }
    return [
        dg.define_asset_job(
            name=job,
            selection=selection,
            tags={"mlops/model": name},
            description=_WHEN[job.removeprefix(f"{name}_")].format(name),
        )
        for job, selection in selections.items()
    ]


_WHEN = {
    "training": "Train {0} from raw data on, and put the version live that passes the gate. Launch "
    "it on new data, or after a change of the YAML; what did not change is cheap.",
    "deployment": "Deploy the newest evaluated version of {0}. Launch it after a training that "
    "stops before the endpoint (`deployment.automatic: false`), or that could not reach it.",
    "scoring": "Predict for every entity by what serves {0}. Launch it when a table of answers is "
    "wanted; it takes the place of the last one.",
    "backtest": "Replay the history of {0}: how often to train? Launch it before `schedule.train` "
    "or `monitoring.retrain` is chosen; it costs some ten fits and changes nothing.",
    "monitoring": "Watch what {0} predicts: log, labels, drift, performance, skew. Launch it each "
    "`monitoring.window`, best by `schedule.monitor`; it trains and deploys nothing.",
}


def build_schedules(settings: ModelSettings) -> list[dg.ScheduleDefinition]:
    """`<job>_schedule` of each cron expression under `schedule`, in UTC."""
    return [
        dg.ScheduleDefinition(
            name=f"{settings.name}_{job}_schedule",
            job_name=f"{settings.name}_{job}",
            cron_schedule=cron,
            execution_timezone="UTC",
            **_launched(settings, job),
            description=f"Launches {settings.name}_{job} at the times of `schedule` in its YAML; "
            "switch it on once a run by hand has gone well.",
        )
        for job, cron in settings.schedule.crons.items()
    ]


def _launched(settings: ModelSettings, job: str) -> dict[str, Any]:
    """Arguments of `ScheduleDefinition`: of a job over partitions each run is told of which."""
    tags, partitions = {"mlops/trigger": "schedule"}, partitions_of(settings)
    if partitions is None or job not in ("training", "monitoring"):
        return {"tags": tags}
    return {"execution_fn": lambda _: dg.RunRequest(tags=tags | tags_of_now(partitions))}


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
