"""The retrain policy over worlds whose truth is known: who trains, who knows what when."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import yaml

from mlops_assets.config import ModelSettings
from mlops_assets.ml.backtest.history import History, Version
from mlops_assets.ml.backtest.past import OwnPast
from mlops_assets.ml.backtest.policies import AS_SET, policies
from mlops_assets.ml.backtest.replay import backtest
from mlops_assets.ml.backtest.reports import Reports
from mlops_assets.ml.backtest.ticks import Tick, Training, replay
from mlops_assets.ml.backtest.windows import Window
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.plots.backtest import backtest_plots
from mlops_assets.records.backtest import LossByPolicy, PolicyReport
from mlops_assets.records.retraining import Signals
from tests.support.retraining.backtest_worlds import (
    START,
    broken,
    drifting,
    monitored,
    still,
    table,
    world,
)
from tests.support.toy_models import flat_table

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
TEN_DAYS = {"window": "10d"}


def policy(report: PolicyReport | None) -> dict[str, LossByPolicy]:
    assert report is not None
    return {each.retrain: each for each in report.policies}


class Days:
    """Six ticks; each training takes two, and every second one is refused."""

    first = 0
    moments = tuple(NOON + timedelta(days=n) for n in range(6))

    def __init__(self) -> None:
        self.newest: list[int] = []
        self.trained = 0

    def signals(self, number: int, served: Sequence[int], newest: int) -> Signals:
        self.newest.append(newest)
        return Signals()

    def train(self, number: int, live: int) -> Training:
        self.trained += 1
        return Training(self.trained, number + 2, promoted=self.trained % 2 == 1)


def test_one_training_runs_at_a_time_and_serves_from_its_tick_if_it_is_promoted() -> None:
    past, seen = Days(), list[str | None]()

    def always(tick: Tick) -> bool:
        outcome = tick.signals.outcome
        seen.append(outcome.result if outcome else None)
        assert tick.served[-1] == ([0, 0, 1, 1, 1, 1][tick.number])
        return True

    found = replay(past, always)
    assert found.served == [0, 0, 1, 1, 1, 1]
    assert [(tick, one.version) for tick, one in found.asked] == [(0, 1), (2, 2), (4, 3)]
    assert found.last == 3  # it was ready after the last tick
    assert seen == [None, "running", "promoted", "running", "refused", "running"]
    assert past.newest == [0, 1, 1, 2, 2, 3]


def test_after_one_break_the_alarm_needs_fewer_trainings_than_a_clock() -> None:
    report = backtest(world(broken), monitored(table(), **TEN_DAYS), most=8)

    found = policy(report.policy)
    assert report.policy is not None
    best = report.policy.best
    assert best is not None
    assert 0 < best.trainings < found[AS_SET].trainings
    assert best.shown
    assert found["{budget_per_month: 0}"].trainings == 0
    assert not found["{budget_per_month: 0}"].shown
    assert report.yaml == report.policy.yaml
    taken = yaml.safe_load(report.yaml)["monitoring"]["retrain"]
    assert taken == yaml.safe_load(best.retrain)
    ModelSettings.model_validate(monitored(table(), retrain=taken).model_dump())
    assert [each.trainings for each in report.policy.policies] == sorted(
        each.trainings for each in report.policy.policies
    )
    assert backtest_plots(report).keys() == {"loss_by_age", "loss_by_cadence", "loss_by_policy"}


def test_where_nothing_moves_alarms_are_quiet_and_new_data_alone_is_no_reason() -> None:
    report = backtest(world(still), monitored(table(), **TEN_DAYS))
    assert report.policy is not None
    assert report.policy.best is not None
    assert report.policy.best.retrain == "{on_new_data: signal}"
    assert report.policy.best.trainings == 0
    assert policy(report.policy)[AS_SET].trainings == 5


def test_where_it_drifts_steadily_the_clock_is_kept_and_as_set_is_said_to_be_enough() -> None:
    report = backtest(world(drifting), monitored(table(), **TEN_DAYS))
    assert report.policy is not None
    assert report.policy.best == policy(report.policy)[AS_SET]
    assert report.policy.yaml == ""
    assert yaml.safe_load(report.yaml) == {"schedule": {"train": "0 0 1 * *"}}
    assert "monitoring.retrain as set trains 5 times" in report.policy.said


def test_windows_of_too_few_rows_say_nothing_and_that_is_said() -> None:
    report = backtest(world(drifting), table())
    assert report.policy is not None
    assert "of monitoring.window, 1 day, have fewer than the 100 rows" in report.policy.said
    assert policy(report.policy)["{on_new_data: signal}"].trainings == 0


def test_a_gate_that_asks_for_a_gain_refuses_where_nothing_moves() -> None:
    settings = monitored(table(), **TEN_DAYS)
    gate = settings.evaluation.gate.model_copy(update={"against_champion": "superior"})
    strict = settings.evaluation.model_copy(update={"gate": gate})
    report = backtest(world(still), settings.model_copy(update={"evaluation": strict}))
    as_set = policy(report.policy)[AS_SET]
    assert (as_set.trainings, as_set.refused) == (5, 4)  # the second version knows more rows
    lenient = policy(backtest(world(still), settings).policy)[AS_SET]
    assert (lenient.trainings, lenient.refused) == (5, 0)


def test_future_labels_change_no_decision() -> None:
    rows, settings = world(broken), monitored(table(), **TEN_DAYS)
    before = backtest(rows, settings)
    last = before.windows[-1]
    changed = rows.assign(y=np.where(rows[TIMESTAMP] > last.start, 1 - rows["y"], rows["y"]))
    after = backtest(changed, settings)
    counts = [
        {name: (each.trainings, each.refused) for name, each in policy(one.policy).items()}
        for one in (before, after)
    ]
    assert counts[0] == counts[1]


def made(settings: ModelSettings, rows: pd.DataFrame, months: int) -> History:
    """Versions that say one half of everything."""
    ends = [START + pd.DateOffset(months=n) for n in range(1, months + 2)]
    versions = []
    for start in ends[:-1]:
        known = int((rows[TIMESTAMP] <= start - settings.label_delay).sum())
        versions.append(Version(start, known, np.full((len(rows) - known, 1), 0.5), [0, 1]))
    windows = [Window(start, end) for start, end in pairwise(ends)]
    return History(rows, settings, windows, versions)


@pytest.mark.parametrize(("maturity", "first"), [("1d", 2), ("40d", 3), ("400d", None)])
def test_the_held_out_window_was_labelled_when_the_version_was_trained(
    maturity: str, first: int | None
) -> None:
    settings = monitored(table(), labels={"maturity": maturity})
    history = made(settings, world(still), 8)
    assert history.first == first
    for version in range(first or 8, 8):
        window = history.windows[history.held_out(version)]
        known = history.versions[version].trained_at - settings.label_delay
        assert window.end <= known < window.end + pd.DateOffset(months=1, days=1)


def test_a_window_is_told_once_its_labels_have_come_and_is_none_that_was_learnt_from() -> None:
    settings = monitored(table(), labels={"maturity": "40d"}, **TEN_DAYS)
    history = made(settings, world(still), 8)
    past = OwnPast(history, [], 3, Reports(history))
    for number, now in enumerate(past.moments):
        served = [*[3] * number, past.parts[number].window]
        found = past.signals(number, served, 3)
        for report in found.performance:
            assert report.final
            assert report.window.end + timedelta(days=30) < now + timedelta(days=1)
            learnt = history.versions[served[-1]].trained_at - settings.label_delay
            assert report.window.end > learnt
        assert (
            found.new_labels
            == (history.labelled[TIMESTAMP] <= _newest_known(past, number)).sum()
            - history.versions[3].rows
        )
    assert {part.window for part in past.parts} == {3, 4, 5, 6}  # of 0 to 7


def _newest_known(past: OwnPast, number: int) -> pd.Timestamp:
    ends = [part.rows.stop for part in past.parts if part.known <= past.moments[number]]
    last = max(ends, default=past.history.versions[3].rows)
    return past.history.labelled[TIMESTAMP].iloc[last - 1]


def test_labels_that_come_too_late_for_a_replay_are_said_so() -> None:
    report = backtest(world(still), monitored(table(), labels={"maturity": "170d"}))
    assert report.policy is not None
    assert report.policy.policies == ()
    assert "labels come after 170 days, and 0 of 8 windows have such a version" in (
        report.policy.said
    )


def test_a_month_of_one_class_and_one_of_few_rows_are_judged() -> None:
    rows = world(still)
    october = rows[TIMESTAMP].between("2024-10-01", "2024-11-15")
    alone = rows.assign(y=np.where(october, 0.0, rows["y"]))
    few = alone[~rows[TIMESTAMP].between("2024-08-02", "2024-08-29")]
    found = policy(backtest(few, monitored(table(), **TEN_DAYS)).policy)
    assert found["{on_new_data: signal}"].trainings > 0  # a world without positives is no calm one


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_numbers_and_several_classes(task: str) -> None:
    rows = world(broken)
    value = np.where(rows[TIMESTAMP] < "2024-08-08", 2.0, -2.0) * rows["a"] + rows["b"]
    estimator, y = "sklearn.linear_model.Ridge", value
    if task == "multiclass":
        estimator = LOGISTIC_CLASS
        y = pd.cut(value, [-np.inf, -1, 1, np.inf], labels=["low", "mid", "high"]).astype(object)
    settings = flat_table(
        {"a": "float64", "b": "float64", "y": "float64" if task == "regression" else "string"},
        target={"task": task},
        training={"estimator": estimator, "split": {"by": "time", "test": "1 month"}},
    )
    report = backtest(rows.assign(y=y), monitored(settings, **TEN_DAYS))
    found = policy(report.policy)
    assert 0 < found["{on_new_data: signal}"].trainings <= found[AS_SET].trainings
    assert found["{on_new_data: signal}"].excess < found["{budget_per_month: 0}"].excess


LOGISTIC_CLASS = "sklearn.linear_model.LogisticRegression"


def test_a_model_that_is_trained_by_hand_is_offered_a_budget() -> None:
    settings = monitored(table(), retrain={"budget_per_month": 0})
    found = policies(settings)
    assert found[0] == (None, settings.monitoring.retrain)
    assert all(one.budget_per_month == 10 for _, one in found[1:])
    kept = [one.model_dump_json() for _, one in found]
    assert len(kept) == len(set(kept))
