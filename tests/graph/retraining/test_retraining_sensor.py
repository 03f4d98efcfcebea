"""The retraining sensor and the reports: what trains, what waits and what is left alone."""

from itertools import pairwise
from typing import Any

import dagster as dg
import pytest

from mlops_assets.cli.retraining import Retraining
from mlops_assets.config import ModelSettings
from mlops_assets.metadata import stated
from mlops_assets.records.monitoring import PerformanceSummary, Window
from mlops_assets.records.retraining import Pause
from resources.dagster.internals import AUTO_RETRY_RUN_ID_TAG, WILL_RETRY_TAG
from sensors.retrain_signals import DECISION_TAG
from tests.support.retraining.loop import DAY, START, Loop, evaluated, requested


@pytest.fixture
def loop(loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance) -> Loop:
    """New data only signals, so that what is asserted comes from the reports."""
    retrain = {"on_new_data": "signal", "cooldown": "1d", "backoff": "4d", "budget_per_month": 3}
    loans["monitoring"] = {"retrain": retrain}
    return Loop(ModelSettings.model_validate(loans), resources, instance)


def test_a_calm_model_is_left_alone_and_a_quiet_time_is_one_row(loop: Loop) -> None:
    loop.window(drifted=False)
    for _ in range(20):
        assert "idle (calm)" in str(loop.tick().skip_reason)
    (row,) = loop.decisions.history("loans", 10)
    assert row.ticks == 20
    assert "0 of 1 windows drifted (alarm at 3 of 5)" in row.reason


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
    loop.report("evaluation_report", stated(evaluated(learnt_until=START + 2 * DAY)))
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


def test_a_run_that_another_finishes_by_itself_ends_as_that_does(loop: Loop) -> None:
    """As in a cluster one does whose pod was lost after the verdict."""
    for _ in range(3):
        loop.window()
    loop.tick()
    (lost,) = loop.instance.get_runs()
    loop.report("evaluation_report", stated(evaluated(promoted=True)), lost)
    failed = dg.DagsterEvent(dg.DagsterEventType.RUN_FAILURE.value, lost.job_name)
    loop.instance.report_dagster_event(failed, lost.run_id)
    loop.instance.add_run_tags(lost.run_id, {WILL_RETRY_TAG: "true"})
    assert "running" in str(loop.tick().skip_reason)

    another = loop.instance.create_run_for_job(
        loop.job,
        tags=lost.tags,
        parent_run_id=lost.run_id,
        root_run_id=lost.run_id,
        status=dg.DagsterRunStatus.STARTED,
    )
    loop.instance.add_run_tags(lost.run_id, {AUTO_RETRY_RUN_ID_TAG: another.run_id})
    assert "running (one_in_flight)" in str(loop.tick().skip_reason)
    loop.end_run(promoted=None, failed=False)
    assert not requested(loop.tick())
    (row,) = [row for row in loop.decisions.history("loans", 10) if row.action == "train"]
    assert row.outcome == "promoted"


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
