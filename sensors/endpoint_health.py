"""Bring back an endpoint that is down: what the ledger says is champion, not what is newest."""

from datetime import UTC, datetime

import dagster as dg

from jobs.promotion import restoration_job_name
from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key
from resources.endpoints.deployer import EndpointDeployer

_INTERVAL_SECONDS = 30
_PAUSE_SECONDS = 600
"""At most one run in so long: a champion that cannot be served must not be tried all the time."""


def build_endpoint_health_sensor(settings: ModelSettings) -> dg.SensorDefinition:
    """A restoration when a deployed endpoint does not answer, unless it was stopped."""
    key = asset_key(settings.name, "deployed_endpoint")

    @dg.sensor(
        name=f"{settings.name}_endpoint_health",
        job_name=restoration_job_name(settings),
        minimum_interval_seconds=_INTERVAL_SECONDS,
        description="Has the champion served again when it is down and nobody stopped it, "
        "and alone when a trial was left behind. "
        "Switch it on where no person watches the endpoint.",
    )
    def endpoint_health_sensor(
        context: dg.SensorEvaluationContext, deployment: EndpointDeployer
    ) -> dg.SensorResult:
        if context.instance.get_latest_materialization_event(key) is None:
            return dg.SensorResult(skip_reason="never deployed")
        if deployment.stopped(settings.name):
            return dg.SensorResult(skip_reason="stopped on purpose; `mlops up` brings it back")
        abandoned = deployment.abandoned_trial(settings.name)
        if not abandoned and deployment.status(settings.name) is not None:
            return dg.SensorResult(skip_reason="it answers")
        now = datetime.now(UTC).timestamp()
        if context.cursor and now - float(context.cursor) < _PAUSE_SECONDS:
            return dg.SensorResult(skip_reason="down; its restoration was requested minutes ago")
        why = "trial_abandoned" if abandoned else "endpoint_down"
        request = dg.RunRequest(run_key=f"down-{now:.0f}", tags={"mlops/trigger": why})
        return dg.SensorResult(run_requests=[request], cursor=str(now))

    return endpoint_health_sensor
