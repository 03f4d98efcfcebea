"""The verb `run`: one model from its source to a live endpoint, as far as it is out of date."""

from collections.abc import Sequence

import dagster as dg

from mlops_assets.cli.context import open_promotions, open_resources, say
from mlops_assets.cli.endpoints import answers
from mlops_assets.errors import DeploymentError, MlopsError
from mlops_assets.freshness import stale_assets
from mlops_assets.keys import asset_key
from resources.promotions import Promotions
from resources.run_outcome import PROCESS, settle, this_process


def bring_up_to_date(definitions: dg.Definitions, instance: dg.DagsterInstance, model: str) -> bool:
    """Follow the ledger, then the source, and materialize what is stale; False if a step failed."""
    specs = [spec for spec in definitions.resolve_all_asset_specs() if spec.group_name == model]
    raw, endpoint = asset_key(model, "raw_data"), asset_key(model, "deployed_endpoint")
    with open_promotions(definitions, model) as promotions:
        _restore(promotions)
        if not _materialize(definitions, instance, model, [raw]):
            return False
        stale, deployment = stale_assets(instance, specs), promotions.deployment
        if endpoint not in stale and deployment.status(model) is None:
            stale[endpoint] = "the endpoint is down"
        for key, reason in stale.items():
            say(f"{key.to_user_string()} is out of date: {reason}")
        if stale and not _materialize(definitions, instance, model, list(stale)):
            return False
        good, _ = answers(deployment, model, [_sample_entity(instance, model)])
        say("\n".join(good))
    return True


def _restore(promotions: Promotions) -> None:
    """Serve what the ledger says; a champion that cannot be served must not stop its successor."""
    try:
        if endpoint := promotions.restore():
            say(f"{promotions.model}: version {endpoint.model_version} serves, as the ledger says")
    except DeploymentError as err:
        say(f"{promotions.model}: the ledger's champion does not serve: {err}", error=True)


def _materialize(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    model: str,
    keys: Sequence[dg.AssetKey],
) -> bool:
    job = definitions.resolve_job_def(f"{model}_training")
    result = job.execute_in_process(
        instance=instance,
        asset_selection=list(keys),
        raise_on_error=False,
        tags={PROCESS: this_process(), "mlops/launched_by": "mlops run"},
        run_config={"loggers": {"progress": {}}},
    )
    for event in result.filter_events(lambda event: event.is_step_failure):
        say(f"{event.step_key}: {_cause(event)}", error=True)
    settle_runs(definitions, instance)
    return result.success


def _cause(event: dg.DagsterEvent) -> str:
    """What a user needs to mend: our message, or the whole trace of what nobody foresaw."""
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    return failure.error.to_string() if failure.error else "failed without an error"


def settle_runs(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    """End the runs of killed processes, which the last one may have been."""
    with open_resources(definitions, "tracking", instance=instance) as built:
        settle(instance, built.tracking)


def _sample_entity(instance: dg.DagsterInstance, model: str) -> str:
    event = instance.get_latest_materialization_event(asset_key(model, "features"))
    if event is None or event.asset_materialization is None:
        raise MlopsError(f"{model}/features was never materialized; run `mlops run {model}`")
    return str(event.asset_materialization.metadata["newest_entity"].value)
