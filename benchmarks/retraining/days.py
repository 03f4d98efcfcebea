"""A stream as a past: its days, what monitoring says of each, and a model for each training."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from benchmarks.retraining.world import DAYS, FEATURES, ROWS, Model, Stream, log_loss
from mlops_assets.ml.backtest.ticks import Training
from mlops_assets.records.monitoring import DriftSummary, PerformanceSummary, Window
from mlops_assets.records.retraining import Signals

PSI_LIMIT, TOLERANCE = 0.1, 0.1
START, DAY = datetime(2024, 1, 1, tzinfo=UTC), timedelta(days=1)


@dataclass
class Days:
    """One tick at the end of each day, from that of the first training on."""

    stream: Stream
    models: list[Model] = field(default_factory=list)
    """By version, from 0 on."""
    seconds: float = 0.0
    """CPU of all trainings but the first."""
    first: int = 0

    def __post_init__(self) -> None:
        """Train the first version."""
        self.models.append(self.stream.fit(self.stream.first, 0))

    @property
    def moments(self) -> list[datetime]:
        """See `Past`."""
        return [START + (day + 1) * DAY for day in range(self.stream.first, DAYS)]

    def signals(self, number: int, served: Sequence[int], newest: int) -> Signals:
        """See `Past`; a window that the live version has seen in training is not judged by it."""
        live, day = self.models[served[-1]], self.stream.first + number
        then = day - self.stream.world.label_delay
        rescored = () if then <= live.trained_until else (_measured(live, self.stream, then),)
        return Signals(
            drift=(_drift(live, self.stream.x[day], day),),
            performance=rescored,
            estimate=_estimate(live, self.stream.x[day], day),
        )

    def answered(self, number: int, served: Sequence[int]) -> PerformanceSummary:
        """The newest labelled day, by the version that answered it."""
        then = number - self.stream.world.label_delay
        model = self.models[served[then] if then >= 0 else self.first]
        return _measured(model, self.stream, self.stream.first + then)

    def train(self, number: int, live: int) -> Training:
        """See `Past`."""
        start, day = time.process_time(), self.stream.first + number
        challenger = self.stream.fit(day, len(self.models))
        promoted = self.stream.gate(day, self.models[live], challenger)
        self.seconds += time.process_time() - start
        self.models.append(challenger)
        return Training(challenger.version, number + 1, promoted)


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
