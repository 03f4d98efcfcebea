"""Tell people of failed runs: one message when a job begins to fail, one when it succeeds again.

What fails in between belongs to the same incident. The newest outcome of each job is also a gauge
at its model's endpoint, for those who watch by Prometheus.
"""

import dagster as dg

from resources.alerts import Alerts
from resources.metrics import EndpointMetrics, Gauge

_MODEL_TAG = "mlops/model"
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_LOOKED_AT = 100
"""Newest ended runs of a model among which each job's newest is found."""


def build_incident_sensors() -> list[dg.SensorDefinition]:
    """One for failures and one for successes, over all jobs."""
    return [
        _build("run_failed", dg.DagsterRunStatus.FAILURE, "Tells of a job that begins to fail."),
        _build("run_recovered", dg.DagsterRunStatus.SUCCESS, "Tells when it succeeds again."),
    ]


def _build(name: str, status: dg.DagsterRunStatus, description: str) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        run_status=status,
        name=name,
        description=description,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def sensor(
        context: dg.RunStatusSensorContext, alerts: Alerts, metrics: EndpointMetrics
    ) -> dg.SkipReason | None:
        run = context.dagster_run
        if model := run.tags.get(_MODEL_TAG):
            metrics.write(model, "runs", [failing_jobs(context.instance, model)])
        text = message(context.instance, run, _failure(context))
        if text is None:
            return dg.SkipReason(f"{run.job_name} ended as its run before did")
        if not alerts.is_configured:
            return dg.SkipReason(
                f"nobody to tell (neither MLOPS_ALERT_WEBHOOK nor MLOPS_ALERT_SMTP is set): {text}"
            )
        alerts.send(text)
        return None

    return sensor


def message(instance: dg.DagsterInstance, run: dg.DagsterRun, failure: str) -> str | None:
    """What to say of an ended run; None while its job goes on as before."""
    failed = run.status == dg.DagsterRunStatus.FAILURE
    before = _before(instance, run)
    if failed == (before is not None and before.status == dg.DagsterRunStatus.FAILURE):
        return None
    if failed:
        return f"{run.job_name} failed (run {run.run_id[:8]}): {failure}"
    return f"{run.job_name} succeeds again (run {run.run_id[:8]})"


def failing_jobs(instance: dg.DagsterInstance, model: str) -> Gauge:
    """1 for each job of the model whose newest ended run failed, 0 for the others."""
    wanted = dg.RunsFilter(statuses=_ENDED, tags={_MODEL_TAG: model})
    newest: dict[tuple[str, ...], float] = {}
    for run in instance.get_runs(wanted, limit=_LOOKED_AT):  # the newest first
        failed = float(run.status == dg.DagsterRunStatus.FAILURE)
        newest.setdefault((run.job_name,), failed)
    return Gauge(
        name="model_run_failing",
        help="1: the newest ended run of the job failed.",
        labels=("job_name",),
        values=newest,
    )


def _before(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRun | None:
    """The run of the same job that was launched before and has ended; None for the first."""
    wanted = dg.RunsFilter(job_name=run.job_name, statuses=_ENDED)
    older = instance.get_runs(wanted, cursor=run.run_id, limit=1)
    return older[0] if older else None


def _failure(context: dg.RunStatusSensorContext) -> str:
    """The first failed step's own words."""
    if context.dagster_run.status != dg.DagsterRunStatus.FAILURE:
        return ""
    for event in context.for_run_failure().get_step_failure_events():
        failure = event.step_failure_data
        data = failure.user_failure_data
        text = data.description if data and data.description else None
        if text is None and failure.error:
            text = failure.error.message.strip()
        return f"{event.step_key}: {text or 'failed'}"
    return context.for_run_failure().failure_event.message or "no step failed"
