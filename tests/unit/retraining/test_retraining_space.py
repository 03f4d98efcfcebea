"""The retrain policy over the whole space of its settings, versions and outcomes."""

from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from mlops_assets.blocks.monitoring import AlarmSettings, RetrainSettings
from mlops_assets.ml.retraining.policy import back_off, decide
from mlops_assets.records.retraining import Decision, Outcome, RetrainState, Signals
from tests.support.retraining.reports import DAY, START, drift, feed, performance

SPANS = st.sampled_from(
    [timedelta(seconds=1), DAY, 30 * DAY, 10**6 * DAY, timedelta(days=999_999_999)]
)


@st.composite
def policies(draw: Any) -> RetrainSettings:
    """Settings at each end of their range, and between."""
    windows = draw(st.sampled_from([1, 2, 5]))
    enter = draw(st.integers(1, windows))
    alarm = AlarmSettings(windows=windows, enter=enter, leave=draw(st.integers(0, enter - 1)))
    backoff = draw(SPANS)
    return RetrainSettings(
        performance=alarm,
        drift=alarm,
        on_drift=draw(st.sampled_from(["train", "confirm", "alert"])),
        cooldown=draw(SPANS),
        backoff=backoff,
        backoff_most=max(backoff, draw(SPANS)),
        budget_per_month=draw(st.sampled_from([0, 1, 2, 10**9])),
        min_new_labels=draw(st.sampled_from([0, 1, 10**9])),
    )


TICKS = st.lists(
    st.tuples(
        st.sampled_from(["drift", "performance", "content", "nothing"]),
        st.integers(1, 4),  # the version that serves: up and down
        st.booleans(),
        st.sampled_from(["promoted", "refused", "failed", "running", "unseen"]),
        st.sampled_from([0, 1, 40, 9000]),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(policies(), TICKS)
def test_no_settings_and_no_history_break_a_tick(policy: RetrainSettings, ticks: Any) -> None:
    state, now, signals = RetrainState(), START, Signals()
    for day, (kind, version, bad, result, days) in enumerate(ticks):
        now += days * DAY
        update: dict[str, Any] = {"trained_at": None, "outcome": None}
        if kind == "drift":
            update["drift"] = (*signals.drift, drift(day, bad=bad, version=version))[-5:]
        if kind == "performance":
            made = (*signals.performance, performance(day, bad=bad, version=version))
            update["performance"] = made[-5:]
        if kind == "content":
            update["fingerprint"] = f"content {day // 3}"
        if state.pending and result != "unseen":
            update["outcome"] = Outcome(decision=state.pending.id, result=result, run_id="r")
        signals = signals.model_copy(update=update)
        decision = decide(policy, state, signals, now)
        assert decision.reason
        assert not (policy.budget_per_month == 0 and decision.action == "train")
        state = RetrainState.model_validate_json(decision.state.model_dump_json())


def test_a_budget_of_none_says_so_and_trains_nothing() -> None:
    none = RetrainSettings(budget_per_month=0)
    state = RetrainState(fingerprint="a", trained_at=START - 60 * DAY)
    decision = decide(none, state, Signals(fingerprint="b", trained_at=START - 60 * DAY), START)
    assert (decision.action, decision.rule) == ("wait", "budget")
    assert "budget_per_month is 0" in decision.reason


@given(SPANS, SPANS, st.integers(0, 5000))
def test_the_back_off_never_passes_its_bound_nor_the_end_of_time(
    least: timedelta, most: timedelta, refusals: int
) -> None:
    policy = RetrainSettings(backoff=min(least, most), backoff_most=max(least, most))
    waits = [back_off(policy, n) for n in (refusals, refusals + 1)]
    assert timedelta(0) <= waits[0] <= waits[1] <= policy.backoff_most


@pytest.mark.parametrize("report", [drift, performance])
def test_after_a_rollback_the_older_version_is_judged(report: Any) -> None:
    policy, state = RetrainSettings(on_drift="train"), RetrainState()
    reports: list[Any] = []
    for day in range(3):
        reports.append(report(day, bad=False, version=5))
        state = decide(policy, state, feed(*reports), START + day * DAY).state
    rules = []
    for day in range(3, 8):
        reports = [*reports, report(day, version=4)][-5:]
        decision = decide(policy, state, feed(*reports), START + day * DAY)
        rules.append(decision.rule)
        state = decision.state
    assert rules[-1] in ("drift", "performance", "one_in_flight", "repeated")
    assert "calm" in rules[:1], "one window is no alarm"


def asked(policy: RetrainSettings, state: RetrainState, day: float, **signals: Any) -> Decision:
    return decide(policy, state, Signals(**signals), START + day * DAY)


def ended(first: Decision, result: str) -> dict[str, Any]:
    pending = first.state.pending
    assert pending is not None
    return {"outcome": Outcome(decision=pending.id, result=result, run_id="r")}  # type: ignore[arg-type]


def test_new_data_whose_training_fails_is_asked_for_again_after_the_back_off() -> None:
    policy = RetrainSettings(cooldown=timedelta(hours=1), backoff=2 * DAY, budget_per_month=9)
    state, day, days = RetrainState(fingerprint="old"), 0.0, []
    for _ in range(4):
        while (decision := asked(policy, state, day, fingerprint="new")).action != "train":
            state, day = decision.state, day + 0.5
        days.append(day)
        failed = ended(decision, "failed")
        waiting = asked(policy, decision.state, day + 0.1, fingerprint="new", **failed)
        assert waiting.rule == "backoff"
        state = waiting.state
    assert days == [0, 2, 6, 14], "doubled each time, and never forgotten"


@pytest.mark.parametrize("result", ["promoted", "refused"])
def test_new_data_with_a_verdict_is_handled(result: str) -> None:
    policy = RetrainSettings(backoff=DAY)
    first = asked(policy, RetrainState(fingerprint="old"), 0, fingerprint="new")
    assert first.rule == "new_data"
    state = asked(policy, first.state, 1, fingerprint="new", **ended(first, result)).state
    assert asked(policy, state, 300, fingerprint="new").rule == "calm"
    assert asked(policy, state, 300, fingerprint="newer").rule == "new_data"


def test_what_came_between_the_decision_and_the_reading_is_not_trained_twice() -> None:
    policy = RetrainSettings()
    first = asked(policy, RetrainState(fingerprint="a"), 0, fingerprint="b")
    read = {"fingerprint": "c", "trained_on": "c", "trained_at": START + DAY}
    after = asked(policy, first.state, 2, **read, **ended(first, "promoted"))
    assert after.rule == "calm"
    assert asked(policy, after.state, 50, **read).rule == "calm"


@pytest.mark.parametrize("report", [drift, performance])
@pytest.mark.parametrize(("result", "again"), [("failed", True), ("refused", False)])
def test_an_alarm_is_used_up_by_a_verdict_alone(report: Any, result: str, again: bool) -> None:
    policy = RetrainSettings(on_drift="train", backoff=DAY)
    reports = feed(*(report(day) for day in range(3)))
    first = decide(policy, RetrainState(), reports, START + 3 * DAY)
    assert first.action == "train"
    update = ended(first, result)
    after = decide(policy, first.state, reports.model_copy(update=update), START + 4 * DAY)
    later = decide(policy, after.state, reports, START + 9 * DAY)
    assert ("train" in (after.action, later.action)) == again
