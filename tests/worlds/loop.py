"""The whole loop as a state machine: whatever happens to a model, these rules hold.

Each `@invariant` is one promise of the product. `tests/graph/champion/test_any_history.py` runs it,
and breaks each promise once to see that the machine notices.
"""

import tempfile
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import time_machine
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mlops_assets.records.retraining import Pause
from tests.support.runs.pipeline_runs import STAGES
from tests.worlds.life import DAY, START, Fate, Life, Quality

QUALITIES: tuple[Quality, ...] = ("good", "good", "noise", "broken")
FATES: tuple[Fate, ...] = ("ends", "ends", "ends", "killed", "canceled", "never_started")

fates, stages = st.sampled_from(FATES), st.integers(1, len(STAGES) - 1)
policies = st.fixed_dictionaries(
    {
        "cooldown": st.sampled_from(("1s", "1h", "3d")),
        "backoff": st.sampled_from(("1s", "2h", "1d")),
        "budget_per_month": st.sampled_from((0, 1, 3, 100)),
    }
)


class Loop(RuleBasedStateMachine):
    """What happens, and what must hold after each of it."""

    def __init__(self) -> None:
        super().__init__()
        self._travel = time_machine.travel(START, tick=True)
        self._folder = tempfile.TemporaryDirectory()
        clock = self._travel.start()
        self._clock = clock
        self._ended = False
        self.life: Life | None = None
        self.given_up: set[str] = set()
        """Data of versions that a person rolled back from, and nobody promoted since."""
        self.launched: list[datetime] = []
        self.paused_until: datetime | None = None

    @initialize(policy=policies)
    def begin(self, policy: dict) -> None:
        self.life = Life(Path(self._folder.name), policy, self._clock)
        self.life.deliver("good")
        self.life.train("ends")
        assert self.life.history, "a good first version is served"

    @rule(quality=st.sampled_from(QUALITIES))
    def data_come(self, quality: Quality) -> None:
        self.life.deliver(quality)

    @rule(hours=st.sampled_from((1, 12, 30, 24 * 8, 24 * 40)))
    def time_goes_by(self, hours: int) -> None:
        self.life.wait(timedelta(hours=hours))

    @rule(fate=fates, reached=stages)
    def the_policy_looks(self, fate: Fate, reached: int) -> None:
        unfinished, before = self.life.unfinished(), self.life.history
        result = self.life.tick(fate, reached)
        if result.run_requests:
            assert not unfinished, "never two trainings in flight"
            self._require_limits()
            self.launched.append(self.life.now)
        if fate != "ends":
            assert self.life.history == before, "what did not end well moves nothing"

    @rule(fate=fates, reached=stages)
    def somebody_trains(self, fate: Fate, reached: int) -> None:
        before = self.life.history
        self.life.train(fate, reached)
        if fate != "ends":
            assert self.life.history == before, "what did not end well moves nothing"

    @rule()
    def the_dead_are_settled(self) -> None:
        self.life.settle()
        assert not self.life.unfinished(), "no run of a dead process is left"

    @rule()
    def somebody_rolls_back(self) -> None:
        self._roll_back()

    @rule()
    def a_rollback_meets_a_training(self) -> None:
        """The gate has passed a version; before it is deployed, somebody goes back."""
        self.life.run("loans_training", STAGES[:-1], {})
        done = self._roll_back()
        head = self.life.history[-1]
        self.life.run("loans_training", STAGES[-1:], {})
        if done and self._data_of(head.to_version) is not None:
            now = self.life.history[-1]
            assert now == head or now.data_version not in self.given_up

    @rule(back=st.integers(1, 4))
    def somebody_promotes_an_old_version(self, back: int) -> None:
        versions = list(dict.fromkeys(move.to_version for move in self.life.history))
        chosen = versions[-min(back, len(versions))]
        if self.life.move("promotion", {"version": chosen, "why": "I know"}):
            self.given_up.discard(str(self._data_of(chosen)))

    @rule()
    def the_endpoint_crashes_and_is_seen(self) -> None:
        self.life.resources["deployment"].crash("loans")
        self.life.wait(timedelta(minutes=11))
        self.life.look_at_health()
        assert self.life.served == self.life.history[-1].to_version, "the ledger's champion is back"

    @rule(drifted=st.booleans(), degraded=st.booleans())
    def a_day_is_judged(self, drifted: bool, degraded: bool) -> None:
        self.life.report_window(drifted=drifted, degraded=degraded)

    @rule(hours=st.sampled_from((1, 48)))
    def somebody_pauses(self, hours: int) -> None:
        self.paused_until = self.life.now + timedelta(hours=hours)
        pause = Pause(until=self.paused_until, why="holidays", who="me")
        self.life.resources["decisions"].set_pause("loans", pause, self.life.now)

    @invariant()
    def the_ledger_is_a_line(self) -> None:
        if self.life is None:
            return
        moves = self.life.history
        assert [move.sequence for move in moves] == list(range(1, len(moves) + 1))
        for before, move in pairwise(moves):
            assert move.from_version == before.to_version
            assert move.time >= before.time

    @invariant()
    def all_name_the_same_champion(self) -> None:
        if self.life is None:
            return
        champion = self.life.history[-1].to_version
        assert self.life.alias == champion, "the registry"
        assert self.life.served in (champion, None), "the endpoint"
        assert self.life.shown() == champion, "Dagster"

    @invariant()
    def the_gate_passes_nothing_that_was_given_up(self) -> None:
        if self.life is None:
            return
        last = self.life.history[-1]
        if last.why == "gate":
            assert last.evaluation is not None
            assert last.evaluation["decision"]["promoted"]
            assert last.data_version not in self.given_up, "a rollback holds"

    def check(self) -> None:
        """All that must always hold."""
        self.the_ledger_is_a_line()
        self.all_name_the_same_champion()
        self.the_gate_passes_nothing_that_was_given_up()

    def teardown(self) -> None:
        try:
            if self.life is not None:
                self._everything_new_is_learnt()
        finally:
            self.close()

    def close(self) -> None:
        """End the instance, and the clock that was set; once."""
        if self._ended:
            return
        self._ended = True
        if self.life is not None:
            self.life.close()
        self._travel.stop()
        self._folder.cleanup()

    def _everything_new_is_learnt(self) -> None:
        """Left alone, with time enough, the policy has the newest content judged."""
        if self.life.policy.budget_per_month == 0:
            return
        self.life.deliver("good")
        for _ in range(12):
            self.life.settle()
            self.life.wait(40 * DAY)
            self.life.tick("ends", 0)
            if self._judged() == self.life.fingerprint():
                return
        raise AssertionError("new data were forgotten")

    def _judged(self) -> str | None:
        """The content that the newest evaluation is of."""
        runs = self.life.instance.get_runs(limit=1)
        events = self.life.instance.all_logs(runs[0].run_id)
        found = [
            entry.dagster_event.step_materialization_data.materialization
            for entry in events
            if entry.dagster_event and entry.dagster_event.is_step_materialization
        ]
        by_stage = {event.asset_key.path[-1]: event for event in found}
        if "evaluation_report" not in by_stage or "raw_data" not in by_stage:
            return None
        return str(by_stage["raw_data"].metadata["source_fingerprint"].value)

    def _require_limits(self) -> None:
        now, policy = self.life.now, self.life.policy
        month = [at for at in self.launched if at > now - 30 * DAY]
        assert len(month) < policy.budget_per_month, "the budget holds"
        if self.launched:
            assert now - self.launched[-1] >= policy.cooldown, "the cooldown holds"
        if self.paused_until:
            assert now >= self.paused_until, "a pause holds"

    def _roll_back(self) -> bool:
        before = self.life.history[-1]
        done = self.life.move("rollback", {"why": "it is bad"})
        if done and self.life.history[-1].to_version != before.to_version:
            self.given_up.add(str(self._data_of(before.to_version)))
            self.given_up.discard(str(self._data_of(self.life.history[-1].to_version)))
        return done

    def _data_of(self, version: int) -> str | None:
        tracking = self.life.resources["tracking"]
        found = tracking.registry.version("loans", version)
        return tracking.run_of(found).tags().get("dvc/md5") if found else None
