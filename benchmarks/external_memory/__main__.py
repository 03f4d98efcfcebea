"""A table beyond memory by size, with its rows in memory and in their file: CPU and memory.

Rows of twenty numbers in no order; XGBoost. Each asset is materialized by a command of its own.
Both make the same version, which the benchmark requires. Data and figures stay in the folder that
is given, and what is there is not measured again.

    python -m benchmarks.external_memory [FOLDER]     # ten minutes; writes a page
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.external_memory.parts import FEATURES, STAGES, Facts
from benchmarks.page import ROOT, publish, sized
from mlops_assets.ml.markdown import table

ROWS = sized((1_000_000,), (4_000,))
KEPT_IN = ("memory", "file")
Found = dict[tuple[int, str], Facts]


def main() -> None:
    """Measure what is not there yet, and write the page."""
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder))


def measure(folder: Path) -> None:
    """Every size, both ways."""
    found = {(rows, where): measured(rows, where, folder) for rows in ROWS for where in KEPT_IN}
    require_equal(found)
    publish("external_memory", page(found))


def measured(rows: int, where: str, folder: Path) -> Facts:
    """What the assets of one table took."""
    folder.mkdir(parents=True, exist_ok=True)
    source, state = folder / f"{rows}.parquet", folder / f"{rows}-{where}"
    if not source.exists():
        part("make", source, rows)
    kept = state.with_suffix(".json")
    if not kept.exists():
        kept.write_text(part("run", source, state, where), encoding="utf-8")
    return json.loads(kept.read_text(encoding="utf-8"))


def part(name: str, *arguments: object) -> str:
    """What a part prints."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.external_memory.parts", name]
    command += map(str, arguments)
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def require_equal(found: Found) -> None:
    """Where the rows were changes no prediction."""
    for (rows, _), facts in found.items():
        hashes = [found[rows, KEPT_IN[0]], facts]
        if len({one["trained_model"]["predictions"] for one in hashes}) > 1:
            raise SystemExit(f"{rows:,} rows: the versions differ")


def page(found: Found) -> str:
    """The results in Markdown."""
    rows = [
        [
            f"{count:,}",
            where,
            *(f"{facts[stage]['cpu_s']:.0f} s, {facts[stage]['peak_mb']:,.0f}" for stage in STAGES),
            f"{sum(facts[stage]['cpu_s'] for stage in STAGES):.0f}",
            f"{max(facts[stage]['peak_mb'] for stage in STAGES):,.0f}",
        ]
        for (count, where), facts in found.items()
    ]
    columns = ["rows", "kept in", *(f"`{stage}`" for stage in STAGES), "CPU s", "peak MB"]
    return f"""# Rows that stay in their file

A table of {len(FEATURES)} numbers, a moment and a class, in no order of time, as one Parquet file;
XGBoost with 30 trees, the last tenth of the time held out. Each asset by `dagster asset
materialize`, a command of its own: CPU seconds of all its processes, some 5 of which are to start,
and the most memory in MB that they held at once. `memory` is by default, `file` with
`training.external_memory: true`. Both predict the same of every held-out row, to the last bit,
which the benchmark requires.

{table(columns, rows)}

The numbers of a million such rows are 160 MB.
"""


if __name__ == "__main__":
    main()
