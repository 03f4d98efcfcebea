"""The requests that `benchmarks.canary` draws: of equal versions, and of bad candidates."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.page import sized

RUNS, SLOW_RUNS, REQUESTS = sized((1000, 200, 20_000), (1, 1, 300))
"""Trials of a case, also where times and scores are simulated, which takes longer."""


class Stream(NamedTuple):
    """The requests of one trial: a row each."""

    to_candidate: np.ndarray
    failed: np.ndarray
    seconds: np.ndarray | None = None
    scores: np.ndarray | None = None


Draw = Callable[[np.random.Generator, float], Stream]


def of_errors(before: float, now: float) -> Draw:
    """Versions that fail so often."""

    def draw(rng: np.random.Generator, weight: float) -> Stream:
        chosen = rng.uniform(size=REQUESTS) < weight
        return Stream(chosen, rng.uniform(size=REQUESTS) < np.where(chosen, now, before))

    return draw


def outage(rng: np.random.Generator, weight: float) -> Stream:
    """Every other request fails for a while, whoever is asked."""
    chosen, rates = rng.uniform(size=REQUESTS) < weight, np.full(REQUESTS, 0.005)
    begins = rng.integers(REQUESTS // 2)
    rates[begins : begins + 500] = 0.5
    return Stream(chosen, rng.uniform(size=REQUESTS) < rates)


def sticky(rng: np.random.Generator, weight: float) -> Stream:
    """Entities that ask 20 times each, always the same version; 2 % of them always fail."""
    entities = rng.integers(REQUESTS // 20, size=REQUESTS)
    chosen = (rng.uniform(size=REQUESTS) < weight)[entities]
    return Stream(chosen, (rng.uniform(size=REQUESTS) < 0.02)[entities])


def of_answers(slower: float = 0.0, share: float = 1.0, other_scores: float = 0.0) -> Draw:
    """Answers in 10 ms with a long tail; the candidate takes `slower` s more for a share of them.

    Scores are a beta's, of which the candidate has so large a share elsewhere.
    """

    def draw(rng: np.random.Generator, weight: float) -> Stream:
        chosen = rng.uniform(size=REQUESTS) < weight
        seconds = rng.lognormal(np.log(0.01), 1.0, REQUESTS)
        seconds += slower * (chosen & (rng.uniform(size=REQUESTS) < share))
        scores = rng.beta(2, 8, REQUESTS)
        moved = chosen & (rng.uniform(size=REQUESTS) < other_scores)
        scores = np.where(moved, rng.beta(8, 2, REQUESTS), scores)
        return Stream(chosen, np.zeros(REQUESTS, bool), seconds, scores)

    return draw


EQUAL: tuple[tuple[str, Draw, int, bool], ...] = (
    ("0.5 % of both fail", of_errors(0.005, 0.005), RUNS, True),
    ("2 % of both fail", of_errors(0.02, 0.02), RUNS, True),
    ("10 % of both fail", of_errors(0.1, 0.1), RUNS, True),
    ("1 % and 2 % fail, which is tolerated", of_errors(0.01, 0.02), RUNS, True),
    ("both meet an outage", outage, RUNS, False),
    ("same times with a long tail, same scores", of_answers(), SLOW_RUNS, True),
    ("20 requests of each entity, 2 % of entities fail", sticky, RUNS, False),
)
"""Name, how it is drawn, how often, and whether the test promises something of it."""
BAD: tuple[tuple[str, Draw], ...] = (
    ("2 % of its requests fail, 0.2 % before", of_errors(0.002, 0.02)),
    ("4 % fail, 2 % before (twice as many)", of_errors(0.02, 0.04)),
    ("10 % fail, 1 % before (ten times)", of_errors(0.01, 0.1)),
    ("all fail", of_errors(0.01, 1.0)),
    ("every answer takes 300 ms more", of_answers(slower=0.3)),
    ("a tenth of its answers takes 1 s more", of_answers(slower=1.0, share=0.1)),
    ("half of its scores are elsewhere", of_answers(other_scores=0.5)),
    ("all of its scores are elsewhere", of_answers(other_scores=1.0)),
)
