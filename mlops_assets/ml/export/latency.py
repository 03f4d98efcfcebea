"""How long one row takes a servable, measured so that the machine's other work counts little.

In this process and without HTTP: the time of a request is measured by `benchmarks/serving`.
"""

import itertools
import math
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

Row = TypeVar("Row")
WARM_UP, CALLS, BLOCKS = 20, 200, 5


def latency_p99_ms(
    score_one: Callable[[Row], object],
    rows: Sequence[Row],
    *,
    enough: float,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """99th percentile of the time that `score_one` takes, in milliseconds, on one thread.

    Other processes only ever add time, so it is the least of five blocks of 200 calls; the first
    block within `enough` ends the measurement, since no other can raise the result above it.

    Args:
        score_one: Scores one row.
        rows: Used in turn.
        enough: Milliseconds.
        clock: In seconds.
    """
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    turns, best = itertools.cycle(rows), math.inf
    with threadpool_limits(limits=1):
        for row in itertools.islice(turns, WARM_UP):
            score_one(row)
        for _ in range(BLOCKS):
            best = min(best, 1000 * _p99(score_one, turns, clock))
            if best <= enough:
                break
    return best


def _p99(
    score_one: Callable[[Row], object], turns: "itertools.cycle[Row]", clock: Callable[[], float]
) -> float:
    seconds = []
    for row in itertools.islice(turns, CALLS):
        begin = clock()
        score_one(row)
        seconds.append(clock() - begin)
    return float(np.quantile(seconds, 0.99, method="higher"))
