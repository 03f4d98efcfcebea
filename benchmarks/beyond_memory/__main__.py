"""An event log beyond memory by size: from raw files to features and labels, CPU, memory and disk.

Events of customers who recur, in no order of time, as Parquet; ten features of each customer at the
beginning of each month, and whether they return. Each asset is materialized by a command of its
own; beside them are scripts of pandas, Polars and Spark, which needs Java. Data and figures stay in
the folder that is given, and what is there is not measured again.

    python -m benchmarks.beyond_memory [FOLDER]     # two hours; writes results/beyond_memory.md
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.beyond_memory.parts import STAGES, Facts
from benchmarks.beyond_memory.scripts import SCRIPTS
from benchmarks.page import ROOT, place, publish, sized
from mlops_assets.ml.markdown import table
from mlops_assets.ml.plots.style import INK, MODEL, REFERENCE, figure_and_axes, png

DUCKDB, ARRAYS = "duckdb://?memory_limit=1GB", "arrays"
LIMIT_MB = 4_000
COLOURS = {
    DUCKDB: MODEL,
    ARRAYS: REFERENCE,
    "pandas": "#16a34a",
    "polars": "#ea580c",
    "spark": "#9333ea",
}


class Log(NamedTuple):
    """One event log, and what computes of it."""

    events: int
    entities: int
    kind: str
    engine: str

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.events}-{self.entities}-{self.kind}"

    @property
    def engine_name(self) -> str:
        """Without its parameters."""
        return self.engine.partition(":")[0]


FULL = (
    *(
        Log(events, events // 50, "int64", engine)
        for events in (1_000_000, 10_000_000)
        for engine in (*SCRIPTS, ARRAYS, DUCKDB)
    ),
    Log(10_000_000, 200_000, "string", DUCKDB),
    Log(50_000_000, 1_000_000, "int64", DUCKDB),
    Log(100_000_000, 1_000_000, "int64", DUCKDB),
)
LITTLE = tuple(Log(4_000, 80, "int64", engine) for engine in ("pandas", "polars", ARRAYS, DUCKDB))
MOMENTS = sized(12, 4)


def main() -> None:
    """Measure what is not there yet, and write the page."""
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder))


def measure(folder: Path) -> None:
    """Every log of this size."""
    found = {log: measured(log, folder) for log in sized(FULL, LITTLE)}
    require_equal(found)
    publish("beyond_memory", page(found))
    place("beyond_memory.png").write_bytes(picture(found))


def measured(log: Log, folder: Path) -> Facts:
    """What its assets took."""
    source = folder / log.name
    if not source.exists():
        part("make", source, log.events, log.entities, log.kind)
    state = folder / f"{log.name}-{log.engine_name}"
    kept = state.with_suffix(".json")
    if not kept.exists():
        if log.engine in SCRIPTS:
            told = part("script", source, state, log.engine, MOMENTS)
        else:
            told = part("run", source, state, log.engine, log.kind, MOMENTS)
        kept.write_text(told, encoding="utf-8")
    return json.loads(kept.read_text(encoding="utf-8"))


def part(name: str, *arguments: object) -> str:
    """What a part prints."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.beyond_memory.parts", name]
    command += map(str, arguments)
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def require_equal(found: dict[Log, Facts]) -> None:
    """Both engines, and the scripts, make the same rows of the same events."""
    same: dict[str, Facts] = {}
    for log, facts in found.items():
        other = same.setdefault(log.name, facts)
        for stage in [stage for stage in STAGES[1:] if stage in facts and stage in other]:
            counts = [(one[stage]["rows"], one[stage].get("labelled")) for one in (facts, other)]
            if counts[0] != counts[1]:
                raise SystemExit(f"{log}: {stage} differs: {counts}")
        sums = [one["features"]["sum"] for one in (facts, other)]
        if abs(sums[0] - sums[1]) > 1e-9 * abs(sums[1]):
            raise SystemExit(f"{log}: features differ: {sums}")


def cpu(facts: Facts) -> float:
    """Of all assets."""
    return sum(stage["cpu_s"] for stage in facts.values())


def peak(facts: Facts) -> float:
    """The most that any asset's processes held."""
    return max(stage["peak_mb"] for stage in facts.values())


def took(stage: Facts) -> str:
    """What one asset took."""
    return f"{stage['cpu_s']:.0f} s, {stage['peak_mb']:,.0f} MB"


def page(found: dict[Log, Facts]) -> str:
    """The results in Markdown."""
    columns = ["events", "entities", "id", "engine", "feature rows", *STAGES, "CPU s", "peak MB",
               "spilled MB"]  # fmt: skip
    rows = [
        [
            f"{log.events:,}", f"{log.entities:,}", log.kind, log.engine_name,
            f"{facts['features']['rows']:,}",
            *(took(facts[stage]) if stage in facts else "" for stage in STAGES),
            f"{cpu(facts):.0f}", f"{peak(facts):,.0f}",
            f"{max(stage['spill_mb'] for stage in facts.values()):,.0f}",
        ]
        for log, facts in found.items()
    ]  # fmt: skip
    return f"""# An event log beyond memory

Events of four columns (id, moment, amount, one of three texts), in no order, in Parquet files of
5 million; a thousandth of them twice, which `drop_duplicates` finds, and about a thousandth below
the least amount, which go to quarantine. {len(STAGES)} assets by `dagster asset materialize`, each
a command of its own: ten features as of {MOMENTS} months, and the label. CPU is of all processes,
with some 4 s for each command to start; the peak is of all processes of a command at once, looked
at five times a second; spilled is the most that lay in `cache/spill`. DuckDB: `{DUCKDB}`.

{table(columns, rows)}

{ratios(found)}

`pandas`, `polars` and `spark` are scripts (`benchmarks/beyond_memory/scripts.py`): one process, of
Spark also its Java (`local[2]`, 4 GB), that reads, drops, aggregates, labels and writes one file;
no version, quarantine, profile, check or feature store. All make the same rows, labels and sums,
which the benchmark requires. What an asset holds at its peak: `raw_data` a batch; `processed_data`
a batch and 16 bytes a row, to know what is there twice; `features` DuckDB's limit and one snapshot,
then all feature rows about twice.

![CPU and memory by events](beyond_memory.png)
"""


def ratios(found: dict[Log, Facts]) -> str:
    """What ten times the events cost."""
    told = []
    for log, facts in found.items():
        for more, others in found.items():
            same = (more.engine, more.kind) == (log.engine, log.kind)
            if same and more.events == 10 * log.events:
                times = cpu(others) / cpu(facts)
                said = f"{log.events:,} to {more.events:,} events: {times:.1f} times the CPU"
                told.append(f"* {log.engine_name}, {said}")
    return "\n".join(told)


def picture(found: dict[Log, Facts]) -> bytes:
    """CPU and peak memory by events, a line for each engine."""
    figure, panels = figure_and_axes(1, 2)
    figure.set_size_inches(10, 4)
    for axes, of, said in zip(panels, (cpu, peak), ("CPU s", "peak MB"), strict=True):
        for name, colour in COLOURS.items():
            points = sorted(
                (log.events, of(facts))
                for log, facts in found.items()
                if (log.engine, log.kind) == (name, "int64")
            )
            if not points:
                continue
            label = name.partition(":")[0]
            axes.plot(*zip(*points, strict=True), marker="o", color=colour, label=label)
        axes.set(xscale="log", yscale="log", xlabel="events", ylabel=said)
        axes.legend(frameon=False)
    panels[1].axhline(LIMIT_MB, color=INK, linewidth=0.8)
    return png(figure)


if __name__ == "__main__":
    main()
