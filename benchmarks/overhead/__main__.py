"""What Dagster and this project cost beside the libraries they run, in CPU seconds.

Three comparisons, each of processes run in turn or side by side, so that a busy machine slows both:
the code location against `import dagster`, the steps of a run against their functions, the whole
graph of `customers` against a script. A ratio is the median of the ratios of all rounds. CPU is
user + system time of a process and its children, without the endpoint's server, which outlives
them. Everything is written to a temporary folder, and to `results/overhead.md`.

    python -m benchmarks.overhead [ROUNDS]
"""

import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.page import ROOT, publish, sized
from mlops_assets.runtime.telemetry import SWITCHES
from resources.endpoints.process import HOST, EndpointProcess

LOAD = "from mlops_assets.definitions import defs; defs().get_repository_def()"
# Imported once before anything is measured, so that no round has to compile them.
_LIBRARIES = "import bentoml, dvc.repo, feast, matplotlib.figure, mlflow.sklearn, sklearn, skops.io"
_HERE = "benchmarks.overhead"
_OURS = ("MLOPS_", "DAGSTER_", "MLFLOW_", "PYTHONDONTWRITEBYTECODE")


@dataclass(frozen=True)
class Row:
    """One line of the table; `found` and `target` in the unit that `unit` names."""

    what: str
    cpu: float
    beside: str
    beside_cpu: float
    found: float
    target: float
    unit: str

    def line(self) -> str:
        """The Markdown of it."""
        verdict = "met" if self.found <= self.target else "MISSED"
        found, target = f"{self.found:.2f}{self.unit}", f"{self.target:g}{self.unit}"
        return (
            f"| {self.what} | {self.cpu:.2f} | {self.beside} | {self.beside_cpu:.2f} "
            f"| {found} | {target} | {verdict} |"
        )


def main(rounds: int) -> None:
    """Measure, print and store."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="overhead-") as name:
        folder = Path(name)
        for code in (_LIBRARIES, LOAD):
            cpu_seconds([["-c", code]], folder)
        rows = [loading(folder), steps(folder), whole_graph(folder, rounds)]
    publish("overhead", report(rows, rounds))
    print(f"{time.monotonic() - begin:.0f} s")


def loading(folder: Path, rounds: int = sized(7, 1)) -> Row:
    """Both models' definitions against the bare import."""
    bare, ours = [], []
    for _ in range(rounds):
        bare += cpu_seconds([["-c", "import dagster"]], folder)
        ours += cpu_seconds([["-c", LOAD]], folder)
    return _ratio("load the code location", ours, "`import dagster`", bare, target=2.0)


def steps(folder: Path) -> Row:
    """What a step of an in-process run adds to its own work."""
    state = folder / "steps"
    state.mkdir()
    cpu_seconds([["-m", f"{_HERE}.step", str(state), str(sized(7, 1))]], folder)
    found = json.loads((folder / "0.log").read_text(encoding="utf-8").splitlines()[-1])
    return Row(
        f"a run of {found['steps']} small steps",
        found["run"],
        "the same functions called directly",
        found["direct"],
        found["per_step"],
        target=0.2,
        unit=" s a step",
    )


def whole_graph(folder: Path, rounds: int) -> Row:
    """`customers` on its real data, by the graph and by the script, side by side."""
    graph, plain = [], []
    for number in range(rounds):
        work = folder / f"round-{number}"
        with _servers_stopped(work / "graph", work / "plain"):
            environment = _graph_environment(work / "graph")
            script = [f"{_HERE}.plain_customers", str(work / "plain"), str(_free_port())]
            arguments = [["-m", f"{_HERE}.graph_customers"], ["-m", *script]]
            graph_cpu, plain_cpu = cpu_seconds(arguments, folder, environment)
        graph.append(graph_cpu)
        plain.append(plain_cpu)
        shutil.rmtree(work)
    return _ratio("`customers`, by the asset graph", graph, "by a script", plain, target=1.18)


def cpu_seconds(
    arguments: Sequence[Sequence[str]], logs: Path, extra: dict[str, str] | None = None
) -> list[float]:
    """CPU seconds of one Python process for each list of arguments, all run at the same time.

    Raises:
        RuntimeError: One failed; with the end of what it printed.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
    # One thread: OpenMP's threads spin while they wait, and would be counted.
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment = inherited | dict(SWITCHES) | single | (extra or {})
    processes = []
    for number, each in enumerate(arguments):
        with (logs / f"{number}.log").open("wb") as log:
            command = [sys.executable, "-W", "ignore", *each]
            processes.append(
                subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
            )
    seconds = []
    failed = []
    for number, process in enumerate(processes):
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds.append(usage.ru_utime + usage.ru_stime)
        if process.returncode:
            tail = (logs / f"{number}.log").read_text(encoding="utf-8", errors="replace")[-2000:]
            failed.append(f"{arguments[number]} exited with {process.returncode}:\n{tail}")
    if failed:
        raise RuntimeError("\n".join(failed))
    return seconds


def report(rows: Sequence[Row], rounds: int) -> str:
    """The table, and what it was measured on."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("dagster", "mlflow", "feast"))
    header = "| measured | CPU s | beside | CPU s | found | at most | target |"
    lines = [
        "# Overhead",
        "",
        "CPU seconds, medians; a ratio is the median "
        f"of each round's; {rounds} rounds of the whole graph.",
        "",
        header,
        "| --- | ---: | --- | ---: | ---: | ---: | --- |",
        *(row.line() for row in rows),
        "",
        f"Python {platform.python_version()}, {versions}; {os.cpu_count()} cores, "
        f"{platform.machine()}.",
    ]
    return "\n".join(lines) + "\n"


def _ratio(what: str, ours: list[float], beside: str, others: list[float], target: float) -> Row:
    ratio = statistics.median(a / b for a, b in zip(ours, others, strict=True))
    medians = statistics.median(ours), statistics.median(others)
    return Row(what, medians[0], beside, medians[1], ratio, target, unit="x")


def _graph_environment(state: Path) -> dict[str, str]:
    (state / "data").mkdir(parents=True)
    return {
        "MLOPS_HOME": str(state),
        "MLOPS_DATA_ROOT": str(state / "data"),
        "DAGSTER_HOME": str(state / "dagster"),
        "MLOPS_PORT_CUSTOMERS": str(_free_port()),
    }


@contextmanager
def _servers_stopped(*folders: Path) -> Generator[None]:
    """End the servers that were started under `folders`, whatever happened."""
    try:
        yield
    finally:
        for folder in folders:
            EndpointProcess((folder / "endpoints" / "customers").resolve()).stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else sized(2, 1))
