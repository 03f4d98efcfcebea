"""Ours beside its peers on the same work, by size: read from the pages of results, not by hand.

CPU seconds and peak memory of ours over those of the peer, both measured in one run of the
benchmark whose page is named below. Below 1 ours is the cheaper one.

    python -m benchmarks.peers      # reads results/*.md; writes results/peers.md and peers.png
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.page import RESULTS, place, publish
from mlops_assets.ml.markdown import table
from mlops_assets.ml.plots.style import INK, MODEL, REFERENCE, figure_and_axes, png

Row = dict[str, str]
COLOURS = (MODEL, "#dc2626", "#16a34a", "#9333ea", "#ea580c", REFERENCE, "#0891b2", "#ca8a04")


class Cost(NamedTuple):
    """What a work took; None: not measured."""

    seconds: float
    megabytes: float | None = None


class Point(NamedTuple):
    """One work of one size, by ours and by a peer."""

    page: str
    work: str
    size: int
    peer: str
    ours: Cost
    theirs: Cost

    @property
    def cpu(self) -> float:
        """Ours over theirs."""
        return self.ours.seconds / self.theirs.seconds

    @property
    def memory(self) -> float | None:
        """Likewise."""
        mine, other = self.ours.megabytes, self.theirs.megabytes
        return mine / other if mine is not None and other else None


def main() -> None:
    """Read the pages that are there, and write this one."""
    found = [point for name in READ for point in points(name)]
    if not found:
        raise SystemExit(f"no page of {', '.join(READ)} is in {RESULTS}; run these benchmarks")
    publish("peers", page(found))
    place("peers.png").write_bytes(picture(found))


def points(name: str, folder: Path = RESULTS) -> list[Point]:
    """What the page of a benchmark says of peers; nothing if it was never made."""
    file = folder / f"{name}.md"
    return list(READ[name](file.read_text(encoding="utf-8"))) if file.exists() else []


def page(found: Sequence[Point]) -> str:
    """The table, and where its figures are from."""
    rows = [
        (
            point.work,
            f"{point.size:,}",
            point.peer,
            _spelled(point.ours),
            _spelled(point.theirs),
            f"{point.cpu:.2g}",
            "" if point.memory is None else f"{point.memory:.2g}",
        )
        for point in found
    ]
    header = ("work", "size", "peer", "ours", "the peer", "CPU ratio", "memory ratio")
    pages = dict.fromkeys(point.page for point in found)
    lines = [
        "# Beside peers, by size",
        "",
        (__doc__ or "").split("\n\n")[1].replace("\n", " "),
        "",
        table(header, rows),
        "",
        "![Ratios by size](peers.png)",
        "",
        *(f"- [{name}]({name}.md): {_measured(name)}" for name in pages),
    ]
    return "\n".join(lines)


def picture(found: Sequence[Point]) -> bytes:
    """Ratios by size, a line for each work and peer."""
    figure, panels = figure_and_axes(1, 2, sharex=True)
    figure.set_size_inches(11, 5.2)
    lines = dict.fromkeys((point.work, point.peer) for point in found)
    for axes, what in zip(panels, ("cpu", "memory"), strict=True):
        for number, line in enumerate(lines):
            ratios = [
                (point.size, getattr(point, what))
                for point in sorted(found, key=lambda one: one.size)
                if (point.work, point.peer) == line and getattr(point, what) is not None
            ]
            if ratios:
                style = ("-", "--", ":")[number // len(COLOURS) % 3]
                axes.plot(*zip(*ratios, strict=True), style, marker="o", ms=4, lw=1.2,
                          color=COLOURS[number % len(COLOURS)],
                          label=f"{line[0]}: {line[1]}")  # fmt: skip
        axes.axhline(1, color=INK, linewidth=0.8)
        axes.set(xscale="log", yscale="log", xlabel="size",
                 ylabel=f"{'CPU' if what == 'cpu' else 'memory'}, ours / peer")  # fmt: skip
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=7, frameon=False)
    return png(figure)


def tables(text: str) -> Iterator[tuple[str, list[Row]]]:
    """The tables of a page, each with the heading that it stands under."""
    heading, lines = "", list[str]()
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            lines.append(line)
            continue
        if lines:
            cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in lines]
            names, _, *rows = cells
            yield heading, [dict(zip(names, row, strict=False)) for row in rows]
            lines = []
        heading = line.lstrip("# ") if line.startswith("#") else heading


def number(cell: str) -> float:
    """The first one of a cell: `1,796 MB`."""
    found = re.search(r"[\d,]*\.?\d+", cell)
    if found is None:
        raise ValueError(f"{cell!r} has no number")
    return float(found.group().replace(",", ""))


def _scoring(text: str) -> Iterator[Point]:
    for _, rows in tables(text):
        for row in rows:
            ours, bare = (
                Cost(number(row[f"{who}, CPU s"]), number(row[f"{who}, MB"]))
                for who in ("ours", "bare loop")
            )
            work = f"score a table, {row['model']}"
            yield Point("scoring", work, int(number(row["rows"])), "ONNX Runtime", ours, bare)


def _feature_store(text: str) -> Iterator[Point]:
    for _, rows in tables(text):
        for row in rows:
            for name in [name for name in row if "ours" in row and name.startswith(_JOINS)]:
                if row[name]:
                    ours, other = (Cost(*map(number, row[n].split(" s, "))) for n in ("ours", name))
                    size = int(number(row["rows"]))
                    work, peer = f"training join, {row['shape']}", name.partition(" ")[0]
                    yield Point("feature_store", work, size, peer, ours, other)


_JOINS = ("Polars", "Feast")


def _own_data(text: str) -> Iterator[Point]:
    for _, rows in tables(text):
        for row in [row for row in rows if row.get("script's")]:
            ours, other = Cost(number(row["CPU s"])), Cost(number(row["script's"]))
            size, peer = int(number(row["rows"])), "pandas and scikit-learn"
            yield Point("own_data", "from a file to an endpoint", size, peer, ours, other)


def _serving(text: str) -> Iterator[Point]:
    for heading, rows in tables(text):
        if heading not in _REQUESTS:
            continue
        of = {name: Cost(number(row["CPU µs"]) / 1e6) for row in rows for name in [row[""]]}
        ours = of["**this project**, 1 worker"]
        for name, cost in of.items():
            if not name.startswith(("**", "no server", "bare")):
                peer = "Feast and scikit-learn" if "get_online" in name else name.split(",")[0]
                work, size = _REQUESTS[heading]
                yield Point("serving", work, size, peer.split(" with ")[0].strip("`"), ours, cost)


_REQUESTS = {
    "One row of features": ("request of rows", 1),
    "100 rows of features": ("request of rows", 100),
    "One entity, its features from the online store": ("request of entities", 1),
    "100 entities": ("request of entities", 100),
}


def _beyond_memory(text: str) -> Iterator[Point]:
    for _, rows in tables(text):
        by_size: dict[tuple[int, str], dict[str, Cost]] = {}
        for row in [row for row in rows if "engine" in row]:
            cost = Cost(number(row["CPU s"]), number(row["peak MB"]))
            size = int(number(row["events"])), row["id"]
            by_size.setdefault(size, {})[row["engine"]] = cost
        for (size, _), costs in by_size.items():
            for engine in [name for name in _OURS if name in costs]:
                for peer in [name for name in costs if name not in _OURS]:
                    work = f"an event log to features in three assets, {engine}"
                    yield Point("beyond_memory", work, size, peer, costs[engine], costs[peer])


_OURS = ("arrays", "duckdb")

READ: dict[str, Callable[[str], Iterator[Point]]] = {
    "feature_store": _feature_store,
    "beyond_memory": _beyond_memory,
    "scoring": _scoring,
    "own_data": _own_data,
    "serving": _serving,
}
"""How the page of each benchmark is read."""


def _spelled(cost: Cost) -> str:
    seconds = f"{cost.seconds:.2f} s" if cost.seconds >= 0.1 else f"{1e3 * cost.seconds:.2f} ms"
    return seconds if cost.megabytes is None else f"{seconds}, {cost.megabytes:,.0f} MB"


def _measured(name: str) -> str:
    """What its page says of its commit and date."""
    text = (RESULTS / f"{name}.md").read_text(encoding="utf-8")
    found = re.search(
        r"Made at \S+ on [\d-]+|kept in commit \w+ of [\d-]+|`python -m \S+` at \w[\w-]*", text
    )
    return found.group().lower() if found else "does not say when it was made"


if __name__ == "__main__":
    main()
