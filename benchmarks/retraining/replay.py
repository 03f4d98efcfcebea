"""One rule on one stream, day by day: what it saw, when it trained, and what that was good for."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.retraining.rules import DAY, START, Day, Rule
from benchmarks.retraining.world import (
    DAYS,
    FEATURES,
    LASTING,
    ROWS,
    Model,
    Phase,
    Stream,
    log_loss,
)
from mlops_assets.records.monitoring import DriftSummary, PerformanceSummary, Window
from mlops_assets.records.retraining import Outcome

PSI_LIMIT, TOLERANCE, MARGIN = 0.1, 0.1, 0.02


@dataclass
class Replay:
    """What one rule did with one stream; `excess` is the live model's excess loss by day."""

    trained: list[int] = field(default_factory=list)
    wrong: list[int] = field(default_factory=list)
    excess: list[float] = field(default_factory=list)
    seconds: float = 0.0

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


def replay(stream: Stream, rule: Rule) -> Replay:
    """Two years of one rule."""
    found, live, outcome = Replay(), stream.fit(stream.first, 1), None
    served: dict[int, Model] = {}
    for number in range(DAYS):
        served[number] = live
        found.excess.append(stream.excess_loss(live, number))
        if number < stream.first:
            continue
        asked, outcome = rule(report(stream, served, number), outcome), None
        if not asked:
            continue
        start = time.process_time()
        challenger = stream.fit(number, live.version + 1)
        promoted = stream.gate(number, live, challenger)
        found.seconds += time.process_time() - start
        found.trained.append(number)
        gain = 1 - stream.expected_loss(challenger, number) / stream.expected_loss(live, number)
        if gain < MARGIN:
            found.wrong.append(number)
        result = "promoted" if promoted else "refused"
        outcome = Outcome(decision="", result=result, run_id=str(number))
        live = challenger if promoted else live
    return found


def costs(stream: Stream) -> dict[str, float]:
    """Excess loss that each lasting change costs whoever does not retrain, at its end."""
    return {
        phase.name: stream.excess_loss(stream.fit(phase.first, 0), phase.last - 1)
        for phase in LASTING
    }


def report(stream: Stream, served: Mapping[int, Model], number: int) -> Day:
    """The reports of a day."""
    live, then = served[number], number - stream.world.label_delay
    seen = then <= live.trained_until
    return Day(
        number,
        _drift(live, stream.x[number], number),
        _estimate(live, stream.x[number], number),
        answered=_measured(served[then], stream, then),
        rescored=None if seen else _measured(live, stream, then),
    )


def _drift(live: Model, x: np.ndarray, day: int) -> DriftSummary:
    scores = [psi(live.reference[:, i], x[:, i]) for i in range(FEATURES)]
    constant = [i for i in range(FEATURES) if np.ptp(x[:, i]) == 0 < np.ptp(live.reference[:, i])]
    return DriftSummary(
        **_common(day, live),
        reference_rows=len(live.reference),
        verdict="drifted" if max(scores) > PSI_LIMIT else "calm",
        broken_columns=tuple(f"x{i}" for i in constant),
    )


def _estimate(live: Model, x: np.ndarray, day: int) -> PerformanceSummary:
    chance = live.chance(x)
    return PerformanceSummary(
        **_common(day, live),
        labelled_rows=0,
        final=False,
        verdict="unknown",
        estimated={"log_loss": log_loss(chance, chance)},
        reference={"log_loss": live.held_out},
    )


def _measured(model: Model, stream: Stream, day: int) -> PerformanceSummary:
    loss = log_loss(model.chance(stream.x[day]), stream.y[day])
    return PerformanceSummary(
        **_common(day, model),
        labelled_rows=ROWS,
        final=True,
        verdict="degraded" if loss > model.held_out * (1 + TOLERANCE) else "good",
        metrics={"log_loss": loss},
        reference={"log_loss": model.held_out},
    )


def _common(day: int, model: Model) -> dict[str, Any]:
    window = Window(start=START + day * DAY, end=START + (day + 1) * DAY)
    return {"model": "m", "model_version": model.version, "window": window, "rows": ROWS}


def psi(reference: np.ndarray, current: np.ndarray) -> float:
    """Of one feature, in ten bins of equal reference mass."""
    edges = np.quantile(reference, np.linspace(0.1, 0.9, 9))
    shares = [np.bincount(np.searchsorted(edges, v), minlength=10) for v in (reference, current)]
    p, q = ((share + 0.5) / (share.sum() + 5) for share in shares)
    return float(np.sum((q - p) * np.log(q / p)))
