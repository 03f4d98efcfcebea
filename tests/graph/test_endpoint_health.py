"""The health sensor: a run when a deployed endpoint is down, none when somebody stopped it."""

from typing import Any

import dagster as dg

from mlops_assets.config import ModelSettings
from sensors.endpoint_health import build_endpoint_health_sensor
from tests.fakes_deployment import FakeDeployment
from tests.graph.pipeline_runs import materialize


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
