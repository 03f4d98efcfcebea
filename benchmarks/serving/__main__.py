"""What a prediction over HTTP costs, beside other servers of the same model on the same machine.

All servers run at once and are asked in turn, in several short rounds, so that whatever else the
machine does hurts all alike; a figure is the median of the rounds, a ratio the median of the
rounds' ratios. Ours has its prediction log and its metrics on.

    python -m benchmarks.serving        # 6 minutes; writes results/serving.md and serving.png

Exits 1 when a target is missed.
"""

import signal
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.page import sized, small
from benchmarks.serving.model import Served, make
from benchmarks.serving.page import write
from benchmarks.serving.results import Measured, Sample
from benchmarks.serving.servers import (
    LADDER,
    InProcess,
    Machine,
    Server,
    ours,
    peers,
)
from benchmarks.serving.swap import swap_seconds

ROUNDS, SECONDS, WARM_SECONDS = sized((4, 0.9, 0.2), (1, 0.05, 0.02))
SCORES_AGREE = 1e-6


class Case(NamedTuple):
    """One kind of request to one server."""

    group: str
    name: str
    server: Server | InProcess
    path: str
    bodies: list[str]
    connections: tuple[int, ...] = (1, 16)


def main(folder: Path) -> None:
    """Prepare, measure, write, judge."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that the servers end
    started = time.monotonic()
    served = make(folder)
    measured = Measured(served.runtime, served.lookup)
    with running(served) as servers:
        cases = all_cases(served, servers)
        with ThreadPoolExecutor() as pool:  # they start together
            list(pool.map(lambda case: require_right(case, served), cases))
        print(f"{len(cases)} cases ready after {time.monotonic() - started:.0f} s", flush=True)
        for _ in ask_all(cases, WARM_SECONDS):
            pass
        for number in range(ROUNDS):
            machine = Machine(servers.values())
            for case, connections, sample in ask_all(cases, SECONDS):
                measured.add((case.group, case.name, connections), sample)
            measured.foreign.append(machine.foreign_share())
            print(f"round {number + 1}: {measured.foreign[-1]:.0%} of the machine was others'")
        measured.memory = {name: server.memory() for name, server in servers.items()}
    measured.swaps = swap_seconds(served)
    missed = write(measured, time.monotonic() - started)
    sys.exit(("" if small() else "\n".join(missed)) or 0)  # an empty text would be an error


@contextmanager
def running(served: Served) -> Generator[dict[str, Server]]:
    """Every server by name; they end with the body."""
    servers: dict[str, Server] = {}
    try:
        servers |= peers(served)
        servers |= {"ours": ours(served, 1), "ours, 2 workers": ours(served, 2)}
        yield servers
    finally:
        for server in servers.values():
            server.end()


def all_cases(served: Served, servers: Mapping[str, Server]) -> list[Case]:
    """What is asked of whom, in the order in which it is asked."""
    own, called = ("ours", "ours, 2 workers"), InProcess(served)
    cases: list[Case] = []
    for batch in (False, True):
        group = "100 rows" if batch else "one row"
        rows, entities = served.by_features(batch=batch), served.by_entity(batch=batch)
        frames = served.by_features("dataframe_records", batch=batch)
        cases += [Case(group, name, servers[name], "/predict_features", rows) for name in own]
        cases += [
            Case(group, name, servers[name], "/predict", rows)
            for name in ("bare", "fastapi", "bentoml")
        ]
        cases.append(Case(group, "mlflow", servers["mlflow"], "/invocations", frames))
        cases += [
            Case(group, f"in process, {runtime}", called, runtime, rows, (1,))
            for runtime in ("onnx", "sklearn")
        ]
        group = "100 entities" if batch else "one entity"
        cases += [
            Case(group, name, servers[name], "/predict", entities) for name in (*own, "feast")
        ]
    single = served.by_features()
    cases += [
        Case("ladder", rung, servers[rung], "/predict_features", single, (1,)) for rung in LADDER
    ]
    return cases


def require_right(case: Case, served: Served) -> None:
    """Refuse a server that answers something else than scikit-learn does."""
    answer = _scores(case.server.wait(case.path, case.bodies[0]))
    worst = float(np.abs(np.array(answer) - served.scores[: len(answer)]).max())
    if not worst <= SCORES_AGREE:
        raise SystemExit(f"{case.group}, {case.name}: scores differ by {worst:.3g}")


def _scores(answer: Any) -> list[float]:
    """From `{"predictions": [...]}` or the bare list, of numbers, pairs, or objects."""
    items = answer["predictions"] if isinstance(answer, dict) else answer
    if isinstance(items[0], dict):
        return [item["prediction"] for item in items]
    return [item[1] for item in items] if isinstance(items[0], list) else items


def ask_all(cases: list[Case], seconds: float) -> Generator[tuple[Case, int, Sample]]:
    """One round: every case once for each number of connections."""
    for case in cases:
        for connections in case.connections:
            yield case, connections, case.server.ask(case.path, case.bodies, connections, seconds)


if __name__ == "__main__":
    if len(sys.argv) > 1:  # a folder that was prepared before
        main(Path(sys.argv[1]).absolute())
    with tempfile.TemporaryDirectory() as name:
        main(Path(name))
