"""A rule that says when to train, asked tick after tick of a past: what it would have done.

What the past is, its reports, its versions and the gate's word on them, is given: rows of one's own
in `ml.backtest.past`, drawn ones in a benchmark.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from mlops_assets.blocks.monitoring import RetrainSettings
from mlops_assets.ml.retraining.policy import decide
from mlops_assets.records.retraining import Outcome, RetrainState, Signals


class Training(NamedTuple):
    """What becomes of a training that is asked for."""

    version: int
    ready: int
    """The tick from which on the version serves, if it is promoted."""
    promoted: bool


class Past(Protocol):
    """Ticks, and what there is to know and to train at each."""

    @property
    def first(self) -> int:
        """The version that serves at the first tick."""
        ...

    @property
    def moments(self) -> Sequence[datetime]:
        """When the rule is asked."""
        ...

    def signals(self, number: int, served: Sequence[int], newest: int) -> Signals:
        """What monitoring says at a tick, where these versions served up to it.

        `newest` is the version that was trained last, promoted or not.
        """
        ...

    def train(self, number: int, live: int) -> Training:
        """Train a challenger of `live` at a tick."""
        ...


class Tick(NamedTuple):
    """What a rule is asked with."""

    number: int
    now: datetime
    served: Sequence[int]
    """Versions by tick, up to this one."""
    signals: Signals


Rule = Callable[[Tick], bool]


class Replayed(NamedTuple):
    """What one rule did."""

    served: list[int]
    """The version of each tick."""
    asked: list[tuple[int, Training]]
    """Trainings, and the ticks at which they were asked for."""
    last: int
    """The version that serves after the last tick."""


def replay(past: Past, rule: Rule) -> Replayed:
    """Ask the rule at every tick; one training at a time."""
    live, served, asked, running = past.first, list[int](), list[tuple[int, Training]](), None
    for number, now in enumerate(past.moments):
        outcome = _outcome(running, number) if running else None
        if running and number >= running.ready:
            live, running = _settled(running, live), None
        served.append(live)
        newest = asked[-1][1].version if asked else past.first
        signals = past.signals(number, served, newest).model_copy(update={"outcome": outcome})
        if rule(Tick(number, now, served, signals)) and running is None:
            running = past.train(number, live)
            asked.append((number, running))
    return Replayed(served, asked, _settled(running, live) if running else live)


def _settled(training: Training, live: int) -> int:
    return training.version if training.promoted else live


def _outcome(training: Training, number: int) -> Outcome:
    verdict = "promoted" if training.promoted else "refused"
    result = verdict if number >= training.ready else "running"
    return Outcome(decision="", result=result, run_id=str(training.version))


@dataclass
class PolicyRule:
    """The policy of this project, with its memory."""

    policy: RetrainSettings
    state: RetrainState = field(default_factory=RetrainState)

    def __call__(self, tick: Tick) -> bool:
        """Whether it trains."""
        decision = decide(self.policy, self.state, tick.signals, tick.now)
        self.state = decision.state
        return decision.action == "train"
