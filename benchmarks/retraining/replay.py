"""One rule on one stream, day by day: what it saw, when it trained, and what that was good for."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.retraining.days import Days
from benchmarks.retraining.world import LASTING, Phase, Stream
from mlops_assets.ml.backtest import ticks
from mlops_assets.ml.backtest.ticks import Rule

MARGIN = 0.02


@dataclass
class Replay:
    """What one rule did with one stream; `excess` is the live model's excess loss by day."""

    trained: list[int]
    wrong: list[int]
    excess: list[float]
    seconds: float

    def inside(self, phase: Phase) -> tuple[int, int]:
        """Trainings of a phase, and the wrong ones among them."""
        trained, wrong = (
            sum(phase.first <= day < phase.last for day in days)
            for days in (self.trained, self.wrong)
        )
        return trained, wrong

    def unrecovered(self, cost: float, phase: Phase) -> int:
        """Days of a lasting change on which more than half of its cost was still there."""
        return sum(excess > cost / 2 for excess in self.excess[phase.first : phase.last])


def replay(stream: Stream, make: Callable[[Days], Rule]) -> Replay:
    """Two years of one rule."""
    days = Days(stream)
    found = ticks.replay(days, make(days))
    served = [0] * stream.first + found.served
    excess = [stream.excess_loss(days.models[v], day) for day, v in enumerate(served)]
    asked = [
        (stream.first + number, found.served[number], training.version)
        for number, training in found.asked
    ]
    wrong = [day for day, live, version in asked if _is_wrong(days, day, live, version)]
    return Replay([day for day, _, _ in asked], wrong, excess, days.seconds)


def _is_wrong(days: Days, day: int, live: int, version: int) -> bool:
    """Whether a training bought less than the margin."""
    loss = [days.stream.expected_loss(days.models[n], day) for n in (live, version)]
    return 1 - loss[1] / loss[0] < MARGIN


def costs(stream: Stream) -> dict[str, float]:
    """Excess loss that each lasting change costs whoever does not retrain, at its end."""
    return {
        phase.name: stream.excess_loss(stream.fit(phase.first, 0), phase.last - 1)
        for phase in LASTING
    }
