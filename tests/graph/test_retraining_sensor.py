"""The retraining sensor on an instance in memory: reports, runs and the source in, runs out."""

import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import StepMaterializationData

from mlops_assets.cli.monitoring import Retraining
from mlops_assets.config import ModelSettings
from mlops_assets.records.monitoring import DriftSummary, PerformanceSummary, Window
from mlops_assets.records.retraining import Pause
from sensors.retrain_signals import DECISION_TAG
from sensors.retraining import build_retraining_sensor, tick
from tests.graph.test_pipeline import STAGES, build, materialize

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

    def end_run(self, *, promoted: bool | None) -> None:
        """End the open run by the gate's verdict, or by a failure before it (None)."""
        (run,) = self.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        if promoted is not None:
            self.report("evaluation_report", {"promoted": promoted, "reasons": "too bad"}, run)
        failed = promoted is None
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


@pytest.fixture
def loop(loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance) -> Loop:
    """New data only signals, so that what is asserted comes from the reports."""
    retrain = {"on_new_data": "signal", "cooldown": "1d", "backoff": "4d", "budget_per_month": 3}
    loans["monitoring"] = {"retrain": retrain}
    return Loop(ModelSettings.model_validate(loans), resources, instance)


def requested(result: dg.SensorResult) -> list[str]:
    return [str(request.run_key) for request in result.run_requests or []]


def test_a_calm_model_is_left_alone_and_a_quiet_time_is_one_row(loop: Loop) -> None:
    loop.window(drifted=False)
    for _ in range(20):
        assert "idle (calm)" in str(loop.tick().skip_reason)
    (row,) = loop.decisions.history("loans", 10)
    assert row.ticks == 20
    assert "0 of 1 windows drifted" in row.reason


def test_one_drifted_window_does_not_train_however_often_it_is_seen(loop: Loop) -> None:
    loop.window()
    for _ in range(5):
        result = loop.tick()
        assert not requested(result)
    assert "1 of 1 windows drifted" in str(result.skip_reason)


def test_enough_drifted_windows_train_once_and_say_why(loop: Loop) -> None:
    for _ in range(3):
        assert not requested(loop.tick())
        loop.window()
    result = loop.tick()
    assert len(requested(result)) == 1
    (request,) = result.run_requests or []
    assert request.tags["mlops/trigger"] == "drift"
    assert "3 of 3 windows drifted, and the estimated loss is +20.0%" in request.tags["mlops/why"]
    (event,) = result.asset_events
    assert event.metadata["rule"].value == "drift"

    assert "running (one_in_flight)" in str(loop.tick().skip_reason)
    loop.end_run(promoted=True)
    for _ in range(3):  # the same reports again
        loop.now += 2 * DAY
        assert not requested(loop.tick())
    assert len(loop.instance.get_runs()) == 1
    rows = loop.decisions.history("loans", 10)
    assert [row.outcome for row in rows if row.action == "train"] == ["promoted"]


def test_too_few_labels_since_the_last_training_make_an_alarm_wait(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    loans["monitoring"] = {"retrain": {"on_new_data": "signal", "min_new_labels": 300}}
    loop = Loop(ModelSettings.model_validate(loans), resources, instance)
    loop.report("evaluation_report", {"learnt_until": (START + 2 * DAY).isoformat()})
    labelled = {(START + day * DAY).isoformat(): 100 for day in range(4)}
    for _ in range(3):
        loop.window()
    loop.report("performance_report", {"labelled": labelled, "estimate": loop.estimate})
    assert "200 of 300 new labels" in str(loop.tick().skip_reason)
    more = {**labelled, (START + 4 * DAY).isoformat(): 100}
    loop.report("performance_report", {"labelled": more, "estimate": loop.estimate})
    assert requested(loop.tick())


def test_windows_whose_labels_came_at_once_are_all_counted(loop: Loop) -> None:
    late = [outcome(day).model_dump(mode="json") for day in (1, 2)]
    loop.report("performance_report", {"final": late})
    (request,) = loop.tick().run_requests or []
    assert request.tags["mlops/why"] == "2 of 2 windows degraded"


def outcome(day: int) -> PerformanceSummary:
    """A degraded window."""
    start = START + day * DAY
    return PerformanceSummary(
        model="loans",
        model_version=1,
        window=Window(start=start, end=start + DAY),
        rows=500,
        labelled_rows=500,
        final=True,
        verdict="degraded",
    )


def test_drift_without_a_worse_estimate_is_an_alert(loop: Loop) -> None:
    for _ in range(4):
        loop.window(rise=0.01)
        result = loop.tick()
        assert not requested(result)
    assert "alert (drift_is_not_confirmed)" in str(result.skip_reason)


def test_a_fault_upstream_is_an_alert_and_trains_nothing(loop: Loop) -> None:
    for _ in range(5):
        loop.window(broken_columns=("amount",))
        result = loop.tick()
        assert not requested(result)
    assert "alert (broken_upstream): ['amount']" in str(result.skip_reason)


def test_a_refused_challenger_backs_off_longer_each_time(loop: Loop) -> None:
    moments = []
    for promoted in (False, None, True):  # a run that fails is no better than a refused one
        while not requested(loop.tick()):
            loop.window()
        moments.append(loop.now)
        loop.end_run(promoted=promoted)
    first, second = (after - before for before, after in pairwise(moments))
    assert 4 * DAY <= first <= 6 * DAY
    assert 8 * DAY <= second <= 10 * DAY

    rows = loop.decisions.history("loans", 100)
    assert "backoff" in {row.rule for row in rows}
    outcomes = [row.outcome for row in rows if row.action == "train"]
    assert outcomes == ["refused: too bad", "failed: the run ended as failure", None]


def test_the_budget_bounds_the_trainings_of_any_30_days(loop: Loop) -> None:
    trained = []
    while loop.now < START + 40 * DAY:
        loop.window()
        if requested(loop.tick()):
            trained.append(loop.now)
            loop.end_run(promoted=True)
    assert max(sum(a <= t < a + 30 * DAY for t in trained) for a in trained) == 3
    assert len(trained) >= 4
    assert any(
        "3 of 3 trainings in 30 days" in r.reason for r in loop.decisions.history("loans", 99)
    )


def test_a_pause_holds_and_ends(loop: Loop) -> None:
    pause = Pause(until=START + 10 * DAY, why="stocktaking", who="ann")
    loop.decisions.set_pause("loans", pause, loop.now)
    for _ in range(9):
        loop.window()
        result = loop.tick()
        assert not requested(result)
    assert "paused until 2026-01-11 00:00 UTC by ann: stocktaking" in str(result.skip_reason)
    loop.window()
    assert requested(loop.tick())


def test_a_daemon_killed_between_decision_and_run_neither_loses_nor_doubles_it(loop: Loop) -> None:
    for _ in range(3):
        loop.window()
    (lost,) = requested(loop.tick(launched=False))
    again = loop.tick()
    assert requested(again) == [lost], "decided once, asked for until a run is seen"
    assert not requested(loop.tick())
    assert len(loop.instance.get_runs(dg.RunsFilter(tags={DECISION_TAG: lost}))) == 1
    decided = [row.rule for row in loop.decisions.history("loans", 10) if row.action == "train"]
    assert decided == ["drift", "repeated"]


def test_a_deleted_run_counts_as_failed(loop: Loop) -> None:
    for _ in range(3):
        loop.window()
    loop.tick()
    loop.tick()  # sees it
    (run,) = loop.instance.get_runs()
    loop.instance.delete_run(run.run_id)
    assert not requested(loop.tick())
    (row,) = [row for row in loop.decisions.history("loans", 10) if row.action == "train"]
    assert row.outcome == "failed: the run was deleted"


def test_the_command_line_says_why_and_pauses(loop: Loop) -> None:
    verbs = Retraining("loans", loop.decisions)
    assert "switch the sensor loans_retraining on" in verbs.why(5)
    for _ in range(3):
        loop.window()
        loop.tick()
    said = verbs.why(1)
    assert "train (drift)" in said
    assert "3 of 3 windows drifted" in said

    assert "not paused" in verbs.resume()
    assert "paused until" in verbs.pause(7 * DAY, "stocktaking")
    assert "(stocktaking)" in verbs.why(1)
    assert "resumed" in verbs.resume()
    assert "paused" not in verbs.why(1)


@pytest.fixture
def trainer(loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance) -> Loop:
    """The default: each change of the source's content trains."""
    loans["monitoring"] = {"retrain": {"cooldown": "1s"}}
    return Loop(ModelSettings.model_validate(loans), resources, instance)


def test_each_change_of_content_requests_one_run(trainer: Loop, loans_csv: Path) -> None:
    first = requested(trainer.tick())
    assert len(first) == 1, "never materialized"
    trainer.tick()
    trainer.end_run(promoted=True)
    assert "content unchanged" in str(trainer.tick().skip_reason)

    os.utime(loans_csv, (1, 1))
    assert not requested(trainer.tick()), "touched, not changed"

    original = loans_csv.read_text()
    loans_csv.write_text(original + "400,2025-02-04,3.5,a,0\n")
    changed = requested(trainer.tick())
    trainer.end_run(promoted=True)
    trainer.tick()
    loans_csv.write_text(original)
    back = requested(trainer.tick())

    assert len({*first, *changed, *back}) == 3, "changing back is a change too"


def test_new_content_waits_for_the_cooldown_of_a_training_by_hand(
    loop: Loop, resources: dict[str, Any], instance: dg.DagsterInstance, loans: dict[str, Any]
) -> None:
    loans["monitoring"] = {"retrain": {"cooldown": "1d"}}
    loop = Loop(ModelSettings.model_validate(loans), resources, instance)
    assert materialize(loop.settings, resources, instance, STAGES[:4]).success
    loop.now = datetime.now(UTC)
    assert "content unchanged" in str(loop.tick().skip_reason), "the run by hand has read it"

    file = Path(str(loop.settings.source.uri))
    file.write_text(file.read_text() + "400,2025-02-04,3.5,a,0\n")
    assert "wait (cooldown): the source has new content" in str(loop.tick().skip_reason)
    loop.now += DAY
    assert requested(loop.tick())


def test_a_source_that_was_materialized_by_hand_is_not_trained_again(
    trainer: Loop, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    materialize(trainer.settings, resources, instance, ["raw_data"])
    result = trainer.tick()
    assert not requested(result)
    assert "unchanged" in str(result.skip_reason)


def test_a_missing_source_is_a_reason_to_wait(trainer: Loop, loans_csv: Path) -> None:
    loans_csv.unlink()
    result = trainer.tick()
    assert not requested(result)
    assert "loans.csv" in str(result.skip_reason)


def test_the_sensor_itself_decides_and_records(trainer: Loop) -> None:
    sensor = build_retraining_sensor(trainer.settings)
    context = dg.build_sensor_context(
        instance=trainer.instance, resources={"decisions": trainer.decisions}
    )
    result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    assert len(requested(result)) == 1
    assert trainer.decisions.history("loans", 1)[0].rule == "new_data"
