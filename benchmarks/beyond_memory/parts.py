"""What is measured, each part in a process of its own: `python -m benchmarks.beyond_memory.parts`.

A run materializes the assets of a model by Dagster's own command over real resources: DVC, values
as Parquet, Feast. It prints what each asset took: CPU, the most memory that the command and all its
processes held at once, and the most that lay in the folder of what is spilled.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.page import ROOT
from tests.support.services.spark_cluster import PYTHON, install_pyspark

AT_ONCE = 1_000_000
PER_FILE = 5_000_000
YEAR_US = 365 * 86_400_000_000
FIRST_US = 1_704_067_200_000_000
"""2024-01-01."""
STAGES = ("raw_data", "processed_data", "features")
AGGREGATES: dict[str, dict[str, Any]] = {
    "events": {"agg": "count"},
    "events_30d": {"agg": "count", "window": "30d"},
    "events_90d": {"agg": "count", "window": "90d"},
    "spent": {"agg": "sum", "column": "amount"},
    "spent_30d": {"agg": "sum", "column": "amount", "window": "30d"},
    "mean_90d": {"agg": "mean", "column": "amount", "window": "90d"},
    "largest": {"agg": "max", "column": "amount"},
    "bought": {"agg": "count", "where": {"kind": ["bought"]}},
    "recency": {"agg": "days_since_last"},
    "tenure": {"agg": "days_since_first"},
}
Facts = dict[str, Any]


def make(folder: str, rows: str, entities: str, kind: str) -> Facts:
    """Write so many events as Parquet: in no order, of entities that recur, a thousandth twice."""
    total, done, number = int(rows), 0, 0
    Path(folder).mkdir(parents=True)
    while done < total:
        file = Path(folder, f"events-{number:03}.parquet")
        until = min(total, done + PER_FILE)
        with pq.ParquetWriter(file, _events(1, 0, 9, kind).schema) as writer:
            for start in range(done, until, AT_ONCE):
                part = _events(min(AT_ONCE, until - start), start, int(entities), kind)
                writer.write_table(part)
        done, number = until, number + 1
    size = sum(file.stat().st_size for file in Path(folder).iterdir())
    return {"rows": total, "files": number, "bytes": size}


def _events(rows: int, seed: int, entities: int, kind: str) -> pa.Table:
    random = np.random.default_rng(seed)
    customer = random.integers(0, entities, rows)
    columns = {
        "customer": pa.array(customer) if kind == "int64" else _texts(customer),
        "at": pa.array(FIRST_US + random.integers(0, YEAR_US, rows)).cast(
            pa.timestamp("us", "UTC")
        ),
        "amount": pa.array(random.lognormal(size=rows).round(2)),
        "kind": pa.array(np.array(["seen", "asked", "bought"])[random.integers(0, 3, rows)]),
    }
    table = pa.table(columns)
    twice = rows // 1000
    return pa.concat_tables([table.slice(0, rows - twice), table.slice(0, twice)])


def _texts(numbers: np.ndarray) -> pa.Array:
    return pa.array(np.char.add("c-", numbers.astype(str)))


def settings(source: str, kind: str, moments: int) -> Any:
    """Ten features of each customer at the beginning of each month."""
    from mlops_assets.config import ModelSettings

    columns = {
        "customer": {"dtype": kind},
        "at": {"dtype": "datetime"},
        "amount": {"dtype": "float64", "min": 0.05},
        "kind": {"dtype": "string", "allowed": ["seen", "asked", "bought"]},
    }
    return ModelSettings.model_validate(
        {
            "name": "shop",
            "source": {"uri": f"{source}/*.parquet", "format": "parquet"},
            "entity": {"name": "customer", "dtype": kind},
            "timestamp": "at",
            "contract": {"columns": columns},
            "processing": {"drop_duplicates": True},
            "features": {
                "snapshots": {
                    "every": "1 month",
                    "start": "2024-01-02",
                    "end": f"2024-{moments:02}-03",
                },
                "aggregates": AGGREGATES,
                "ttl": "60d",
                "clock": "data",
            },
            "target": {
                "name": "returns", "task": "binary", "agg": "count", "window": "30d", "at_least": 2,
            },
            "training": {"split": {"by": "time", "test": "1 month"}},
            "evaluation": {"primary": "roc_auc"},
            "deployment": {"port": 18_300},
        }
    )  # fmt: skip


def run(source: str, state: str, url: str, kind: str, moments: str) -> Facts:
    """The assets from raw files to features and labels, each by a command of its own."""
    home = Path(state)
    home.mkdir(parents=True)
    told = settings(source, kind, int(moments)).model_dump(mode="json")
    (home / "shop.yaml").write_text(json.dumps(told), encoding="utf-8")
    facts = {stage: materialized(stage, home, url) for stage in STAGES}
    values = {stage: home / "assets" / "shop" / f"{stage}.parquet" for stage in STAGES[1:]}
    for stage, file in values.items():
        facts[stage]["rows"] = pq.read_metadata(file).num_rows
    facts["features"]["labelled"] = _known(values["features"], "returns")
    (bad,) = home.rglob("quarantine/shop/*.parquet")
    facts["processed_data"]["rejected"] = pq.read_metadata(bad).num_rows
    facts["features"]["sum"] = _sum(values["features"], "spent")
    return facts


def script(source: str, state: str, name: str, moments: str) -> Facts:
    """The same by a script of pandas, Polars or Spark, in one process, and Spark's Java."""
    home, module = Path(state), "benchmarks.beyond_memory.scripts"
    home.mkdir(parents=True)
    file = home / "features.parquet"
    command = [sys.executable, "-m", module, name, source, str(file), moments]
    if name == "spark":
        install_pyspark()
        command[0] = str(PYTHON)
    took = watched(command, dict(os.environ), home / "script.log", home)
    rows, known = pq.read_metadata(file).num_rows, _known(file, "returns")
    made = {"rows": rows, "labelled": known, "sum": _sum(file, "spent")}
    return {"features": {**took, "spill_mb": 0.0, **made}}


def materialized(stage: str, home: Path, url: str) -> Facts:
    """What one asset takes."""
    command = [sys.executable, "-W", "ignore", "-m", "dagster", "asset", "materialize"]
    command += ["-m", "tests.support.runs.small_project", "--select", f"shop/{stage}"]
    places = {"MLOPS_HOME": home, "DAGSTER_HOME": home, "SMALL_PROJECT": home / "shop.yaml"}
    environment = os.environ | {name: str(place) for name, place in places.items()}
    environment["MLOPS_ENGINE"] = url
    return watched(command, environment, home / f"{stage}.log", home / "cache" / "spill")


def watched(command: list[str], environment: dict[str, str], log: Path, spill: Path) -> Facts:
    """What a command takes: CPU of all processes, their memory, what lies below a folder."""
    began = time.monotonic()
    with log.open("wb") as said:
        child = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=said, stderr=said)
        memory = spilled = ended = 0
        while not ended:
            time.sleep(0.2)
            memory = max(memory, _held(child.pid))
            spilled = max(spilled, _bytes_below(spill))
            ended, status, usage = os.wait4(child.pid, os.WNOHANG)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{log.stem} failed: {log.read_text(encoding='utf-8')[-2000:]}")
    return {
        "seconds": time.monotonic() - began,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": max(memory, usage.ru_maxrss * 1024) / 1e6,
        "spill_mb": spilled / 1e6,
    }


def _held(pid: int) -> int:
    """Memory of a process and its children; what they share once, such as one that just forked."""
    sizes = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error):
                sizes += one.memory_full_info().pss
    return sizes


def _bytes_below(folder: Path) -> int:
    sizes = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):
            sizes += file.stat().st_blocks * 512
    return sizes


def _known(file: Path, column: str) -> int:
    return sum(len(batch) - batch[column].null_count for batch in _batches(file, column))


def _sum(file: Path, column: str) -> float:
    return sum(float(np.nansum(batch[column].to_numpy(False))) for batch in _batches(file, column))


def _batches(file: Path, column: str) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(file) as stored:
        yield from stored.iter_batches(AT_ONCE, columns=[column])


if __name__ == "__main__":
    part, *arguments = sys.argv[1:]
    print(json.dumps({"make": make, "run": run, "script": script}[part](*arguments)))
