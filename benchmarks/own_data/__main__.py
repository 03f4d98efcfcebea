"""`mlops init` and `mlops run`, with no edit, over tables as strangers have them.

Each table is written to a file, made a model of in an empty project folder, trained, gated, served
and asked by the commands that a user types. Beside it a plain scikit-learn script reads the same
file, prepares it as anybody would, and is scored on the very rows that were held out. Asked: what
`init` wrote is at most 1 % worse than the better of the script's two models, or not by more than
two standard errors of that; its endpoint answers as the model does offline (a blocking check of the
run); from the file to the first prediction costs at most 1.5 times the script's CPU and 15 seconds.

    python -m benchmarks.own_data [TABLE...]   # default: all; writes results/own_data.md
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.own_data.plain import read
from benchmarks.own_data.tables import LARGE
from benchmarks.page import ROOT, publish, sized
from mlops_assets.components.model_files import read_parts
from mlops_assets.config import ModelSettings
from mlops_assets.ml.training.fit import split
from tests.support.servers import free_port
from tests.support.tables.own_tables import TABLES

LOWER_IS_BETTER = {"log_loss", "rmse", "mae", "brier"}
_RATIO, _SECONDS = 1.5, 15.0


class Row(NamedTuple):
    """One table: what both reached, in the metric that `init` chose, and what it cost."""

    table: str
    rows: int
    metric: str
    ours: float
    plain: dict[str, float]
    noise: float
    seconds: float
    plain_seconds: float

    @property
    def best(self) -> float:
        """What the better of the script's two models reached; NaN: there is no script."""
        values = self.plain.values() or [float("nan")]
        return min(values) if self.metric in LOWER_IS_BETTER else max(values)

    @property
    def faults(self) -> list[str]:
        """What is not as it should be."""
        lost = self.ours - self.best if self.metric in LOWER_IS_BETTER else self.best - self.ours
        allowed = max(0.01 * abs(self.best), 2 * self.noise)
        limit = _RATIO * self.plain_seconds + _SECONDS
        too_dear = self.table == "fifty_thousand" and self.seconds > limit
        return [*(["worse"] if lost > allowed else []), *(["dear"] if too_dear else [])]

    def line(self) -> str:
        """The Markdown of it."""
        plain = " | ".join(
            f"{self.plain[k]:.4f}" if self.plain else "" for k in ("linear", "trees")
        )
        cost = (
            f"{self.seconds:.1f} | {self.plain_seconds:.1f}"
            if self.plain
            else f"{self.seconds:.1f} | "
        )
        return (
            f"| {self.table} | {self.rows:,} | {self.metric} | {self.ours:.4f} | {plain} | "
            f"{self.noise:.4f} | {cost} | {', '.join(self.faults) or 'as it should'} |"
        )


def main() -> None:
    """Try the tables; write the page if all were; fail unless each is as it should be."""
    tables = TABLES | LARGE
    chosen = sys.argv[1:] or sized(list(tables), ["wine"])
    found = []
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            found.append(tried(name, Path(folder)))
            print(found[-1].line(), flush=True)
    if chosen in (list(tables), sized([], ["wine"])):
        publish("own_data", _page(found))
    raise SystemExit(1 if any(row.faults for row in found) else 0)


def tried(name: str, folder: Path) -> Row:
    """One table: the commands of a user, then the script."""
    table = (TABLES | LARGE)[name]
    file, project = table.write(folder), folder / "project"
    project.mkdir()
    (project / "mlops.yaml").touch()
    options = [f"--{key}={value}" for key, value in table.options.items()]
    options.append(f"--port={free_port()}")
    command = ["init", str(file), "--target", table.target, "--name", name, "--yes", *options]
    try:
        seconds = _cpu(project, "mlops", *command) + _cpu(project, "mlops", "run", name)
    finally:
        _cpu(project, "mlops", "stop")
    (part,) = read_parts(project / "defs")
    settings, home = part.models[0].settings, project / ".mlops" / "assets" / name
    report = json.loads((home / "evaluation_report.json").read_text(encoding="utf-8"))
    metric = settings.evaluation.primary
    features = pd.read_parquet(home / "features.parquet")
    row = Row(name, len(features), metric, report["metrics"][metric], {}, 0.0, seconds, 0.0)
    if settings.features.aggregates:
        return row  # of an event log there is no plain script of ten lines
    keys, result = folder / "keys.parquet", folder / "result.json"
    shared_rows(features, read(file), settings).to_parquet(keys)
    script = ("-m", "benchmarks.own_data.plain", str(file), str(keys))
    asked = (table.target, settings.target.task, str(result))
    plain_seconds = _cpu(ROOT, "python", *script, *asked)
    reached = json.loads(result.read_text(encoding="utf-8"))
    plain = {kind: values[metric][0] for kind, values in reached.items()}
    noise = max(values[metric][1] for values in reached.values())
    return row._replace(plain=plain, noise=noise, plain_seconds=plain_seconds)


def shared_rows(features: pd.DataFrame, raw: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    """The labelled rows of `features` as positions in the file, and which were held out."""
    parts = split(features, settings)
    both = pd.concat([parts.train, parts.test])
    kept = raw.drop_duplicates() if settings.processing.drop_duplicates else raw
    if settings.entity is None:
        place = both[settings.key.name].to_numpy()
    else:
        place = _places(both, kept, settings)
    if (place < 0).any():
        raise RuntimeError("a row of the features is not in the file")
    held_out = np.arange(len(both)) >= len(parts.train)
    target = both[settings.target.name].to_numpy()
    return pd.DataFrame(
        {"position": kept.index.to_numpy()[place], "held_out": held_out, "target": target}
    )


def _places(rows: pd.DataFrame, raw: pd.DataFrame, settings: ModelSettings) -> np.ndarray:
    """Where the entity, and the moment if entities recur, stands in the file; -1: nowhere."""
    entity, names = settings.key.name, settings.contract.source_names
    if raw[names[entity]].is_unique:
        return pd.Index(raw[names[entity]]).get_indexer(rows[entity])
    moments = pd.to_datetime(raw[names[settings.timestamp_column]], utc=True)
    known = pd.MultiIndex.from_arrays([raw[names[entity]], moments.dt.as_unit("us")])
    asked = [rows[entity], rows["event_timestamp"].dt.as_unit("us")]
    return known.get_indexer(pd.MultiIndex.from_arrays(asked))


def _cpu(folder: Path, program: str, *arguments: str) -> float:
    """CPU seconds of a command and of all its children that ended with it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLOPS_", "DAGSTER_"))}
    done = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments],
        cwd=folder,
        env=kept | {"MLOPS_PROJECT": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{arguments}: {done.stdout[-1500:]}{done.stderr[-3000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _page(found: Sequence[Row]) -> str:
    lines = "\n".join(row.line() for row in found)
    return f"""# What `mlops init` makes of a stranger's table

Each table: `mlops init FILE --target Y`,
`mlops run`, no edit; the run ends in an endpoint that answers what the model says offline, by its
blocking check. Beside it a script of pandas and scikit-learn on the same file, scored on the same
held-out rows (`benchmarks/own_data/plain.py`). As it should: at most 1 % worse than the better of
its two models, or within two standard errors of the metric (bootstrap), and for
50,000 rows at most 1.5 times its CPU and 15 s. Of an event log there is
no plain script of ten lines.

| table | rows | metric | `mlops init` | linear | trees | std. error | CPU s | script's | |
|---|---|---|---|---|---|---|---|---|---|
{lines}
"""


if __name__ == "__main__":
    main()
