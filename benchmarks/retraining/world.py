"""Two years of rows in eight phases, and the models that are fitted to them.

The phases and their days are the same for every seed; how far the features move, how far their
meaning changes, how long labels take and when the outages are is drawn anew for each.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.page import sized

DAYS, ROWS, FEATURES = 730, 400, 4
TRAIN_DAYS, HELD_OUT, PROBE_ROWS = 21, 100, sized(1500, 200)
BASE = np.array([1.5, -1.0, 0.8, 0.0])


class Phase(NamedTuple):
    """A stretch of the two years; `lasting`: it begins with a change that stays."""

    name: str
    first: int
    last: int
    lasting: bool


PHASES = (
    Phase("calm", 0, 60, lasting=False),
    Phase("flapping", 60, 160, lasting=False),
    Phase("seasonal", 160, 290, lasting=False),
    Phase("gradual", 290, 410, lasting=True),
    Phase("sudden", 410, 500, lasting=True),
    Phase("concept only", 500, 590, lasting=True),
    Phase("broken upstream", 590, 650, lasting=False),
    Phase("calm again", 650, DAYS, lasting=False),
)
LASTING = [phase for phase in PHASES if phase.lasting]


@dataclass(frozen=True)
class World:
    """What a seed has drawn."""

    sizes: np.ndarray
    """Factors of the changes, shape (7,)."""
    label_delay: int
    broken: frozenset[int]
    """Days on which one feature arrives as zero for every row."""

    @classmethod
    def of(cls, rng: np.random.Generator) -> "World":
        """Each size within a quarter, labels after 2 to 5 days, outages of 2 to 6 days."""
        outages = [
            range(first, first + length)
            for first, length in zip((600, 618, 636), rng.integers(2, 7, 3), strict=True)
        ]
        return cls(
            rng.uniform(0.75, 1.25, 7),
            int(rng.integers(2, 6)),
            frozenset(day for outage in outages for day in outage),
        )

    def day(self, day: int) -> tuple[np.ndarray, np.ndarray]:
        """Means of the features and true weights of a day."""
        mean, weights, size = np.zeros(FEATURES), BASE.copy(), self.sizes
        if 60 <= day < 160 and day % 4 == 0:
            mean[3] = 0.8 * size[0]  # one day in four, in a feature without weight
        if 160 <= day < 290:
            mean[3] = 0.7 * size[1] * np.sin(2 * np.pi * (day - 160) / 65)
        if day >= 290:
            share = min(1.0, (day - 290) / 90)
            mean[0] += 1.2 * size[2] * share
            weights[0] -= 2.0 * size[3] * share  # what was learnt of it does not hold out there
        if day >= 410:
            mean[1] += 1.5 * size[4]
            weights[1] += 2.2 * size[5]
        if day >= 500:
            weights[2] -= 2.0 * size[6]  # the features look as before
        return mean, weights

    def draw(
        self, rng: np.random.Generator, day: int, rows: int, *, broken: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Features as the model is fed them, and the true probabilities."""
        mean, weights = self.day(day)
        x = rng.normal(mean, 1.0, (rows, FEATURES))
        chance = 1 / (1 + np.exp(-(x @ weights)))
        if broken:
            x[:, 0] = 0.0
        return x, chance


@dataclass
class Model:
    """A fitted model, and what its day of birth knew."""

    version: int
    fitted: LogisticRegression
    reference: np.ndarray
    held_out: float
    """Log loss."""
    trained_until: int
    """The newest day of its rows."""

    def chance(self, x: np.ndarray) -> np.ndarray:
        """Probability of a positive, away from 0 and 1."""
        return np.clip(self.fitted.predict_proba(x)[:, 1], 1e-6, 1 - 1e-6)


@dataclass(frozen=True)
class Stream:
    """The same days for every rule."""

    world: World
    x: list[np.ndarray]
    y: list[np.ndarray]
    probe: list[tuple[np.ndarray, np.ndarray]]

    @classmethod
    def of(cls, seed: int) -> "Stream":
        """Draw two years, and a large sample of each day's distribution to judge models by."""
        rng = np.random.default_rng(seed)
        world = World.of(rng)
        days = [world.draw(rng, day, ROWS, broken=day in world.broken) for day in range(DAYS)]
        labels = [(rng.uniform(size=ROWS) < chance).astype(int) for _, chance in days]
        # Judged by what the day is without the outage: a model must not be fitted to a fault.
        probe = [world.draw(rng, day, PROBE_ROWS, broken=False) for day in range(DAYS)]
        return cls(world, [x for x, _ in days], labels, probe)

    @property
    def first(self) -> int:
        """The day of the first training."""
        return self.world.label_delay + TRAIN_DAYS

    def _rows(
        self, day: int
    ) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """The newest labelled days of `day`, as rows to train on and rows that are held out.

        A row that is held out once always is, so that no model is tested on what it has seen.
        """
        last = day - self.world.label_delay
        days = range(max(0, last - TRAIN_DAYS + 1), last + 1)
        train, test = slice(HELD_OUT, None), slice(HELD_OUT)
        x, y = (
            [np.concatenate([rows[d][part] for d in days]) for part in (train, test)]
            for rows in (self.x, self.y)
        )
        return (x[0], y[0]), (x[1], y[1])

    def fit(self, day: int, version: int) -> Model:
        """Train on what is labelled at the end of `day`."""
        (x, y), (test_x, test_y) = self._rows(day)
        until = day - self.world.label_delay
        model = Model(version, LogisticRegression().fit(x, y), x, 0.0, until)
        model.held_out = log_loss(model.chance(test_x), test_y)
        return model

    def gate(self, day: int, champion: Model, challenger: Model) -> bool:
        """Whether the challenger is shown, by held-out rows, to lose at most 1 % more.

        One-sided at 5 %, paired by row: the defaults of `evaluation.gate`.
        """
        x, y = self._rows(day)[1]
        before = row_losses(champion.chance(x), y)
        worse = row_losses(challenger.chance(x), y) - before
        error = float(worse.std(ddof=1)) / math.sqrt(len(worse))
        return bool(worse.mean() + 1.645 * error <= 0.01 * before.mean())

    def expected_loss(self, model: Model, day: int) -> float:
        """Of a model on a day's distribution, from the true probabilities."""
        x, chance = self.probe[day]
        return log_loss(model.chance(x), chance)

    def excess_loss(self, model: Model, day: int) -> float:
        """Expected loss above that of somebody who knows the true probabilities."""
        chance = np.clip(self.probe[day][1], 1e-9, 1 - 1e-9)
        return self.expected_loss(model, day) - log_loss(chance, chance)


def row_losses(predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Log loss of each row; `actual` may be probabilities."""
    return -(actual * np.log(predicted) + (1 - actual) * np.log(1 - predicted))


def log_loss(predicted: np.ndarray, actual: np.ndarray) -> float:
    """Mean over the rows."""
    return float(row_losses(predicted, actual).mean())
