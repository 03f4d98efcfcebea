"""A tick of the retraining sensor that is killed, and the ticks after it, on real stores.

Run as `python -m tests.support.retraining.killed_ticks FOLDER`: for every step at which a tick can
be killed a process is forked, dies there by SIGKILL, and others tick in its place. Prints one JSON
line per step: `{"step", "decided", "requests", "runs"}`.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from mlops_assets.config import ModelSettings
from mlops_assets.records.monitoring import PerformanceSummary, Window
from resources.decisions import DecisionStore
from sensors.retrain_signals import DECISION_TAG
from sensors.retraining import tick
from tests.support.loans import loans_yaml

NOW = datetime(2026, 3, 1, tzinfo=UTC)
RETRAIN = {"monitoring": {"retrain": {"on_new_data": "signal"}}}
SETTINGS = ModelSettings.model_validate(loans_yaml(Path("nowhere.csv")) | RETRAIN)


@dg.op
def train() -> None:
    """Nothing: what is tested is whether it is asked for once."""


@dg.job
def loans_training() -> None:
    """In the place of the model's own."""
    train()


class Mortal(DecisionStore):
    """Dies before its `dies_at`-th SQL statement."""

    dies_at: int

    @contextmanager
    def connection(self, *, reads: bool = False) -> Generator[Any]:
        with super().connection(reads=reads) as connection:
            connection.connection.driver_connection.set_trace_callback(self._count)
            yield connection

    def _count(self, statement: str) -> None:
        global _statements  # of this process, which lives for one tick
        _statements += 1
        if _statements == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)


_statements = 0


def report_degraded_windows(instance: dg.DagsterInstance) -> None:
    """Two windows that were predicted badly: a reason to train."""
    starts = [NOW - timedelta(days=days) for days in (9, 8)]
    found = [
        PerformanceSummary(
            model="loans",
            model_version=1,
            window=Window(start=start, end=start + timedelta(days=1)),
            rows=500,
            labelled_rows=500,
            final=True,
            verdict="degraded",
        )
        for start in starts
    ]
    metadata = {"final": [window.model_dump(mode="json") for window in found]}
    event = dg.AssetMaterialization(["loans", "performance_report"], metadata=metadata)
    instance.report_runless_asset_event(event)


def answer(instance: dg.DagsterInstance, store: DecisionStore) -> list[str]:
    """A tick, and what the daemon makes of its answer: a run per key, however often it is asked."""
    result = tick(instance, SETTINGS, store, NOW)
    keys = [str(request.run_key) for request in result.run_requests or []]
    for request in result.run_requests or []:
        tags = {**request.tags, "dagster/run_key": str(request.run_key)}
        if not instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": tags["dagster/run_key"]})):
            status = dg.DagsterRunStatus.STARTED
            instance.create_run_for_job(loans_training, tags=tags, status=status)
    return keys


def in_a_process(work: Callable[[], None]) -> bool:
    """Whether a fork that does the work was killed."""
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def killed_at(step: int, folder: Path) -> bool:
    """Whether a tick dies at that step; a line says what the next ticks make of it.

    Step 0 is the one after its last: all is written, and nobody hears the answer.
    """
    home, path = folder / f"home_{step}", folder / f"decisions_{step}.db"
    shutil.copytree(folder / "home", home)

    def first() -> None:
        with dg.DagsterInstance.local_temp(str(home)) as instance:
            if step == 0:
                tick(instance, SETTINGS, DecisionStore(database=str(path)), NOW)
                os.kill(os.getpid(), signal.SIGKILL)
            answer(instance, Mortal(database=str(path), dies_at=step))

    def after() -> None:
        store = DecisionStore(database=str(path))
        with dg.DagsterInstance.local_temp(str(home)) as instance:
            requests = [key for _ in range(2) for key in answer(instance, store)]
            runs = [run.tags[DECISION_TAG] for run in instance.get_runs()]
        rows = [row.rule for row in store.history("loans", 10) if row.action == "train"]
        line = {"step": step, "decided": rows, "requests": requests, "runs": runs}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    died = in_a_process(first)
    in_a_process(after)
    return died


def main(folder: Path) -> None:
    """From the first step to the one that a tick does not reach."""

    def prepare() -> None:
        with dg.DagsterInstance.local_temp(str(folder / "home")) as instance:
            report_degraded_windows(instance)

    (folder / "home").mkdir()
    in_a_process(prepare)
    # What a tick imports, once and not in each fork: three quarters of its time.
    with dg.DagsterInstance.ephemeral() as instance:
        answer(instance, DecisionStore(database=str(folder / "unused.db")))
    step = 0
    while killed_at(step, folder):
        step += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]))
