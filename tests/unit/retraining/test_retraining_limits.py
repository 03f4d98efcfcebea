"""The retrain policy's limits hold whatever happens, and a restart changes nothing."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mlops_assets.blocks.monitoring import RetrainSettings
from mlops_assets.ml.retraining.policy import MONTH, back_off, decide, observe
from mlops_assets.records.retraining import Decision, Outcome, Pause, RetrainState, Signals
from tests.support.retraining.reports import DAY, POLICY, START, drift, performance

Result = st.sampled_from(["promoted", "refused", "failed"])


class World(RuleBasedStateMachine):
    """Any order of reports, new content, runs, outcomes, pauses and kills, an hour to days apart.

    What it demands is `POLICY`; what `decide` is given may be less, to show that a policy that
    breaks a limit is caught.
    """

    given: ClassVar[RetrainSettings] = POLICY
    hidden: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.state, self.now, self.day, self.version = RetrainState(), START, 0, 1
        self.signals = Signals(fingerprint="0", trained_on="0")
        self.run: str | None = None
        self.trained: list[tuple[datetime, str]] = []
        self.refused: list[datetime] = []

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

    @rule(content=st.sampled_from("012"), labels=st.none() | st.integers(0, 30))
    def source_changes(self, content: str, labels: int | None) -> None:
        self._set(fingerprint=content, new_labels=labels)

    @rule(days=st.integers(0, 9))
    def somebody_pauses(self, days: int) -> None:
        self._set(pause=Pause(until=self.now + days * DAY, why="test", who="ann"))

    @precondition(lambda self: self.run is None)
    @rule()
    def somebody_starts_a_run(self) -> None:
        self.run = "by hand"
        self._set(in_flight=("by hand",))

    @rule(killed=st.booleans())
    def sensor_ticks(self, killed: bool) -> None:
        """A tick that is killed has written its state and its request is not heard."""
        restarted = RetrainState.model_validate_json(self.state.model_dump_json())
        decision = self._decide(restarted)
        assert decision == self._decide(self.state)
        self.state = decision.state
        assert decision.reason
        again = self._decide(self.state)
        assert again.state == self.state, "a tick that is repeated remembers nothing more"
        assert again.rule in (decision.rule, "repeated")
        if decision.action == "train":
            assert again.action == "train", "a decision is lost"
            self._request(killed=killed, first=decision.rule != "repeated")

    def _decide(self, state: RetrainState) -> Decision:
        return decide(self.given, state, self.signals.model_copy(update=self.hidden), self.now)

    def _request(self, *, killed: bool, first: bool) -> None:
        assert self.run is None, "two in flight"
        assert self.signals.pause is None or self.now >= self.signals.pause.until, "paused"
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
    @rule(result=Result)
    def run_ends(self, result: str) -> None:
        content, decided = self.signals.fingerprint, self.run != "by hand"
        outcome = self._outcome(result) if decided else self.signals.outcome
        self._set(in_flight=(), outcome=outcome, trained_on=content, trained_at=self.now)
        if result == "promoted":
            self.version += 1
        self.state = observe(POLICY, self.state, self.signals, self.now)
        if decided:
            self.refused = [] if result == "promoted" else [*self.refused, self.trained[-1][0]]
            self._set(outcome=None)
        self.run = None

    @rule(results=st.lists(Result, min_size=2, max_size=6), paused=st.booleans())
    def it_degrades_again_and_again(self, results: list[str], paused: bool) -> None:
        """Half a day apart: only the limits, or a pause, hold a training back."""
        self._set(new_labels=None)
        for result in results:
            if paused:
                self.somebody_pauses(days=1)
            for _ in range(3):
                self.performance_is_reported(bad=True)
            self._tick_every_half_day(4)
            if self.run is not None:
                self._tick_while_the_run_appears()
                self.run_ends(result)

    @precondition(lambda self: self.run is not None)
    @rule()
    def it_degrades_while_a_run_goes_on(self) -> None:
        """For so long that no other limit holds a second training back."""
        for _ in range(3):
            self.performance_is_reported(bad=True)
        self.now += MONTH
        self._tick_every_half_day(1)

    def _tick_every_half_day(self, times: int) -> None:
        for _ in range(times):
            self.now += timedelta(hours=12)
            self.sensor_ticks(killed=False)

    def _tick_while_the_run_appears(self) -> None:
        """It was not there yet when unfinished runs were looked for, and is a moment later."""
        found = self.signals.in_flight
        if self.run != "by hand":
            self._set(in_flight=())
        self.sensor_ticks(killed=False)
        self._set(in_flight=found)

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.state.launches) <= POLICY.budget_per_month + 1
        assert len(self.state.drift.windows) <= POLICY.drift.windows
        assert len(self.state.broken) <= 100

    def _outcome(self, result: Any) -> Outcome:
        return Outcome(decision=str(self.run), result=result, run_id="r")

    def _set(self, **update: Any) -> None:
        self.signals = self.signals.model_copy(update=update)


QUICK = settings(
    max_examples=40, stateful_step_count=30, deadline=None, phases=[Phase.explicit, Phase.generate]
)
TestWorld = World.TestCase
TestWorld.settings = QUICK


@pytest.mark.parametrize(
    ("given", "hidden", "broken"),
    [
        ({"cooldown": timedelta(0)}, {}, "inside the cooldown"),
        ({"backoff": timedelta(microseconds=1)}, {}, "inside the back-off"),
        ({"budget_per_month": 1000}, {}, "over budget"),
        ({}, {"in_flight": ()}, "two in flight"),
        ({}, {"in_flight": (), "outcome": None}, "two in flight"),
        ({}, {"pause": None}, "paused"),
    ],
    ids=["cooldown", "back_off", "budget", "run_by_hand", "own_run", "pause"],
)
def test_a_policy_that_breaks_a_limit_is_caught(
    given: dict[str, Any], hidden: dict[str, Any], broken: str
) -> None:
    class Careless(World):
        pass

    Careless.given, Careless.hidden = POLICY.model_copy(update=given), hidden
    Careless.memory_is_bounded = lambda self: None
    with pytest.raises(AssertionError, match=broken):
        run_state_machine_as_test(Careless, settings=QUICK)
