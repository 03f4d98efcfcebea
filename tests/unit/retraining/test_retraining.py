"""The retrain policy, case by case."""

from datetime import timedelta

import pytest

from mlops_assets.blocks.monitoring import AlarmSettings, RetrainSettings
from mlops_assets.ml.retraining.policy import back_off, decide, loss_rise, observe
from mlops_assets.records.retraining import RetrainState
from tests.support.retraining.reports import DAY, POLICY, START, drift, feed, performance


def test_degraded_performance_outranks_drift_and_new_data() -> None:
    reports = [drift(1), drift(2), drift(3), performance(1), performance(2)]
    decision = decide(POLICY, RetrainState(), feed(*reports, fingerprint="new"), START + 9 * DAY)
    assert (decision.action, decision.rule) == ("train", "performance")
    assert decision.reason == "2 of 2 windows degraded"


def test_one_window_reported_hourly_is_one_window() -> None:
    state = RetrainState()
    for hour in range(24):
        decision = decide(POLICY, state, feed(drift(1)), START + timedelta(hours=hour))
        state = decision.state
        assert decision.action == "idle"
    assert len(state.drift.windows) == 1


def test_an_alarm_stays_on_until_few_windows_are_bad() -> None:
    days = (True, True, True, False, False, True, False, False, False)
    on, state = [], RetrainState()
    for day, bad in enumerate(days):
        state = observe(POLICY, state, feed(drift(day, bad=bad)), START)
        on.append(state.drift.on)
    # Of five: 1, 2, 3 raise it; 3, 3, 3, 2 keep it; 1 ends it.
    assert on == [False, False, True, True, True, True, True, False, False]


def test_a_new_version_starts_without_the_alarm_of_the_old() -> None:
    old = observe(POLICY, RetrainState(), feed(drift(1), drift(2), drift(3)), START)
    assert old.drift.on
    new = observe(POLICY, old, feed(drift(4, version=2)), START)
    assert not new.drift.on
    assert len(new.drift.windows) == 1


def test_it_trains_again_with_each_new_window_until_two_are_good() -> None:
    asked, state = [], RetrainState()
    for day, bad in enumerate((True, True, True, True, False, False, False)):
        now = START + 4 * day * DAY
        signals = feed(
            performance(day, bad=bad, version=day)
        )  # each answered by the newest version
        decision = decide(POLICY.model_copy(update={"budget_per_month": 9}), state, signals, now)
        asked.append(decision.rule)
        state = decision.state.model_copy(update={"pending": None})  # promoted
    assert asked == ["calm", *["performance"] * 4, "calm", "calm"]


def test_what_was_trained_on_waits_for_new_labels() -> None:
    bad = feed(performance(1), performance(2))
    state = decide(POLICY, RetrainState(), bad, START).state.model_copy(update={"pending": None})
    decision = decide(POLICY, state, bad, START + 9 * DAY)
    assert (decision.action, decision.rule) == ("wait", "labels")
    assert "the next labelled window decides" in decision.reason


def test_drift_of_a_regression_is_not_confirmed_and_says_why() -> None:
    confirm = POLICY.model_copy(update={"on_drift": "confirm"})
    drifts = [drift(1), drift(2), drift(3)]
    decision = decide(confirm, RetrainState(), feed(*drifts, estimate=performance(3)), START)
    assert (decision.action, decision.rule) == ("alert", "drift_is_not_confirmed")
    assert "not known (binary models have one)" in decision.reason


def test_windows_of_a_fault_do_not_count_when_their_labels_come() -> None:
    state = observe(POLICY, RetrainState(), feed(drift(1, broken="x"), drift(2, broken="x")), START)
    late = feed(drift(3, bad=False), performance(1), performance(2))
    decision = decide(POLICY, state, late, START + 9 * DAY)
    assert decision.action == "idle"
    assert not decision.state.performance.windows


def test_a_fault_upstream_is_not_learnt_whatever_alarm_was_raised_before_it() -> None:
    degraded = [performance(1), performance(2)]
    broken = feed(*degraded, drift(3, broken="amount"))
    decision = decide(POLICY, RetrainState(), broken, START + 9 * DAY)
    assert (decision.action, decision.rule) == ("alert", "broken_upstream")
    mended = feed(*degraded, drift(3, broken="amount"), drift(4, bad=False))
    decision = decide(POLICY, decision.state, mended, START + 9 * DAY)
    assert (decision.action, decision.rule) == ("train", "performance")


def test_what_is_spent_of_the_budget_is_free_again_after_30_days() -> None:
    said, state = {}, RetrainState()
    for day in (0, 3, 6, 9, 29, 30, 32, 33):
        signals = feed(fingerprint=f"the content of day {day}")
        decision = decide(POLICY, state, signals, START + day * DAY)
        state = decision.state.model_copy(update={"pending": None})  # promoted
        said[day] = decision.rule
    spent = {day for day, rule in said.items() if rule == "budget"}
    assert spent == {9, 29, 32}
    assert {rule for day, rule in said.items() if day not in spent} == {"new_data"}


def test_too_few_new_labels_make_an_alarm_wait_but_not_new_data() -> None:
    reports = [performance(1), performance(2)]
    waiting = decide(POLICY, RetrainState(), feed(*reports, new_labels=9), START + 9 * DAY)
    assert (waiting.action, waiting.rule) == ("wait", "min_new_labels")
    assert "9 of 10 new labels" in waiting.reason
    assert decide(POLICY, RetrainState(), feed(*reports, new_labels=10), START).action == "train"
    new = decide(POLICY, RetrainState(), feed(new_labels=0, fingerprint="a"), START)
    assert new.rule == "new_data"


def test_a_reason_stays_the_same_while_nothing_changes() -> None:
    state = decide(POLICY, RetrainState(), feed(fingerprint="a"), START).state
    state = state.model_copy(update={"pending": None})
    said = {
        decide(POLICY, state, feed(fingerprint="b"), START + timedelta(minutes=m)).reason
        for m in range(1, 500, 50)
    }
    assert len(said) == 1
    assert "cooldown until 2026-01-03 00:00 UTC" in said.pop()


def test_the_back_off_doubles_up_to_its_bound() -> None:
    days = [back_off(POLICY, refusals) / DAY for refusals in (0, 1, 2, 3, 4, 5, 1000)]
    assert days == [0, 3, 6, 12, 24, 30, 30]


def test_the_rise_of_the_estimated_loss_needs_both_numbers() -> None:
    found = performance(1)
    assert loss_rise(None) is None
    assert loss_rise(found) is None
    known = {"estimated": {"log_loss": 0.33}, "reference": {"log_loss": 0.3}}
    assert loss_rise(found.model_copy(update=known)) == pytest.approx(0.1)


def test_thresholds_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="leave < enter <= windows"):
        AlarmSettings(windows=3, enter=2, leave=2)
    with pytest.raises(ValueError, match="raise the bound"):
        RetrainSettings(backoff=31 * DAY)
