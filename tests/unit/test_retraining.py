"""The retrain policy: its limits hold whatever happens, and a restart changes nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mlops_assets.blocks.monitoring import AlarmSettings, RetrainSettings
from mlops_assets.ml.retraining import MONTH, back_off, decide, loss_rise, observe
from mlops_assets.records.monitoring import DriftSummary, PerformanceSummary, Window
from mlops_assets.records.retraining import Outcome, Pause, RetrainState, Signals

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = RetrainSettings(
    on_drift="train", cooldown=2 * DAY, backoff=3 * DAY, budget_per_month=3, min_new_rows=10
)


def window(day: int) -> dict[str, Any]:
    start = START + day * DAY
    return {"model": "m", "window": Window(start=start, end=start + DAY), "rows": 500}


def drift(day: int, *, bad: bool = True, version: int = 1, broken: str = "") -> DriftSummary:
    return DriftSummary(
        **window(day),
        model_version=version,
        reference_rows=500,
        verdict="drifted" if bad else "calm",
        broken_columns=(broken,) if broken else (),
    )


def performance(day: int, *, bad: bool = True, version: int = 1) -> PerformanceSummary:
    verdict = "degraded" if bad else "good"
    return PerformanceSummary(
        **window(day), model_version=version, labelled_rows=500, final=True, verdict=verdict
    )


class World(RuleBasedStateMachine):
    """Any order of reports, new content, outcomes, pauses and kills, an hour to days apart."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.now, self.day, self.version = RetrainState(), START, 0, 1
        self.signals = Signals(fingerprint="0", trained_on="0")
        self.run: str | None = None
        self.trained: list[tuple[datetime, str]] = []
        self.refused: list[datetime] = []
        self.waited = timedelta(0)

    @rule(hours=st.integers(1, 24 * 9))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(bad=st.booleans(), broken=st.sampled_from(["", "", "", "amount"]))
    def drift_is_reported(self, bad: bool, broken: str) -> None:
        self.day += 1
        new = drift(self.day, bad=bad, version=self.version, broken=broken)
        self._set(drift=(*self.signals.drift, new)[-5:])

    @rule(bad=st.booleans())
    def performance_is_reported(self, bad: bool) -> None:
        self.day += 1
        new = performance(self.day, bad=bad, version=self.version)
        self._set(performance=(*self.signals.performance, new)[-3:])

    @rule(content=st.sampled_from("012"), rows=st.none() | st.integers(0, 30))
    def source_changes(self, content: str, rows: int | None) -> None:
        self._set(fingerprint=content, new_rows=rows)

    @rule(days=st.integers(0, 9))
    def somebody_pauses(self, days: int) -> None:
        self._set(pause=Pause(until=self.now + days * DAY, why="test", who="ann"))

    @rule()
    def somebody_trains_by_hand(self) -> None:
        if self.run is None:
            self._set(trained_at=self.now, trained_on=self.signals.fingerprint)

    @rule(killed=st.booleans())
    def sensor_ticks(self, killed: bool) -> None:
        """A tick that is killed has written its state and its request is not heard."""
        restarted = RetrainState.model_validate_json(self.state.model_dump_json())
        decision = decide(POLICY, restarted, self.signals, self.now)
        assert decision == decide(POLICY, self.state, self.signals, self.now)
        self.state = decision.state
        assert decision.reason
        again = decide(POLICY, self.state, self.signals, self.now)
        assert again.state == self.state, "a tick that is repeated remembers nothing more"
        assert again.rule in (decision.rule, "repeated")
        if decision.action == "train":
            self._request(killed=killed, first=decision.rule != "repeated")

    def _request(self, *, killed: bool, first: bool) -> None:
        assert self.run is None, "two in flight"
        assert self.signals.pause is None or self.now >= self.signals.pause.until
        pending = self.state.pending
        assert pending is not None
        if first:
            assert pending.id not in [id_ for _, id_ in self.trained], "one id, two trainings"
            self._require_limits()
            self.trained.append((self.now, pending.id))
        if not killed:
            self.run = pending.id
            self._set(in_flight=("r",), outcome=self._outcome("running"))

    def _require_limits(self) -> None:
        month = [at for at, _ in self.trained if at > self.now - MONTH]
        assert len(month) < POLICY.budget_per_month, "over budget"
        last = max((at for at, _ in self.trained), default=None)
        for at in (last, self.signals.trained_at):
            assert at is None or self.now >= at + POLICY.cooldown, "inside the cooldown"
        if self.refused:
            wait = back_off(POLICY, len(self.refused))
            assert self.now >= self.refused[-1] + wait, "inside the back-off"

    @precondition(lambda self: self.run is not None)
    @rule(result=st.sampled_from(["promoted", "refused", "failed"]))
    def run_ends(self, result: str) -> None:
        content = self.signals.fingerprint
        self._set(in_flight=(), outcome=self._outcome(result), trained_on=content)
        self._set(trained_at=self.now)
        if result == "promoted":
            self.version += 1
            self.refused.clear()
        self.state = observe(POLICY, self.state, self.signals, self.now)
        if result != "promoted":
            self.refused.append(self.now)
        self._set(outcome=None)
        self.run = None

    @rule(
        results=st.lists(st.sampled_from(["promoted", "refused", "failed"]), min_size=2, max_size=6)
    )
    def it_degrades_again_and_again(self, results: list[str]) -> None:
        """Half a day apart: only the limits hold a training back."""
        self._set(new_rows=None)
        for result in results:
            for _ in range(3):
                self.performance_is_reported(bad=True)
            for _ in range(4):
                self.now += timedelta(hours=12)
                self.sensor_ticks(killed=False)
            if self.run is not None:
                self.run_ends(result)

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.state.launches) <= POLICY.budget_per_month + 1
        assert len(self.state.drift.windows) <= POLICY.drift.windows
        assert len(self.state.broken) <= 100

    def _outcome(self, result: Any) -> Outcome:
        return Outcome(decision=str(self.run), result=result, run_id="r")

    def _set(self, **update: Any) -> None:
        self.signals = self.signals.model_copy(update=update)


TestWorld = World.TestCase
TestWorld.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, phases=[Phase.explicit, Phase.generate]
)


def feed(*reports: DriftSummary | PerformanceSummary, **more: Any) -> Signals:
    return Signals(
        drift=tuple(r for r in reports if isinstance(r, DriftSummary)),
        performance=tuple(r for r in reports if isinstance(r, PerformanceSummary)),
        **more,
    )


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


def test_windows_of_a_fault_do_not_count_when_their_labels_come() -> None:
    state = observe(POLICY, RetrainState(), feed(drift(1, broken="x"), drift(2, broken="x")), START)
    late = feed(drift(3, bad=False), performance(1), performance(2))
    decision = decide(POLICY, state, late, START + 9 * DAY)
    assert decision.action == "idle"
    assert not decision.state.performance.windows


def test_too_few_new_rows_make_an_alarm_wait_but_not_new_data() -> None:
    reports = [performance(1), performance(2)]
    waiting = decide(POLICY, RetrainState(), feed(*reports, new_rows=9), START + 9 * DAY)
    assert (waiting.action, waiting.rule) == ("wait", "min_new_rows")
    assert "9 of 10 new rows" in waiting.reason
    assert decide(POLICY, RetrainState(), feed(*reports, new_rows=10), START).action == "train"
    new = decide(POLICY, RetrainState(), feed(new_rows=0, fingerprint="a"), START)
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
