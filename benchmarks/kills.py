"""`kill -9` of `mlops run` at random moments, each followed by a plain run that must recover.

Every third kill meets the first run of an empty home; the others a run over new data, beside a
champion that serves. After each recovery the newest version is champion, the ledger is linear, the
alias and the live endpoint are at its head, and no run is left unfinished, in Dagster or MLflow.

    python -m benchmarks.kills [KILLS] [SEED]     # default 60; writes results/kills.md
"""

import random
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.page import publish, sized
from tests.support.runs.killed_runs import ITS_END, RUN, kill_and_recover
from tests.support.runs.small_checkout import Checkout

PORT, SEED = 21310, 20261128
EMPTY_EVERY = 3


def main() -> None:
    """Kill and recover; write the page; fail unless every round recovered."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else sized(60, 1)
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    with tempfile.TemporaryDirectory() as folder:
        checkout = Checkout.at(Path(folder) / "project", PORT)
        try:
            page, recovered = _page(checkout, kills, seed)
        finally:
            checkout.run("mlops", "stop")
    publish("kills", page)
    raise SystemExit(0 if recovered == kills else 1)


def _page(checkout: Checkout, kills: int, seed: int) -> tuple[str, int]:
    drawn = random.Random(seed)
    began = time.monotonic()
    checkout.run(*RUN)
    whole = time.monotonic() - began
    longest = {True: whole, False: whole}
    lines, recovered = [], 0
    while len(lines) < kills:
        number = len(lines)
        empty = number % EMPTY_EVERY == 0
        after = drawn.uniform(0, longest[empty])
        came_to, faults = kill_and_recover(checkout, after, empty=empty)
        if came_to == ITS_END and not faults:  # it was no kill; another, sooner, takes its place
            longest[empty] = after
            continue
        recovered += not faults
        home = "empty" if empty else "in use"
        said = "; ".join(faults) or "recovered"
        lines.append(f"| {number + 1} | {home} | {after:.1f} | {came_to} | {said} |")
        print(lines[-1], flush=True)
    head = (__doc__ or "").partition("    python -m")[0]
    table = "| kill | home | after s | it had come to | then |\n|---|---|---|---|---|\n"
    text = (
        f"# `kill -9` of a whole run\n\n{head}"
        f"`python -m benchmarks.kills {kills} {seed}`: {recovered} of {kills} "
        f"recovered; a run on an empty home took {whole:.0f} s.\n\n{table}"
    )
    return text + "\n".join(lines) + "\n", recovered


if __name__ == "__main__":
    main()
