"""What the feature store takes at size, beside Feast's own plan and Polars.

Every part runs in a process of its own, by one thread, ours and its peers in turn; a figure is the
median of the rounds.

    python -m benchmarks.feature_store      # an hour; writes results/feature_store.md
"""

import json
import os
import statistics
import tempfile
from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmarks.feature_store.parts import SHAPES, Facts, run
from benchmarks.page import publish, small


class Size(NamedTuple):
    """How much of everything."""

    rows: dict[int, int]
    """To the number of rounds."""
    most_for_feast: int
    """Rows; its plan of a month of daily ones takes 5 GB a million, and is killed at two."""
    entities: int
    logged: int


LARGE = Size(
    {1_000_000: 3, 5_000_000: 3, 10_000_000: 3},
    most_for_feast=1_000_000,
    entities=1_000_000,
    logged=1_000_000,
)
SMALL = Size({10_000: 1}, most_for_feast=10_000, entities=1_000, logged=10_000)


def main() -> None:
    """Measure, and write the page."""
    size = SMALL if small() else LARGE
    joins = [join(shape, rows, size) for rows in size.rows for shape in SHAPES]
    with tempfile.TemporaryDirectory() as folder:
        published = run("publish", folder, size.entities)
    with tempfile.TemporaryDirectory() as folder:
        logged = run("log_dataset", folder, size.logged)
    publish("feature_store", page(joins, published, logged, size))


def join(shape: str, rows: int, size: Size) -> dict[str, Any]:
    """The medians of each way to join, which all find the same rows."""
    found: dict[str, list[Facts]] = {}
    with tempfile.TemporaryDirectory() as folder:
        made = run("prepare", folder, shape, rows)
        for _ in range(size.rows[rows]):
            found.setdefault("ours", []).append(run("join", folder, shape))
            days = SHAPES[shape][2].removesuffix("d")
            found.setdefault("Polars", []).append(run("polars_join.py", folder, shape, days))
        if rows <= size.most_for_feast:
            found["Feast"] = [run("join_by_feast", folder, shape)]
    for one in (facts for rounds in found.values() for facts in rounds):
        if one["joined"] != made["rows"] or abs(one["sum"] - found["ours"][0]["sum"]) > 1e-6:
            raise SystemExit(f"{shape}, {rows} rows: the joins differ: {json.dumps(found)}")
    medians = {
        name: {key: statistics.median(one[key] for one in rounds) for key in ("cpu_s", "peak_mb")}
        for name, rounds in found.items()
    }
    return {"shape": shape, "rows": made["rows"], "rounds": size.rows[rows], **medians}


def page(joins: list[dict[str, Any]], published: Facts, logged: Facts, size: Size) -> str:
    """The results in Markdown."""
    lines = [
        "# The feature store at size",
        "",
        "CPU seconds of one thread and the "
        f"process's peak of memory, on {os.cpu_count()} shared processors.",
        "",
        "## Rows for training",
        "",
        "Of 10 features each, as of the moments of as many keys, from the feature file to a frame "
        "in order. monthly: 12 moments of each entity, a TTL of a year; daily: 100, a month. "
        "Medians of the rounds, ours and Polars in turn; Feast in one.",
        "",
        "| shape | rows | rounds | ours | Polars `join_asof` | Feast `get_historical_features` |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one['shape']} | {one['rows']:,} | {one['rounds']} | {_cell(one['ours'])} "
        f"| {_cell(one.get('Polars'))} | {_cell(one.get('Feast'))} |"
        for one in joins
    ]
    lines += ["", *_growth(joins)]
    lines += [
        "",
        "## A publication by entity id",
        "",
        f"{size.entities:,} entities of 10 features to the sqlite store, beside which readers go "
        f"on; the file has {published['file_mb']:,.0f} MB.",
        "",
        "| | cells written | CPU s, peak MB |",
        "|---|---|---|",
    ]
    said = {"first": "the first", "same": "the same again", "tenth": "a tenth is of another day"}
    said["all"] = "all are of another day"
    lines += [
        f"| {text} | {published[name]['cells']:,} | {_cell(published[name])} |"
        for name, text in said.items()
    ]
    lines += [
        "",
        "## What MLflow is told of a training's rows",
        "",
        f"{logged['rows']:,} rows of 20 columns: it is shown {logged['shown']:,}, "
        f"{logged['cpu_s']:.2f} CPU s; shown all, {logged['whole']['cpu_s']:.2f} CPU s.",
        "",
    ]
    return "\n".join(lines)


def _growth(joins: list[dict[str, Any]]) -> list[str]:
    """What ten times the rows cost of CPU, by shape."""
    said = []
    for shape in SHAPES:
        sizes = [one for one in joins if one["shape"] == shape]
        few, many = sizes[0], sizes[-1]
        times = many["rows"] / few["rows"]
        ours, peer = (many[name]["cpu_s"] / few[name]["cpu_s"] for name in ("ours", "Polars"))
        said.append(
            f"{shape}: {times:.0f} times the rows cost {ours:.1f} times (Polars {peer:.1f})"
        )
    return [f"{'; '.join(said)}."]


def _cell(facts: Mapping[str, float] | None) -> str:
    return f"{facts['cpu_s']:.2f} s, {facts['peak_mb']:,.0f} MB" if facts else ""


if __name__ == "__main__":
    main()
