"""Promotions under stress: two at once, killed at every step, and questions to a long ledger.

A real MLflow store in sqlite, real processes, a real BentoML endpoint. The rounds are those of
`tests/e2e/champion/test_promotions.py`, more often; a breach ends the program.

    python -m benchmarks.promotions [RACES] [KILLS]     # writes results/promotions.md; 0 leaves out
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pydantic import PrivateAttr

from benchmarks.page import ROOT, publish, sized
from mlops_assets.records.promotion import Move
from resources.champion.ledger import PromotionLedger

PROMOTIONS, QUESTIONS, MOST_SECONDS = sized((1000, 200, 0.05), (20, 4, 60.0))
START = datetime(2026, 1, 1, tzinfo=UTC)


def main(races: int = sized(100, 0), kills: int = sized(5, 0)) -> None:
    """Run all three and write the page."""
    asked = as_of_seconds()
    if max(asked) > MOST_SECONDS:
        raise SystemExit(f"a question took {max(asked):.3f} s")
    rounds = dict(zip(_TESTS, (races, kills), strict=True))
    page = _page(asked, {test: (n, rounds_of(test, n)) for test, n in rounds.items() if n})
    publish("promotions", page)


class HourlyLedger(PromotionLedger):
    """One move an hour."""

    _hours: Iterator[int] = PrivateAttr(default_factory=lambda: iter(range(PROMOTIONS)))

    def _now(self) -> datetime:
        return START + timedelta(hours=next(self._hours))


def as_of_seconds() -> list[float]:
    """Seconds of each question over 1,000 promotions; the answers are checked."""
    with tempfile.TemporaryDirectory() as folder:
        ledger, head = HourlyLedger(path=f"{folder}/ledger.db"), None
        evaluation = {"metrics": {f"metric_{n}": n / 7 for n in range(50)}}
        for version in range(1, PROMOTIONS + 1):
            move = Move(
                model="shop", to_version=version, who="ada", why="gate", evaluation=evaluation
            )
            head = ledger.append(move, head)
        seconds = []
        for question in range(QUESTIONS):
            hour = question * PROMOTIONS // QUESTIONS
            begin = time.perf_counter()
            found = ledger.as_of("shop", START + timedelta(hours=hour, minutes=30))
            seconds.append(time.perf_counter() - begin)
            if found is None or found.to_version != hour + 1:
                raise SystemExit(f"hour {hour}: the ledger answers {found}")
    return seconds


_TESTS = {
    "test_of_two_processes_one_wins_each_time": "two processes promote at the same moment",
    "test_a_kill_between_any_two_steps_leaves_one_champion_that_serves": "`kill -9` at each of "
    "the nine steps, from the endpoint's manifest to the last alias",
}


def rounds_of(test: str, rounds: int) -> float:
    """Seconds of a test with that many rounds; ends the program if it fails."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-o", "timeout=3600"]
    done = subprocess.run(
        [*command, f"tests/e2e/champion/test_promotions.py::{test}"],
        env=os.environ | {"PROMOTION_ROUNDS": str(rounds), "PROMOTION_KILLS": str(rounds)},
        cwd=ROOT,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{test} failed with {rounds} rounds")
    return time.perf_counter() - begin


def _page(asked: list[float], done: dict[str, tuple[int, float]]) -> str:
    worst, median = 1000 * max(asked), 1000 * statistics.median(asked)
    parts = [
        "# Promotions under stress\n\n`python -m benchmarks.promotions [RACES] [KILLS]`.",
        f"`ledger.as_of` over {PROMOTIONS:,} promotions of one model, each with its evaluation: "
        f"median {median:.1f} ms, worst of {QUESTIONS} questions {worst:.1f} ms (asked: 50 ms).",
    ]
    if done:
        rows = [
            f"| {_TESTS[test]} | {n} | {seconds:.0f} s |" for test, (n, seconds) in done.items()
        ]
        parts += [
            "On a real MLflow store (sqlite), in real processes and, for the kills, with a real "
            "BentoML endpoint. After each round the ledger is linear and the aliases stand at its "
            "head; after each kill and `Promotions.restore`, with which `mlops run` begins, the "
            "live endpoint serves that version too. No round failed:",
            "\n".join(["| what | rounds | took |", "|---|---|---|", *rows]),
        ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
