"""The health sensor: it brings back the champion, whatever else happened, unless it was stopped."""

from typing import Any

import dagster as dg

from mlops_assets.config import ModelSettings
from resources.champion.by_hand import Promotions
from sensors.endpoint_health import build_endpoint_health_sensor
from tests.support.fakes.deployment import FakeDeployment
from tests.support.runs.pipeline_runs import STAGES, build, failure, materialize


def tick(
    settings: ModelSettings,
    instance: dg.DagsterInstance,
    deployment: FakeDeployment,
    cursor: str | None = None,
) -> dg.SensorResult:
    sensor = build_endpoint_health_sensor(settings)
    resources = {"deployment": deployment}
    context = dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources)
    result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result


def test_an_endpoint_that_is_down_is_brought_back_once(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    deployment = resources["deployment"]
    assert "never deployed" in str(tick(settings, instance, deployment).skip_reason)
    materialize(settings, resources, instance)
    assert "it answers" in str(tick(settings, instance, deployment).skip_reason)

    deployment.crash(settings.name)
    down = tick(settings, instance, deployment)
    assert len(down.run_requests or []) == 1
    again = tick(settings, instance, deployment, down.cursor)
    assert not again.run_requests, "the run needs minutes"

    deployment.stop(settings.name)
    assert "on purpose" in str(tick(settings, instance, deployment).skip_reason)


def test_a_trial_that_nobody_judges_any_more_is_ended_by_a_restoration(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    deployment = resources["deployment"]
    materialize(settings, resources, instance)
    deployment.leave_trial(settings.name)
    (request,) = tick(settings, instance, deployment).run_requests or []
    assert request.tags["mlops/trigger"] == "trial_abandoned"


def restored(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> dg.ExecuteInProcessResult:
    """Crash the endpoint, and execute what the sensor asks for."""
    resources["deployment"].crash(settings.name)
    sensor = build_endpoint_health_sensor(settings)
    (request,) = tick(settings, instance, resources["deployment"]).run_requests or []
    job = build(settings, resources).resolve_job_def(str(sensor.job_name))
    return job.execute_in_process(
        instance=instance,
        run_config=request.run_config,
        tags=request.tags,
        raise_on_error=False,
    )


def serves(resources: dict[str, Any]) -> int | None:
    found = resources["deployment"].status("loans")
    return found.model_version if found else None


def test_after_a_rollback_the_champion_comes_back(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    for stages in (STAGES, STAGES[3:]):
        materialize(settings, resources, instance, stages)
    parts = [resources[name] for name in ("tracking", "ledger", "deployment")]
    Promotions("loans", settings.deployment, *parts).roll_back(None, "", "ada")
    run = restored(settings, resources, instance)
    assert run.success
    assert serves(resources) == 1
    (seen,) = [e.asset_observation_data for e in run.all_events if e.is_asset_observation]
    assert seen.asset_observation.metadata["version"].value == 1


def test_after_a_refusal_the_champion_comes_back(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    materialize(ModelSettings.model_validate(loans), resources, instance)
    loans["evaluation"]["gate"]["limits"]["roc_auc"]["min"] = 0.9999
    strict = ModelSettings.model_validate(loans)
    assert not materialize(strict, resources, instance, STAGES[3:]).success
    assert restored(strict, resources, instance).success
    assert serves(resources) == 1


def test_what_no_person_approved_is_not_deployed_for_a_crash(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    materialize(ModelSettings.model_validate(loans), resources, instance)
    loans["deployment"]["automatic"] = False
    manual = ModelSettings.model_validate(loans)
    assert materialize(manual, resources, instance, STAGES[3:6]).success
    assert restored(manual, resources, instance).success
    assert serves(resources) == 1
    assert resources["ledger"].head("loans").to_version == 1


def test_a_champion_whose_files_are_gone_is_said(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    materialize(settings, resources, instance)
    resources["deployment"].forget("loans", 1)
    run = restored(settings, resources, instance)
    assert not run.success
    assert "version 1 was never deployed at this endpoint, or its files are gone" in failure(run)
    assert serves(resources) is None
