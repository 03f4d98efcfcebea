"""What is measured, each part in a process of its own: `python -m benchmarks.beyond_memory.parts`.

A run materializes the assets of a model by Dagster, in one process, over the resources of a state
folder: DVC, values as Parquet, Feast. It prints what each asset took of CPU, the most memory that
the process held meanwhile, and what lay in the folder of what is spilled.
"""

import json
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

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
    """The assets from raw files to features and labels, one after the other."""
    import dagster as dg

    from resources.datasets.versions import DvcDatasets
    from resources.engine import FeatureEngine
    from resources.feature_store import FeastFeatureStore
    from tests.support.loans import fake_resources
    from tests.support.pipeline_runs import materialize, metadata

    home = Path(state)
    real = {
        "datasets": DvcDatasets(
            root=str(home / "project"), cache=str(home / "cache"), quarantine=str(home / "bad")
        ),
        "engine": FeatureEngine(url=url, spill=str(home / "spill")),
        "feature_store": FeastFeatureStore(root=str(home / "feast")),
    }
    model, told = settings(source, kind, int(moments)), fake_resources(home) | real
    facts: Facts = {}
    with dg.DagsterInstance.ephemeral() as instance:
        for stage in STAGES:
            with measured(facts, stage, home / "spill"):
                result = materialize(model, told, instance, [stage])
            if not result.success:
                raise SystemExit(f"{stage} failed")
            facts[stage]["rows"] = metadata(result, "shop", stage)["dagster/row_count"]
    facts["labelled"] = metadata(result, "shop", "features")["labelled_rows"]
    facts["rejected"] = len(pq.read_table(next(home.glob("bad/shop/*.parquet")), columns=["row"]))
    return facts


@contextmanager
def measured(facts: Facts, name: str, spill: Path) -> Generator[None]:
    """Add what the body takes: CPU, the peak of the process, the most that is spilled."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    most, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(0.1):
            most[0] = max(most[0], _bytes_below(spill))

    watcher = threading.Thread(target=look)
    watcher.start()
    started, began = time.process_time(), time.monotonic()
    yield
    taken = {"cpu_s": time.process_time() - started, "seconds": time.monotonic() - began}
    ended.set()
    watcher.join()
    facts[name] = {**taken, "peak_mb": _peak_mb(), "spill_mb": most[0] / 1e6}


def _bytes_below(folder: Path) -> int:
    sizes = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):
            sizes += file.stat().st_blocks * 512
    return sizes


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    part, *arguments = sys.argv[1:]
    print(json.dumps({"make": make, "run": run}[part](*arguments)))
