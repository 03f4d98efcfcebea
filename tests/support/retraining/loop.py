"""The retraining sensor on an instance in memory: reports, runs and the source in, runs out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from mlops_assets.config import ModelSettings
from mlops_assets.metadata import stated
from mlops_assets.records.evaluation import EvaluationFacts
from mlops_assets.records.monitoring import DriftSummary, PerformanceSummary, Window
from sensors.retraining import tick
from tests.support.runs.dagster_internals import StepMaterializationData
from tests.support.runs.pipeline_runs import build

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


class Loop:
    """One model's sensor on an instance; what it requests becomes a run, as in the daemon."""

    def __init__(
        self, settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
    ) -> None:
        self.settings, self.resources, self.instance = settings, resources, instance
        self.decisions = resources["decisions"]
        self.job = build(settings, resources).resolve_job_def("loans_training")
        self.now, self.windows = START, 0
        self.estimate: dict[str, Any] = {}

    def tick(self, *, launched: bool = True) -> dg.SensorResult:
        """One evaluation; `launched=False`: the daemon is killed before it reads the answer."""
        self.now += timedelta(minutes=1)
        result = tick(self.instance, self.settings, self.decisions, self.now)
        for request in result.run_requests or [] if launched else []:
            keyed = {"dagster/run_key": str(request.run_key)}
            if not self.instance.get_runs(dg.RunsFilter(tags=keyed)):
                tags, status = {**request.tags, **keyed}, dg.DagsterRunStatus.STARTED
                self.instance.create_run_for_job(self.job, tags=tags, status=status)
        return result

    def end_run(self, *, promoted: bool | None, failed: bool | None = None) -> None:
        """End the open run by the gate's verdict, or without (None): by a failure, unless told."""
        (run,) = self.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        if promoted is not None:
            facts = evaluated(promoted=promoted, reasons="too bad")
            self.report("evaluation_report", stated(facts), run)
        failed = promoted is None if failed is None else failed
        kind = dg.DagsterEventType.RUN_FAILURE if failed else dg.DagsterEventType.RUN_SUCCESS
        self.instance.report_dagster_event(dg.DagsterEvent(kind.value, run.job_name), run.run_id)

    def report(
        self, stage: str, metadata: dict[str, Any], run: dg.DagsterRun | None = None
    ) -> None:
        """A materialization of a report, by a run or by hand."""
        event = dg.AssetMaterialization(["loans", stage], metadata=metadata)
        if run is None:
            self.instance.report_runless_asset_event(event)
            return
        step = dg.DagsterEvent(
            dg.DagsterEventType.ASSET_MATERIALIZATION.value,
            run.job_name,
            event_specific_data=StepMaterializationData(event),
        )
        self.instance.report_dagster_event(step, run.run_id)

    def window(self, *, drifted: bool = True, rise: float = 0.2, **drift: Any) -> None:
        """A drift report on the next day, and the estimate of its performance."""
        self.windows += 1
        self.now += DAY
        start = START + self.windows * DAY
        common = {
            "model": "loans",
            "model_version": 1,
            "window": Window(start=start, end=start + DAY),
        }
        found = DriftSummary(
            **common,
            rows=500,
            reference_rows=500,
            verdict="drifted" if drifted else "calm",
            **drift,
        )
        estimate = PerformanceSummary(
            **common,
            rows=500,
            labelled_rows=0,
            final=False,
            verdict="unknown",
            estimated={"log_loss": 0.3 * (1 + rise)},
            reference={"log_loss": 0.3},
        )
        self.report("drift_report", {"summary": found.model_dump(mode="json")})
        self.estimate = estimate.model_dump(mode="json")
        self.report("performance_report", {"estimate": self.estimate})


def evaluated(**facts: Any) -> EvaluationFacts:
    """What an evaluation of version 1 states."""
    known = {"model_uri": "models:/loans/1", "champion": "none", "promoted": True, "reasons": "-"}
    return EvaluationFacts(**{**known, **facts})


def requested(result: dg.SensorResult) -> list[str]:
    """The keys of the runs that were asked for."""
    return [str(request.run_key) for request in result.run_requests or []]
