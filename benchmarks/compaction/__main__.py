"""What compacting a day of predictions takes, beside Polars.

Each pass is a process of its own, by one thread, ours and Polars in turn; a figure is the median of
the rounds. Polars reads the endpoint's files whole, drops rows that are there twice, sorts them and
writes the day, in memory. Ours does the same within bounds, and marks the files.
"""

import os
import statistics
import tempfile

from benchmarks.compaction.parts import Facts, run
from benchmarks.page import publish, sized

SIZES = sized({1_000_000: 3, 10_000_000: 1}, {2_400: 1})
"""Predictions to the number of rounds."""
MOST_FOR_POLARS = 1_000_000
"""It takes 1.2 GB a million."""


def main() -> None:
    """Measure, and write the page."""
    lines = [line for rows in SIZES for line in measured(rows)]
    text = f"""# Compacting a day of predictions

CPU seconds of one thread and the process's peak of memory, on {os.cpu_count()} shared processors.
Of 20 features each, from the endpoint's files of 100,000 lines to one Parquet file of the day.
"the next hour" adds a twenty-fourth to a day that is there, which is read and written once for it.
Medians of the rounds, ours and Polars in turn.

| | predictions | rounds | ours | Polars | ratio |
|---|---|---|---|---|---|
{chr(10).join(lines)}
"""
    publish("compaction", text)


def measured(rows: int) -> list[str]:
    """The lines of one size."""
    ours, theirs = list[Facts](), list[Facts]()
    with tempfile.TemporaryDirectory() as folder:
        run("make", folder, rows)
        for _ in range(SIZES[rows]):
            ours.append(run("day", folder))
            if rows <= MOST_FOR_POLARS:
                theirs.append(run("polars_day.py", folder))
        run("make", folder, rows // 24, 1)
        hour = [run("next_hour", folder)]
    for facts in (*ours, *theirs):
        if facts["rows"] != rows:
            raise SystemExit(f"of {rows} rows {facts['rows']} were written")
    ratio = [one["cpu_s"] / other["cpu_s"] for one, other in zip(ours, theirs, strict=False)]
    said = f"{statistics.median(ratio):.2f}" if ratio else ""
    return [
        f"| the day | {rows:,} | {SIZES[rows]} | {_cell(ours)} | {_cell(theirs)} | {said} |",
        f"| the next hour | {rows // 24:,} | 1 | {_cell(hour)} | | |",
    ]


def _cell(found: list[Facts]) -> str:
    if not found:
        return ""
    cpu, peak = (statistics.median(one[key] for one in found) for key in ("cpu_s", "peak_mb"))
    return f"{cpu:.2f} s, {peak:,.0f} MB"


if __name__ == "__main__":
    main()
