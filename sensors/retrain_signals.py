"""What the retrain policy is told: reports, source, runs and outcomes, read and not judged."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

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
from mlops_assets.records.retraining import Outcome, Pending, Result, Signals
from resources.dagster.internals import AUTO_RETRY_RUN_ID_TAG, WILL_RETRY_TAG

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
    events = _Events(instance, settings)
    trained = events.newest("trained_model")
    outcomes = events.facts("performance_report", OutcomeFacts) or OutcomeFacts()
    # Labels may come for many windows at once, so those of one report are all looked at.
    final = outcomes.final[-settings.monitoring.retrain.performance.windows :]
    fingerprint, note = _source(settings)
    return Signals(
        drift=events.drift(),
        performance=final,
        estimate=outcomes.estimate,
        fingerprint=fingerprint,
        source_note=note,
        trained_at=events.moment(trained) if trained else None,
        trained_on=events.trained_on(),
        new_labels=events.new_labels(outcomes),
        in_flight=unfinished_trainings(instance, settings.name),
        outcome=events.outcome(pending) if pending else None,
    )


def _source(settings: ModelSettings) -> tuple[str | None, str]:
    """The fingerprint of the source's content, or why there is none."""
    from resources.databases.rows import fingerprint

    source = settings.source
    look = source_fingerprint if source.database is None else fingerprint
    try:
        found = look(source)
    except SourceError as err:  # it may be in the middle of being replaced
        return None, str(err)
    return found, "" if found else "the source names no `watch` to look at"


class _Events(NamedTuple):
    """What Dagster knows of one model."""

    instance: dg.DagsterInstance
    settings: ModelSettings

    def all_newest(
        self, stage: Stage, limit: int, before: dg.EventLogRecord | None = None
    ) -> Sequence[dg.EventLogRecord]:
        """Materializations, or those before an event; the newest first."""
        wanted = dg.AssetRecordsFilter(
            asset_key=asset_key(self.settings.name, stage),
            before_storage_id=before.storage_id if before else None,
        )
        return self.instance.fetch_materializations(wanted, limit=limit).records

    def newest(
        self, stage: Stage, before: dg.EventLogRecord | None = None
    ) -> dg.EventLogRecord | None:
        """The first of `all_newest`."""
        return next(iter(self.all_newest(stage, 1, before)), None)

    def facts(self, stage: Stage, kind: type[_Facts]) -> _Facts | None:
        """What the newest materialization states."""
        newest = self.newest(stage)
        return read_facts(newest.asset_materialization, kind) if newest else None

    def moment(self, record: dg.EventLogRecord) -> datetime:
        """When it happened; in a replay, on the clock that is replayed."""
        run = self.instance.get_run_by_id(record.run_id)
        as_of = run.tags.get(AS_OF_TAG) if run else None
        if as_of is not None:
            return datetime.fromisoformat(as_of)
        return datetime.fromtimestamp(record.timestamp, UTC)

    def trained_on(self) -> str | None:
        """Fingerprint of the content that the last training with a verdict has read.

        Before any verdict, that of what was read last, unless that run or a training since has
        failed: what a failed one has read is still new.
        """
        for report in self.all_newest("evaluation_report", _LOOKED_AT):
            if self.is_settled(report):
                model = self.newest("trained_model", report)
                return _fingerprint(self.newest("raw_data", model)) if model else None
        read = self.newest("raw_data")
        jobs = dg.RunsFilter(job_name=training_job_name(self.settings.name))
        runs = [*self.instance.get_runs(jobs, limit=1)]
        if read and (run := self.end_of(read.run_id)):
            runs.append(run)
        failed = any(run.status is not dg.DagsterRunStatus.SUCCESS for run in runs)
        return None if failed else _fingerprint(read)

    def is_settled(self, report: dg.EventLogRecord) -> bool:
        """Whether an evaluation was the end of it: refused, or promoted by a run that succeeded."""
        verdict = read_facts(report.asset_materialization, EvaluationFacts)
        if verdict is None:
            return False
        run = self.end_of(report.run_id)
        ended_well = run is None or run.status is dg.DagsterRunStatus.SUCCESS
        return ended_well or not verdict.promoted

    def end_of(self, run_id: str) -> dg.DagsterRun | None:
        """A run, or the one that Dagster started by itself to finish it; None if it was deleted."""
        run = self.instance.get_run_by_id(run_id)
        while run and (another := run.tags.get(AUTO_RETRY_RUN_ID_TAG)):
            run = self.instance.get_run_by_id(another)
        return run

    def drift(self) -> tuple[DriftSummary, ...]:
        """The newest windows that were judged, the oldest of them first."""
        windows: tuple[DriftSummary, ...] = ()
        most = self.settings.monitoring.retrain.drift.windows
        for record in self.all_newest("drift_report", most):
            found = read_facts(record.asset_materialization, DriftFacts) or DriftFacts()
            if found.windows:  # all that were complete then
                return (*found.windows, *windows)
            windows = (found.summary, *windows) if found.summary else windows
        return windows

    def new_labels(self, outcomes: OutcomeFacts) -> int | None:
        """Labelled predictions of the windows that end after what the last training has read."""
        evaluation = self.facts("evaluation_report", EvaluationFacts)
        if evaluation is None or evaluation.learnt_until is None or not outcomes.labelled:
            return None
        first = evaluation.learnt_until - self.settings.monitoring.window
        return sum(n for start, n in outcomes.labelled.items() if start > first)

    def outcome(self, pending: Pending) -> Outcome | None:
        """What became of the run of a decision; None when it was never seen."""
        job, tags = training_job_name(self.settings.name), {DECISION_TAG: pending.id}
        runs = self.instance.get_runs(dg.RunsFilter(job_name=job, tags=tags), limit=1)
        run_id = runs[0].run_id if runs else pending.run_id
        if run_id is None:
            return None
        result, reason = self.result(runs[0]) if runs else ("failed", "the run was deleted")
        return Outcome(decision=pending.id, result=result, run_id=run_id, reason=reason)

    def result(self, run: dg.DagsterRun) -> tuple[Result, str]:
        """The gate's word, as the run's `evaluation_report` states it; without one, it failed."""
        is_to_be_retried = run.tags.get(WILL_RETRY_TAG) == "true"
        if not run.is_finished or (is_to_be_retried and AUTO_RETRY_RUN_ID_TAG not in run.tags):
            return "running", ""
        verdict = self.verdict(run)
        if verdict and not verdict.promoted:
            return "refused", verdict.reasons
        if verdict and run.status is dg.DagsterRunStatus.SUCCESS:
            return "promoted", ""
        return "failed", f"the run ended as {run.status.value.lower()}"

    def verdict(self, run: dg.DagsterRun) -> EvaluationFacts | None:
        """Of the run, or of that which it finishes; None where neither came so far."""
        report = asset_key(self.settings.name, "evaluation_report")
        kind = dg.DagsterEventType.ASSET_MATERIALIZATION
        records = self.instance.get_records_for_run(run.run_id, of_type=kind).records
        events = [r.asset_materialization for r in records if r.asset_key == report]
        if events:
            return read_facts(events[-1], EvaluationFacts)
        before = self.instance.get_run_by_id(run.parent_run_id) if run.parent_run_id else None
        return self.verdict(before) if before else None


def _fingerprint(raw: dg.EventLogRecord | None) -> str | None:
    found = read_facts(raw.asset_materialization, SourceFacts) if raw else None
    return found.source_fingerprint or None if found else None
