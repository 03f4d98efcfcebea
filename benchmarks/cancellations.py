"""Runs that are canceled at random moments, under each executor.

A whole training, from raw data to the deployment, is launched over new data through Dagster's
GraphQL beside a champion that serves, and terminated after a random time, every second one by
force; and `mlops run` gets Ctrl-C or, every second time, SIGTERM. Asked: the run ends CANCELED, no
step that began later succeeds, none is tried again, its MLflow run is KILLED, and the champion, its
alias and the endpoint are what they were before the request. A last plain run must succeed.

    python -m benchmarks.cancellations [EACH] [SEED]   # default 20; writes results/cancellations.md
"""

import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path

from benchmarks.page import publish, sized
from tests.support.runs.canceled_runs import (
    ITS_END,
    Canceled,
    Server,
    cancel_command,
    cancel_launched,
    run_status,
)
from tests.support.runs.small_checkout import ENDED, MODEL, Checkout
from tests.support.servers import wait_for

PORT, UI_PORT, SEED = 21320, 21321, 20261128
EXECUTORS = sized(("in_process", "spawn", "forkserver"), ("in_process",))
_RUN = ("mlops", "run", MODEL)


def main() -> None:
    """Cancel; write the page; fail unless every run was canceled as it should be."""
    each = int(sys.argv[1]) if len(sys.argv) > 1 else sized(20, 1)
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    drawn = random.Random(seed)
    found: dict[str, list[Canceled]] = {}
    with tempfile.TemporaryDirectory() as folder:
        checkout = Checkout.at(Path(folder) / "project", PORT)
        try:
            checkout.run(*_RUN)
            for executor in EXECUTORS:
                found[executor] = list(_of_executor(checkout, executor, each, drawn))
            found["`mlops run`"] = list(_of_command(checkout, each, drawn))
            checkout.new_data()
            checkout.run(*_RUN)
        finally:
            checkout.run("mlops", "stop")
    page = _page(found, f"python -m benchmarks.cancellations {each} {seed}")
    publish("cancellations", page)
    raise SystemExit(1 if any(one.faults for runs in found.values() for one in runs) else 0)


def _of_executor(
    checkout: Checkout, executor: str, each: int, drawn: random.Random
) -> Generator[Canceled]:
    server = Server(checkout, UI_PORT)
    with server.running(executor):
        checkout.new_data()
        began = time.monotonic()
        whole = server.launch()
        wait_for("a whole run", lambda: run_status(checkout, whole) in ENDED, 900, every=1)
        seconds = time.monotonic() - began
        number, longest = 0, 0.8 * seconds
        while number < each:
            after, forced = drawn.uniform(0, longest), number % 2 == 1
            one = cancel_launched(server, checkout, partial(_pass, after), forced=forced)
            if one.during == ITS_END:  # nothing was canceled; another, sooner, takes its place
                longest = after
                continue
            number += 1
            yield _told(f"{executor}, {'forced' if forced else 'asked'}", after, one)


def _of_command(checkout: Checkout, each: int, drawn: random.Random) -> Generator[Canceled]:
    checkout.new_data()
    began = time.monotonic()
    checkout.run(*_RUN)
    seconds = time.monotonic() - began
    number, longest = 0, 0.85 * seconds
    while number < each:
        # Not while Python still imports: Ctrl-C is not ours yet.
        after = drawn.uniform(0.25 * seconds, longest)
        asked_by = signal.SIGTERM if number % 2 else signal.SIGINT
        one = cancel_command(checkout, partial(_pass, after), asked_by)
        if one.during == ITS_END:
            longest = after
            continue
        number += 1
        yield _told(f"mlops run, {asked_by.name}", after, one)


def _pass(seconds: float, since: float) -> None:
    time.sleep(max(0.0, since + seconds - time.time()))


def _told(way: str, after: float, one: Canceled) -> Canceled:
    """The same, once it is printed."""
    said = "; ".join(one.faults) or "as it should"
    print(f"{way} after {after:.1f} s, in {one.during}: {one.within:.1f} s; {said}", flush=True)
    return one


def _page(found: dict[str, list[Canceled]], command: str) -> str:
    head = (__doc__ or "").partition("    python -m")[0]
    lines = [
        f"# Canceled runs\n\n{head}`{command}`.\n",
        "| executor | as it should | seconds to the end: median, worst | during |",
        "|---|---|---|---|",
    ]
    for executor, runs in found.items():
        good, seconds = sum(not one.faults for one in runs), [one.within for one in runs]
        steps = ", ".join(sorted({one.during.removeprefix(f"{MODEL}__") for one in runs}))
        spread = f"{statistics.median(seconds):.1f}, {max(seconds):.1f}"
        lines.append(f"| {executor} | {good} of {len(runs)} | {spread} | {steps} |")
    bad = [(executor, one) for executor, runs in found.items() for one in runs if one.faults]
    lines += [f"\n- {name}, in {one.during}: {'; '.join(one.faults)}" for name, one in bad]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
