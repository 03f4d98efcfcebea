"""`kill -9` of workers, of the supervisor and of everything, under load."""

import os
import signal
import time
from collections.abc import Iterable

import psutil

from benchmarks.rollout.bed import TestBed, wait
from mlops_assets.cli.endpoints import brought_up
from mlops_assets.serving.process.workers import CRASH_SECONDS, CRASHES


class Kills:
    """What is lost, and when it answers again."""

    def __init__(self, bed: TestBed) -> None:
        self.bed, self.process = bed, bed.process

    def workers(self, times: int = 5) -> None:
        """One of two, several times, then both at once."""
        for count, rounds in ((1, times), (2, 1)):
            for _ in range(rounds):
                self._workers(count)

    def _workers(self, count: int) -> None:
        before = self.process.workers()
        with self.bed.load() as loads:
            time.sleep(0.5)
            started = time.monotonic()
            kill(before[:count])
            wait(lambda: self._new(before) >= count)
            seconds = time.monotonic() - started
            time.sleep(1)
        self.bed.say(
            f"kill -9 of {count} of 2 workers",
            f"all ready again after {seconds:.2f} s; {loads.said()}; {self.bed.lost(loads)}",
        )
        time.sleep(CRASH_SECONDS + 1)  # or the next one would count as a crash

    def _new(self, before: list[int]) -> int:
        ready = {int(file.stem) for file in (self.process.folder / "status").glob("*.json")}
        return len((ready & set(self.process.workers())) - set(before))

    def crash_loop(self) -> None:
        """A version whose workers die young, each in turn, is given up for the one before."""
        self.bed.subject.deploy(2)
        with self.bed.load() as loads:
            started = time.monotonic()
            for _ in range(CRASHES + 1):  # the first one is old
                before = self.process.workers()
                newest = max(before, key=lambda pid: psutil.Process(pid).create_time())
                kill([newest])
                wait(lambda before=before: self._new(before) >= 1)
            wait(lambda: self._served() == 1)
            seconds = time.monotonic() - started
        self.bed.say(
            f"kill -9 of {CRASHES + 1} workers, each as soon as it is ready",
            f"version 1 serves after {seconds:.1f} s; {loads.said()}; {self.bed.lost(loads)}",
        )
        time.sleep(CRASH_SECONDS + 1)

    def _served(self) -> int | None:
        found = self.bed.local.status("toy")
        return found.model_version if found else None

    def template(self) -> None:
        """The supervisor starts it again."""
        before = self.process.workers()
        with self.bed.load() as loads:
            time.sleep(0.5)
            started = time.monotonic()
            kill([psutil.Process(before[0]).ppid()])
            wait(lambda: self._new(before) >= len(before))
            seconds = time.monotonic() - started
        self.bed.say(
            "kill -9 of the template",
            f"all ready again after {seconds:.0f} s; {loads.said()}; {self.bed.lost(loads)}",
        )

    def supervisor(self) -> None:
        """And the endpoint is brought back."""
        template = psutil.Process(self.process.workers()[0]).ppid()
        with self.bed.load() as loads:
            time.sleep(0.5)
            kill([psutil.Process(template).ppid()])
            started = time.monotonic()
            wait(lambda: not self.bed.processes())
            gone = time.monotonic() - started
        self.bed.local.up("toy")
        self.bed.say(
            "kill -9 of the supervisor",
            f"no process left after {gone:.1f} s; answers again by `up` "
            f"{time.monotonic() - started:.0f} s after the kill; {self.bed.lost(loads)}",
        )

    def everything(self) -> None:
        """Every process at once; then, as a power cut may leave it, a line cut off."""
        before = self.bed.local.status("toy")
        with self.bed.load() as loads:
            time.sleep(1)
            pids = [process.pid for process in self.bed.processes()]
            kill(pids)
        log = max((self.process.folder / "predictions").glob("*.jsonl"), key=os.path.getmtime)
        with log.open("ab") as file:
            file.write(log.read_bytes()[:100])
        started = time.monotonic()
        os.environ["MLOPS_ENDPOINTS"] = self.bed.local.root
        (back,) = brought_up(["toy"])
        seconds = time.monotonic() - started
        after = self.bed.local.status("toy")
        same = None not in (before, after) and before.model_version == after.model_version
        lost = self.bed.lost(loads)
        compacted = self.bed.log.compact("toy")
        answer, _, _ = back.said.partition(" at ")
        self.bed.say(
            f"kill -9 of all {len(pids)} processes",
            f"`mlops up` after {seconds:.0f} s: {answer}, as before: {same}; {lost}; "
            f"the log is read with {compacted.torn_lines} torn line counted",
        )


def kill(pids: Iterable[int]) -> None:
    """By SIGKILL."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
