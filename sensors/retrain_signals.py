"""What the retrain policy is told: reports, source, runs and outcomes, read and not judged."""

from datetime import UTC, datetime
from typing import TypeVar

import dagster as dg

from jobs.asset_jobs import training_job_name, unfinished_trainings
from mlops_assets.blocks.base import Record
from mlops_assets.config import ModelSettings
from mlops_assets.errors import SourceError
from mlops_assets.keys import Stage, asset_key
from mlops_assets.metadata import read_facts
from mlops_assets.ml.data.sources import source_fingerprint
from mlops_assets.records.data import SourceFacts
from mlops_assets.records.evaluation import EvaluationFacts
from mlops_assets.records.monitoring import DriftFacts, DriftSummary, OutcomeFacts
from mlops_assets.records.retraining import Outcome, Pending, Signals

DECISION_TAG = "mlops/decision"
"""Run tag: the id of the decision that asked for the run."""
AS_OF_TAG = "mlops/as_of"
"""Run tag of a replay: the moment that the run stands for, ISO 8601 with its zone."""

_Facts = TypeVar("_Facts", bound=Record)
_LOOKED_AT = 20
"""Newest evaluations among which the newest is found that was the end of a training."""


def read_signals(
    instance: dg.DagsterInstance, settings: ModelSettings, pending: Pending | None
) -> Signals:
    """What Dagster and the source know now."""
    trained = _newest(instance, asset_key(settings.name, "trained_model"), 1)
    outcomes = _facts(instance, settings, "performance_report", OutcomeFacts) or OutcomeFacts()
    # Labels may come for many windows at once, so those of one report are all looked at.
    final = outcomes.final[-settings.monitoring.retrain.performance.windows :]
    fingerprint, note = _source(settings)
    return Signals(
        drift=_drift(instance, settings),
        performance=final,
        estimate=outcomes.estimate,
        fingerprint=fingerprint,
        source_note=note,
        trained_at=_moment(instance, trained[0]) if trained else None,
        trained_on=_trained_on(instance, settings),
        new_labels=_new_labels(instance, settings, outcomes),
        in_flight=unfinished_trainings(instance, settings.name),
        outcome=_outcome(instance, settings, pending) if pending else None,
    )


def _moment(instance: dg.DagsterInstance, record: dg.EventLogRecord) -> datetime:
    """When it happened; in a replay, on the clock that is replayed."""
    run = instance.get_run_by_id(record.run_id)
    as_of = run.tags.get(AS_OF_TAG) if run else None
    if as_of is not None:
        return datetime.fromisoformat(as_of)
    return datetime.fromtimestamp(record.timestamp, UTC)


def _trained_on(instance: dg.DagsterInstance, settings: ModelSettings) -> str | None:
    """Fingerprint of the content that the last training with a verdict has read.

    Before any verdict, that of what was read last, unless that run or a training since has failed:
    what a failed one has read is still new.
    """
    trained = asset_key(settings.name, "trained_model")
    for report in _newest(instance, asset_key(settings.name, "evaluation_report"), _LOOKED_AT):
        if _is_settled(instance, report):
            models = _newest(instance, trained, 1, report.storage_id)
            return _fingerprint(_newest_raw(instance, settings, models[0])) if models else None
    read = _newest_raw(instance, settings)
    jobs = dg.RunsFilter(job_name=training_job_name(settings.name))
    runs = [record.dagster_run for record in instance.get_run_records(jobs, limit=1)]
    if read and (run := instance.get_run_by_id(read.run_id)):
        runs.append(run)
    failed = any(run.status is not dg.DagsterRunStatus.SUCCESS for run in runs)
    return None if failed else _fingerprint(read)


def _is_settled(instance: dg.DagsterInstance, report: dg.EventLogRecord) -> bool:
    """Whether an evaluation was the end of it: refused, or promoted by a run that succeeded."""
    verdict = read_facts(report.asset_materialization, EvaluationFacts)
    if verdict is None:
        return False
    run = instance.get_run_by_id(report.run_id)
    ended_well = run is None or run.status is dg.DagsterRunStatus.SUCCESS
    return ended_well or not verdict.promoted


def _newest_raw(
    instance: dg.DagsterInstance,
    settings: ModelSettings,
    before: dg.EventLogRecord | None = None,
) -> dg.EventLogRecord | None:
    """The reading of the source that is newest, or newest before an event."""
    limit = before.storage_id if before else None
    return next(iter(_newest(instance, asset_key(settings.name, "raw_data"), 1, limit)), None)


def _fingerprint(raw: dg.EventLogRecord | None) -> str | None:
    found = read_facts(raw.asset_materialization, SourceFacts) if raw else None
    return found.source_fingerprint or None if found else None


def _source(settings: ModelSettings) -> tuple[str | None, str]:
    """The fingerprint of the source's content, or why there is none."""
    try:
        fingerprint = source_fingerprint(settings.source)
    except SourceError as err:  # it may be in the middle of being replaced
        return None, str(err)
    return fingerprint, "" if fingerprint else "the loader names no `source.watch` to look at"


def _newest(
    instance: dg.DagsterInstance, key: dg.AssetKey, limit: int, before: int | None = None
) -> list[dg.EventLogRecord]:
    """Materializations, the newest first."""
    wanted = dg.AssetRecordsFilter(asset_key=key, before_storage_id=before)
    return list(instance.fetch_materializations(wanted, limit=limit).records)


def _drift(instance: dg.DagsterInstance, settings: ModelSettings) -> tuple[DriftSummary, ...]:
    """The newest windows that were judged, the oldest of them first."""
    most = settings.monitoring.retrain.drift.windows
    windows: tuple[DriftSummary, ...] = ()
    for record in _newest(instance, asset_key(settings.name, "drift_report"), most):
        found = read_facts(record.asset_materialization, DriftFacts) or DriftFacts()
        if found.windows:  # all that were complete then
            return (*found.windows, *windows)
        windows = (found.summary, *windows) if found.summary else windows
    return windows


def _facts(
    instance: dg.DagsterInstance, settings: ModelSettings, stage: Stage, kind: type[_Facts]
) -> _Facts | None:
    """What the newest materialization states."""
    records = _newest(instance, asset_key(settings.name, stage), 1)
    return read_facts(records[0].asset_materialization, kind) if records else None


def _new_labels(
    instance: dg.DagsterInstance, settings: ModelSettings, outcomes: OutcomeFacts
) -> int | None:
    """Labelled predictions of the windows that end after what the last training has read."""
    evaluation = _facts(instance, settings, "evaluation_report", EvaluationFacts)
    if evaluation is None or evaluation.learnt_until is None or not outcomes.labelled:
        return None
    first = evaluation.learnt_until - settings.monitoring.window
    return sum(n for start, n in outcomes.labelled.items() if start > first)


def _outcome(
    instance: dg.DagsterInstance, settings: ModelSettings, pending: Pending
) -> Outcome | None:
    """What became of the run of a decision; None when it was never seen."""
    wanted = dg.RunsFilter(
        job_name=training_job_name(settings.name), tags={DECISION_TAG: pending.id}
    )
    records = instance.get_run_records(wanted, limit=1)
    if not records:
        if pending.run_id is None:
            return None
        gone = "the run was deleted"
        return Outcome(decision=pending.id, result="failed", run_id=pending.run_id, reason=gone)
    run = records[0].dagster_run
    if not run.is_finished:
        return Outcome(decision=pending.id, result="running", run_id=run.run_id)
    return _finished(instance, settings, pending, run)


def _finished(
    instance: dg.DagsterInstance, settings: ModelSettings, pending: Pending, run: dg.DagsterRun
) -> Outcome:
    """The gate's word, as the run's `evaluation_report` states it; without one, the run failed."""
    report = asset_key(settings.name, "evaluation_report")
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    records = instance.get_records_for_run(run.run_id, of_type=kind).records
    events = [r.asset_materialization for r in records if r.asset_key == report]
    verdict = read_facts(events[-1], EvaluationFacts) if events else None
    if verdict and not verdict.promoted:
        result, reason = "refused", verdict.reasons
    elif verdict and run.status is dg.DagsterRunStatus.SUCCESS:
        result, reason = "promoted", ""
    else:
        result, reason = "failed", f"the run ended as {run.status.value.lower()}"
    return Outcome(decision=pending.id, result=result, run_id=run.run_id, reason=reason)
