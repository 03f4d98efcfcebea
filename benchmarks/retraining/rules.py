"""Three rules that say on each day whether to train: two of the field, and ours."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from mlops_assets.blocks.monitoring import RetrainSettings
from mlops_assets.ml.retraining.policy import decide
from mlops_assets.records.monitoring import DriftSummary, PerformanceSummary
from mlops_assets.records.retraining import Outcome, RetrainState, Signals

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Day(NamedTuple):
    """What monitoring knows at the end of a day."""

    number: int
    drift: DriftSummary
    estimate: PerformanceSummary
    answered: PerformanceSummary
    """The newest labelled window, by the answers that were given in it."""
    rescored: PerformanceSummary | None
    """The same by the live version; None where the version has seen the window in training."""


Rule = Callable[[Day, Outcome | None], bool]


def naive() -> Rule:
    """Retrain whenever the drift flag is on."""
    return lambda day, _: day.drift.verdict == "drifted"


def two_of_five() -> Rule:
    """Retrain when 2 of the newest 5 windows violate the metric, the newest among them."""
    seen: list[bool] = []

    def asks(day: Day, _: Outcome | None) -> bool:
        seen.append(day.answered.verdict == "degraded")
        return seen[-1] and sum(seen[-5:]) >= 2

    return asks


@dataclass
class Ours:
    """The policy of this project; its pending training was started the day before."""

    policy: RetrainSettings = field(default_factory=RetrainSettings)
    state: RetrainState = field(default_factory=RetrainState)

    def __call__(self, day: Day, outcome: Outcome | None) -> bool:
        """One tick a day."""
        pending = self.state.pending
        if outcome is not None and pending is not None:
            outcome = outcome.model_copy(update={"decision": pending.id})
        signals = Signals(
            drift=(day.drift,),
            performance=(day.rescored,) if day.rescored else (),
            estimate=day.estimate,
            outcome=outcome,
        )
        decision = decide(self.policy, self.state, signals, START + (day.number + 1) * DAY)
        self.state = decision.state
        return decision.action == "train"


RULES: dict[str, Callable[[], Rule]] = {
    "naive threshold": naive,
    "mlops-stacks 2 of 5": two_of_five,
    "ours": Ours,
}
