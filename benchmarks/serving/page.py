"""The serving benchmark's page and picture."""

import os
import statistics

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.page import place, publish
from benchmarks.serving.results import Key, Measured, Target
from benchmarks.serving.servers import LADDER

OURS, PEER = "#2563eb", "#94a3b8"
NAMES = {
    "ours": "**this project**, 1 worker",
    "ours, 2 workers": "**this project**, 2 workers",
    "bare": "bare uvicorn, msgspec, ONNX Runtime: no check, log, metric, id",
    "fastapi": "FastAPI, scikit-learn on a DataFrame",
    "bentoml": "BentoML service with a typed DataFrame, scikit-learn",
    "mlflow": "`mlflow models serve`",
    "feast": "FastAPI, `get_online_features().to_df()`, scikit-learn",
    "in process, onnx": "no server: JSON, ONNX Runtime",
    "in process, sklearn": "no server: JSON, DataFrame, scikit-learn",
}
LABELS = {
    "ours": "this project",
    "bare": "bare + ONNX",
    "fastapi": "FastAPI",
    "bentoml": "BentoML",
    "mlflow": "mlflow serve",
    "feast": "FastAPI, to_df",
    "in process, sklearn": "no server, sklearn",
    "in process, onnx": "no server, ONNX",
}
"""In the picture."""
LAYERS = ("bare", "+ our application", "+ log", "+ shared metrics", "+ guard", LABELS["ours"])
"""The same rungs as `_rungs`, in the picture."""
GROUPS = {
    "one row": "One row of features",
    "one entity": "One entity, its features from the online store",
    "100 rows": "100 rows of features",
    "100 entities": "100 entities",
}


def write(measured: Measured, seconds: float) -> list[str]:
    """Write the page and its picture; the targets that were missed, in words."""
    targets = measured.targets()
    lines = [*_head(measured, seconds), *_verdicts(targets), "\n![CPU per request](serving.png)"]
    for group, title in GROUPS.items():
        lines += [f"\n## {title}\n", *_table(measured, group)]
    lines += [*_ladder(measured), *_memory(measured), *_swaps(measured)]
    publish("serving", "\n".join(lines))
    _draw(measured)
    return [f"MISSED: {t.what}: {t.found}, {t.promised}" for t in targets if not t.met]


def _head(measured: Measured, seconds: float) -> list[str]:
    busy = ", ".join(f"{share:.0%}" for share in measured.foreign)
    return [
        "# A prediction over HTTP, beside other servers\n",
        f"One run of {seconds / 60:.0f} minutes on "
        f"{os.cpu_count()} shared processors, all servers up at once and asked in turn; medians of "
        f"{len(measured.foreign)} rounds, in which other work had {busy} of the machine. "
        "The model is version 1 of the example `flights` (14 features, three of them texts; 60 "
        f"boosted trees); ours serves it by {measured.runtime}, and looks entities up by "
        f"{measured.lookup}. Every server first had to give scikit-learn's scores. CPU is "
        "user and system time of the server's whole process tree for each request; the clients, "
        "in a closed loop over kept connections, count apart. Ours has its prediction log and its "
        "metrics on.\n",
    ]


def _verdicts(targets: list[Target]) -> list[str]:
    rows = (
        f"| {t.what} | {t.promised} | {t.found} | {'PASS' if t.met else 'MISSED'} |"
        for t in targets
    )
    return ["| | promised | found | |", "|---|---|---|---|", *rows]


def _table(measured: Measured, group: str) -> list[str]:
    names = [
        name for one, name, connections in measured.samples if (one, connections) == (group, 1)
    ]
    lines = [
        "| | CPU µs | times ours | p50 ms | p99 ms | 16 clients: CPU µs | p50 ms | p99 ms | "
        "requests/s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in sorted(names, key=lambda name: measured.median((group, name, 1)).cpu_us):
        one = measured.median((group, name, 1))
        times = measured.cpu_ratio((group, name, 1), (group, "ours", 1))
        cells = [f"{one.cpu_us:,.0f}", f"{times:.2g}", f"{one.p50_ms:.2f}", f"{one.p99_ms:.2f}"]
        lines.append(
            f"| {NAMES[name]} | {' | '.join(cells + _crowd(measured, (group, name, 16)))} |"
        )
    return lines


def _crowd(measured: Measured, key: Key) -> list[str]:
    if key not in measured.samples:
        return [""] * 4
    crowd = measured.median(key)
    per_second = f"{crowd.per_second:,.0f}"
    return [f"{crowd.cpu_us:,.0f}", f"{crowd.p50_ms:.2f}", f"{crowd.p99_ms:.2f}", per_second]


def _rungs(measured: Measured) -> dict[str, float]:
    """CPU in µs, from the bare server to the whole endpoint."""
    keys: dict[str, Key] = {
        "bare uvicorn, msgspec, ONNX Runtime": ("one row", "bare", 1),
        **{what: ("ladder", rung, 1) for rung, what in LADDER.items() if rung != "bento"},
        "the endpoint as deployed, with supervisor and template": ("one row", "ours", 1),
    }
    return {what: measured.median(key).cpu_us for what, key in keys.items()}


def _ladder(measured: Measured) -> list[str]:
    lines = [
        "\n## Where the time goes\n",
        "One row of features, one connection; each line adds a layer to the one above, on a server "
        "of its own.\n",
        "| with | CPU µs | more |",
        "|---|---|---|",
    ]
    before = 0.0
    for what, cpu in _rungs(measured).items():
        lines.append(f"| {what} | {cpu:,.0f} | {cpu - before:+,.0f} |")
        before = cpu
    routed = measured.median(("ladder", "bento", 1)).cpu_us
    lines.append(
        f"\nPredictions go past BentoML's own routes; through them the same takes {routed:,.0f} µs."
    )
    return lines


def _memory(measured: Measured) -> list[str]:
    lines = [
        "\n## Memory\n",
        "After the load. RSS counts what processes share in each of them, PSS once.\n",
        "| | processes | largest RSS, MB | PSS together, MB |",
        "|---|---|---|---|",
    ]
    for name, processes in measured.memory.items():
        if name in NAMES:
            rss, pss = zip(*processes, strict=True)
            lines.append(f"| {NAMES[name]} | {len(rss)} | {max(rss):.0f} | {sum(pss):.0f} |")
    return lines


def _swaps(measured: Measured) -> list[str]:
    middle, worst = statistics.median(measured.swaps), max(measured.swaps)
    return [
        "\n## Hot swap\n",
        f"{len(measured.swaps)} swaps of two workers, from the manifest that names the new version "
        f"to the last worker answering by it: median {middle:.2f} s, slowest {worst:.2f} s.",
    ]


def _draw(measured: Measured) -> None:
    figure = Figure(figsize=(11, 3.4), dpi=100, layout="constrained")
    rows, entities, ladder = figure.subplots(1, 3, width_ratios=(4, 4, 3))
    _bars(rows, "One row of features", _costs(measured, "one row"))
    _bars(entities, "One entity", _costs(measured, "one entity"))
    layers = zip(LAYERS, _rungs(measured).values(), strict=True)
    _bars(ladder, "Layer by layer", dict(layers))
    with place("serving.png").open("wb") as file:
        FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})


def _costs(measured: Measured, group: str) -> dict[str, float]:
    costs = {
        label: measured.median((group, name, 1)).cpu_us
        for name, label in LABELS.items()
        if (group, name, 1) in measured.samples
    }
    return dict(sorted(costs.items(), key=lambda item: item[1]))


def _bars(axes: Axes, title: str, costs: dict[str, float]) -> None:
    colors = [OURS if label == LABELS["ours"] else PEER for label in costs]
    bars = axes.barh(list(costs), list(costs.values()), color=colors)
    axes.bar_label(bars, [f"{cost:,.0f}" for cost in costs.values()], padding=3)
    axes.set(title=title, xlabel="CPU µs per request, one client")
    axes.invert_yaxis()
    axes.locator_params(axis="x", nbins=4)
    axes.margins(x=0.2)
    axes.spines[["top", "right"]].set_visible(False)
