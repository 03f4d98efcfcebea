"""Two versions in one worker: which of them answers, and what is counted of both.

Everything but `Tally.sighting` runs on the worker's event loop, so nothing is locked.
"""

import asyncio
import logging
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from time import perf_counter
from typing import Any

from mlops_assets.serving.version.active import Active

_WAITING = 4
_GOLDEN = (math.sqrt(5) - 1) / 2

logger = logging.getLogger(__name__)

Key = int | str | float
"""An entity, or a number of `draws` for a request without one."""
Predict = Callable[[Active, Any], list[dict[str, Any]]]


def draws() -> Iterator[float]:
    """Numbers in [0, 1) that no weight is unlucky with: of any n, it gets its share but some two.

    Weyl's sequence of the golden ratio, each worker's from another start. Independent draws would
    harm a fifth more now and then.
    """
    at = share(f"{os.getpid()}")
    while True:
        at = (at + _GOLDEN) % 1
        yield at


def share(key: Key) -> float:
    """A number in [0, 1) that is the same for an entity in every worker and at every time."""
    if isinstance(key, float):
        return key
    return int.from_bytes(blake2b(str(key).encode(), digest_size=7).digest()) / 2**56


def choose(active: Active, key: Key) -> Active:
    """The version that answers `key`: a growing weight never moves a key back."""
    candidate = active.candidate
    if candidate is None or candidate.role != "canary" or share(key) >= candidate.weight:
        return active
    return candidate


class Mirror:
    """Lets a shadow compute what the primary answered, behind it, and never waits for it."""

    def __init__(self) -> None:
        self._compute = ThreadPoolExecutor(1, thread_name_prefix="shadow")
        self._running: set[asyncio.Future[Any]] = set()

    def copy(self, active: Active, predict: Predict, asked: Any, key: Key) -> None:
        """Compute once more; left out where the shadow lags behind."""
        shadow = active.candidate
        if shadow is None or shadow.role != "shadow" or share(key) >= shadow.weight:
            return
        if len(self._running) >= _WAITING:
            return
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._compute, timed, predict, shadow, asked)
        self._running.add(future)
        future.add_done_callback(lambda done: self._count(done, shadow))

    def _count(self, done: asyncio.Future[Any], shadow: Active) -> None:
        self._running.discard(done)
        if done.cancelled() or shadow.tally is None:
            return
        err = done.exception()
        if isinstance(err, Exception):
            logger.warning("the shadow failed: %s: %s", type(err).__name__, err)
            shadow.tally.failed(err)
        else:
            shadow.tally.answered(*done.result())


def timed(predict: Predict, active: Active, asked: Any) -> tuple[float, list[dict[str, Any]]]:
    """Predict; also the seconds that it took."""
    started = perf_counter()
    predictions = predict(active, asked)
    return perf_counter() - started, predictions
