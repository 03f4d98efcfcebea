"""How often each client may ask: token buckets that the workers of one endpoint share.

They stand in memory that the template maps before it forks, so a client's rate is the endpoint's,
however the kernel spreads its connections. A bucket is one number, the moment it will be full again
(the generic cell rate algorithm, ITU-T I.371); one that is full need not be remembered.
"""

import fcntl
import mmap
import os
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from mlops_assets.blocks.operation import RateLimitSettings

_SETS, _WAYS = 2048, 8
_CLIENTS = _SETS * _WAYS
"""How many clients are remembered; where eight share a set, the one that is full first makes room.

A forgotten client has a full bucket: an address more lets it in, it never locks anybody out.
"""
_ROUNDING_SECONDS = 1e-9


class Buckets:
    """A token bucket per key or client address, for this process and those forked from it."""

    def __init__(self) -> None:
        """All are full."""
        memory = memoryview(mmap.mmap(-1, 16 * _CLIENTS))
        self._marks = memory[: 8 * _CLIENTS].cast("Q")
        self._full_at = memory[8 * _CLIENTS :].cast("d")
        self._lock: int | None = None

    def share(self, endpoint: Path) -> None:
        """Take turns with the other processes; call it in each of them, after the fork.

        By a lock of the endpoint's folder: the kernel frees it where its holder is killed.
        """
        self._lock = os.open(endpoint, os.O_RDONLY)

    def take(self, who: str, limit: RateLimitSettings, now: float) -> float:
        """Take one token; 0 if there was one, else the seconds until there is.

        `now` is a clock that all processes share, as `time.monotonic` on Linux.
        """
        mark = int.from_bytes(blake2b(who.encode(), digest_size=8).digest())
        with self.alone():
            slot = self._slot(mark)
            # Bounded from above, for what a stricter limit left behind.
            latest = now + limit.burst / limit.per_second
            full_at = min(max(self._full_at[slot], now), latest)
            wait = full_at - now - (limit.burst - 1) / limit.per_second
            if wait > _ROUNDING_SECONDS:
                return wait
            self._full_at[slot] = full_at + 1 / limit.per_second
        return 0.0

    @contextmanager
    def alone(self) -> Generator[None]:
        """While no other process takes anything."""
        if self._lock is None:
            yield
            return
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _slot(self, mark: int) -> int:
        """Where the client's bucket is."""
        first = mark % _SETS * _WAYS
        slots = range(first, first + _WAYS)
        for slot in slots:
            if self._marks[slot] == mark:
                return slot
        oldest = min(slots, key=self._full_at.__getitem__)
        self._marks[oldest], self._full_at[oldest] = mark, 0.0
        return oldest
