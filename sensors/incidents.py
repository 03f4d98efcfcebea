"""Tell people of failed runs: one message when a job begins to fail, one when it succeeds again.

What fails in between belongs to the same incident, of which each address is told: one that is new
hears of a job that fails already when it fails again. The newest outcome of each job is also a
gauge at its model's endpoint, for those who watch by Prometheus.

A run status sensor of Dagster's goes on to the next run though its message was not delivered. So
these keep the place of each address in the stream of ended runs: who does not take a message is
asked again at the next look, and the other is not told twice. Only a daemon that is killed between
a message and the end of its look repeats it.
"""

import json
import math
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal, NamedTuple

import dagster as dg

from mlops_assets.errors import AlertError, MlopsError
from resources.alerts import Alerts
from resources.dagster.cancellation import is_by_interrupt
from resources.endpoints.metrics import EndpointMetrics, Gauge

_MODEL_TAG = "mlops/model"
_FAILED = dg.DagsterRunStatus.FAILURE
_ENDED = [dg.DagsterRunStatus.SUCCESS, _FAILED]
_LOOKED_AT = 100
"""Most runs of a look; and so many of a model's newest failures name its jobs beside our own."""
JOBS = (
    *("training", "deployment", "monitoring", "scoring", "backtest"),
    *("rollback", "promotion", "restoration"),
)
"""What every model has, each named after it."""
_SECONDS = 10.0
"""No message to an address is begun later in a look, which Dagster ends after 60 s."""
_GAUGES = "gauges"
"""Follow the stream as the addresses do."""
_NOBODY = "nobody to tell: neither MLOPS_ALERT_WEBHOOK nor MLOPS_ALERT_SMTP is set"

_WHEN_IT_FAILS = (
    "Tells of a job that begins to fail. Leave it on; whom it tells is MLOPS_ALERT_WEBHOOK and "
    "MLOPS_ALERT_SMTP."
)
_WHEN_IT_RECOVERS = "Tells when a job that failed succeeds again. Leave it on, as `run_failed`."

_End = Literal[dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_SUCCESS]


class Place(NamedTuple):
    """How far a listener came in the stream, and when it was new."""

    last: int
    since: float
    """The end of the newest failure before its first look, in seconds since 1970."""


class Ended(NamedTuple):
    """The end of a run, at its place in the stream."""

    place: int
    run: dg.DagsterRun | None
    """None: deleted since, or of another code location."""
    said: str
    """The event's own words."""


class Look(NamedTuple):
    """How far a listener came."""

    place: int
    told: list[str]
    failure: str | None = None


def build_incident_sensors(every_seconds: int = 30) -> list[dg.SensorDefinition]:
    """One for failures and one for successes, over all jobs."""
    failure, success = dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_SUCCESS
    return [
        _build("run_failed", failure, every_seconds, _WHEN_IT_FAILS),
        _build("run_recovered", success, every_seconds, _WHEN_IT_RECOVERS),
    ]


def _build(name: str, end: _End, every_seconds: int, description: str) -> dg.SensorDefinition:
    @dg.sensor(
        name=name,
        description=description,
        minimum_interval_seconds=every_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def sensor(
        context: dg.SensorEvaluationContext, alerts: Alerts, metrics: EndpointMetrics
    ) -> dg.SensorResult:
        before = _places(context.cursor)
        names = (_GAUGES, *alerts.addresses)
        starts = {name: before.get(name) or _first_place(context, end) for name in names}
        looks = {}
        for name, start in starts.items():
            listen = partial(_tell, context.instance, alerts, name, start.since)
            if name == _GAUGES:
                listen = partial(_gauge, context.instance, metrics)
            looks[name] = _follow(start.last, _ends_after(context, end, start.last), listen)
        places = {name: Place(look.place, starts[name].since) for name, look in looks.items()}
        return _result(looks, places, alerts, moved=places != before)

    return sensor


def _result(
    looks: dict[str, Look], places: dict[str, Place], alerts: Alerts, *, moved: bool
) -> dg.SensorResult:
    """What was told and what was not, with the new places."""
    failures = [look.failure for look in looks.values() if look.failure]
    if failures and not moved:
        raise AlertError("; ".join(failures))  # a tick that fails does not keep its places
    told = [f"told {name}: {text}" for name, look in looks.items() for text in look.told]
    nothing = "nothing to tell" if alerts.addresses else _NOBODY
    said = "; ".join([*told, *failures]) or nothing
    return dg.SensorResult(skip_reason=said, cursor=json.dumps(places))


def _places(cursor: str | None) -> dict[str, Place]:
    """Of each listener that was there at the last look; an earlier release noted numbers alone."""
    found = json.loads(cursor) if cursor else {}
    numbers = {name: Place(place, 0.0) for name, place in found.items() if isinstance(place, int)}
    return numbers | {name: Place(*p) for name, p in found.items() if isinstance(p, list)}


def _first_place(context: dg.SensorEvaluationContext, end: _End) -> Place:
    """A listener that is new begins with the next end."""
    failed = _newest_end(context, dg.DagsterEventType.RUN_FAILURE)
    ended = failed if end == dg.DagsterEventType.RUN_FAILURE else _newest_end(context, end)
    # Rounded up: Dagster notes the end of a run in whole microseconds, that of its event in finer.
    since = math.ceil(failed.event_log_entry.timestamp * 1000) / 1000 if failed else 0.0
    return Place(ended.storage_id if ended else 0, since)


def _newest_end(context: dg.SensorEvaluationContext, end: _End) -> dg.EventLogRecord | None:
    wanted = dg.RunStatusChangeRecordsFilter(end)
    return next(iter(context.instance.fetch_run_status_changes(wanted, limit=1).records), None)


def _ends_after(context: dg.SensorEvaluationContext, end: _End, place: int) -> Iterable[Ended]:
    after = dg.RunStatusChangeRecordsFilter(end, after_storage_id=place)
    found = context.instance.fetch_run_status_changes(after, limit=_LOOKED_AT, ascending=True)
    return (_ended(context, record) for record in found.records)


def _ended(context: dg.SensorEvaluationContext, record: dg.EventLogRecord) -> Ended:
    entry, here = record.event_log_entry, context.code_location_origin
    run = context.instance.get_run_by_id(entry.run_id)
    # A run of `mlops run` comes from no code server; it may end an incident, or begin one.
    if run and run.remote_job_origin and here:
        run = run if run.remote_job_origin.location_name == here.location_name else None
    said = entry.dagster_event.message if entry.dagster_event else None
    return Ended(record.storage_id, run, said or "no step failed")


def _follow(place: int, ends: Iterable[Ended], listen: Callable[[Ended], str | None]) -> Look:
    """Pass the ends on until one is not taken, or time is up."""
    told, deadline = [], time.monotonic() + _SECONDS
    for ended in ends:
        if time.monotonic() > deadline:
            break
        try:
            text = listen(ended)
        except MlopsError as err:
            return Look(place, told, str(err))
        place = ended.place
        if text is not None:
            told.append(text)
    return Look(place, told)


def _tell(
    instance: dg.DagsterInstance, alerts: Alerts, address: str, since: float, ended: Ended
) -> str | None:
    text = message(instance, ended.run, ended.said, since) if ended.run else None
    if text is not None:
        alerts.send(address, text)
    return text


def _gauge(instance: dg.DagsterInstance, metrics: EndpointMetrics, ended: Ended) -> str | None:
    model = ended.run.tags.get(_MODEL_TAG) if ended.run else None
    if model is None:
        return None
    metrics.write(model, "runs", [failing_jobs(instance, model)])
    return None


def message(
    instance: dg.DagsterInstance, run: dg.DagsterRun, said: str, since: float
) -> str | None:
    """What to say of an ended run to who was told of all that failed after `since`.

    None while its job goes on as before.
    """
    failed = run.status == _FAILED
    before = _newest(instance, run.job_name, before=run.run_id)
    was_told = before and before.dagster_run.status == _FAILED and (before.end_time or 0.0) > since
    if failed == bool(was_told):
        return None
    if failed:
        cause = _first_failure(instance, run) or said
        return f"{run.job_name} failed (run {run.run_id[:8]}): {cause}"
    return f"{run.job_name} succeeds again (run {run.run_id[:8]})"


def failing_jobs(instance: dg.DagsterInstance, model: str) -> Gauge:
    """1 for each job of the model whose newest ended run failed, 0 for the others.

    Each job is asked for its own newest run: one that fails once a week stays failing, however
    often others run in between.
    """
    failures = dg.RunsFilter(statuses=[_FAILED], tags={_MODEL_TAG: model})
    failed = {run.job_name for run in instance.get_runs(failures, limit=_LOOKED_AT)}
    jobs = sorted({f"{model}_{job}" for job in JOBS} | failed)
    newest = {job: ended.dagster_run for job in jobs if (ended := _newest(instance, job))}
    return Gauge(
        name="model_run_failing",
        help="1: the newest ended run of the job failed.",
        labels=("job_name",),
        values={(job,): float(run.status == _FAILED) for job, run in newest.items()},
    )


def _newest(
    instance: dg.DagsterInstance, job: str, *, before: str | None = None
) -> dg.RunRecord | None:
    """The ended run of a job that was launched last, or last before another; None if none was."""
    wanted = dg.RunsFilter(job_name=job, statuses=_ENDED)
    found = instance.get_run_records(wanted, cursor=before, limit=1)
    return found[0] if found else None


def _first_failure(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """The first failed step's own words; None if none failed by itself: the run says why, then."""
    failures = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    told = [entry.dagster_event for entry in failures if entry.dagster_event]
    events = [event for event in told if not is_by_interrupt(event)]
    if not events:
        return None
    failure, step = events[0].step_failure_data, events[0].step_key
    described = failure.user_failure_data and failure.user_failure_data.description
    raised = failure.error.message.strip() if failure.error else None
    return f"{step}: {described or raised or 'failed'}"
