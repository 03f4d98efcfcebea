"""Token buckets: what one process sees, and several at once."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from mlops_assets.blocks.operation import RateLimitSettings
from mlops_assets.serving.api.rates import _SETS, _WAYS, Buckets


def takes(buckets: Buckets, limit: RateLimitSettings, now: float, who: str = "a") -> list[float]:
    return [buckets.take(who, limit, now) for _ in range(4)]


def test_a_bucket_fills_again_up_to_its_burst() -> None:
    limit, buckets = RateLimitSettings(per_second=2, burst=3), Buckets()

    assert takes(buckets, limit, 100.0) == [0, 0, 0, 0.5]
    assert buckets.take("a", limit, 100.25) == 0.25
    assert buckets.take("b", limit, 100.25) == 0
    assert takes(buckets, limit, 1000.0) == [0, 0, 0, 0.5]


def test_another_limit_holds_at_once() -> None:
    slow, quick = (
        RateLimitSettings(per_second=0.001, burst=3),
        RateLimitSettings(per_second=2, burst=3),
    )
    buckets = Buckets()

    assert takes(buckets, slow, 100.0)[3] == 1000
    assert buckets.take("a", quick, 100.0) == 0.5  # not the hours that the old one left


def test_more_clients_than_are_remembered_lock_nobody_out() -> None:
    limit, buckets = RateLimitSettings(per_second=0.01, burst=1), Buckets()

    clients = [str(number) for number in range(_SETS * _WAYS * 2)]
    waits = [buckets.take(who, limit, float(number)) for number, who in enumerate(clients)]

    assert waits == [0.0] * len(clients)
    last = len(clients)
    assert buckets.take(clients[-1], limit, last) == 99, "the newest one is remembered"


def test_processes_share_a_clients_rate(tmp_path: Path) -> None:
    buckets, limit = Buckets(), RateLimitSettings(per_second=0.001, burst=500)
    read, write = os.pipe()

    def take() -> None:
        granted = sum(buckets.take("a", limit, time.monotonic()) == 0 for _ in range(400))
        os.write(write, f"{granted}\n".encode())

    for pid in [fork(buckets, tmp_path, take) for _ in range(3)]:
        os.waitpid(pid, 0)

    assert sum(map(int, os.read(read, 100).split())) == 500
    assert buckets.take("a", limit, time.monotonic()) > 0


def test_a_process_that_is_killed_in_its_turn_blocks_nobody(tmp_path: Path) -> None:
    buckets, limit = Buckets(), RateLimitSettings(per_second=1, burst=1)
    read, write = os.pipe()

    def hold() -> None:
        with buckets.alone():
            os.write(write, b"held")
            time.sleep(60)

    pid = fork(buckets, tmp_path, hold)
    assert os.read(read, 4) == b"held"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    buckets.share(tmp_path)
    assert buckets.take("a", limit, 100.0) == 0


def fork(buckets: Buckets, folder: Path, work: Callable[[], None]) -> int:
    """A process that shares the buckets, as the template's workers do."""
    pid = os.fork()
    if pid:
        return pid
    try:
        buckets.share(folder)
        work()
    finally:
        os._exit(0)
