"""Runs of one model's graph in process, on fakes, and what they leave behind."""

from typing import Any

import dagster as dg

from mlops_assets.components.model_pipeline import build_model_defs
from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key, tags_of_now

STAGES = [
    "raw_data",
    "processed_data",
    "features",
    "trained_model",
    "evaluation_report",
    "reference_profile",
    "deployed_endpoint",
]


def build(settings: ModelSettings, resources: dict[str, Any]) -> dg.Definitions:
    """The model's definitions over these resources."""
    return dg.Definitions.merge(build_model_defs(settings), dg.Definitions(resources=resources))


def materialize(
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    stages: list[str] | None = None,
    tags: dict[str, str] | None = None,
) -> dg.ExecuteInProcessResult:
    """Materialize stages of the training job, all by default; a failure is in the result.

    With partitions it is a run of that of now, unless the tags name others.
    """
    job = build(settings, resources).resolve_job_def(f"{settings.name}_training")
    return job.execute_in_process(
        tags=tags or tags_of_now(job.partitions_def),
        instance=instance,
        asset_selection=[asset_key(settings.name, stage) for stage in stages or STAGES],
        raise_on_error=False,
    )


def materialized(result: dg.ExecuteInProcessResult) -> list[str]:
    """The stages that were, in their order."""
    keys = [event.asset_key for event in result.get_asset_materialization_events()]
    return sorted((key.path[-1] for key in keys if key), key=STAGES.index)


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """Check -> whether it passed."""
    return {e.check_name: e.passed for e in result.get_asset_check_evaluations()}


def metadata(result: dg.ExecuteInProcessResult, model: str, stage: str) -> dict[str, Any]:
    """What a stage says of itself; a table as its rows."""
    (event,) = result.asset_materializations_for_node(f"{model}__{stage}")
    return {
        name: [row.data for row in value.records]
        if isinstance(value, dg.TableMetadataValue)
        else value.value
        for name, value in event.metadata.items()
    }


def failure(result: dg.ExecuteInProcessResult) -> str:
    """What the one step that failed says."""
    (event,) = result.filter_events(lambda e: e.is_step_failure)
    info = event.step_failure_data
    return info.user_failure_data.description or ""
