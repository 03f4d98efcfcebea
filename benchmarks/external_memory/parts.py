"""What is measured, each part in a process: `python -m benchmarks.external_memory.parts`.

A run materializes the assets of a model by Dagster's own command over real resources, as that of
`benchmarks.beyond_memory` does.
"""

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.beyond_memory.parts import Facts, materialized

FEATURES = tuple(f"x{number:02}" for number in range(20))
PART = 250_000
DAYS = 100
STAGES = (
    "raw_data",
    "processed_data",
    "features",
    "trained_model",
    "evaluation_report",
    "reference_profile",
)
_EQUAL = "SELECT value FROM tags WHERE key = 'prediction/sha256'"


def make(file: str, rows: str) -> Facts:
    """Write so many rows of twenty numbers, a moment and a class, in no order of time."""
    total = int(rows)
    with pq.ParquetWriter(file, _rows(1, 0).schema) as writer:
        for start in range(0, total, PART):
            writer.write_table(_rows(min(PART, total - start), start))
    return {"rows": total, "bytes": Path(file).stat().st_size}


def _rows(count: int, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    days = pd.to_timedelta(random.integers(0, DAYS * 86_400, count), "s")
    numbers = {name: random.normal(size=count) for name in FEATURES}
    chance = 1 / (1 + np.exp(-numbers["x00"] - numbers["x01"] * numbers["x02"]))
    y = (random.uniform(size=count) < chance).astype(np.int64)
    at = pd.Timestamp("2026-01-01", tz="UTC").as_unit("us") + days
    return pa.Table.from_pandas(pd.DataFrame({"at": at, "y": y, **numbers}), preserve_index=False)


def settings(source: str, external: bool) -> dict[str, Any]:
    """XGBoost on twenty numbers; a tenth of the time is held out."""
    columns = {
        "at": {"dtype": "datetime"},
        "y": {"dtype": "int64", "allowed": [0, 1]},
        **{name: {"dtype": "float64"} for name in FEATURES},
    }
    return {
        "name": "shop",
        "source": {"uri": source, "format": "parquet"},
        "timestamp": "at",
        "contract": {"columns": columns},
        "features": {"columns": list(FEATURES)},
        "target": {"name": "y", "task": "binary"},
        "training": {
            "estimator": "xgboost.XGBClassifier",
            "params": {"n_estimators": 30},
            "split": {"by": "time", "test": f"{DAYS // 10} days"},
            "external_memory": external,
        },
        "evaluation": {"primary": "roc_auc", "gate": {"limits": {"roc_auc": {"min": 0.6}}}},
        "deployment": {"port": 18_300},
    }


def run(source: str, state: str, kept_in: str) -> Facts:
    """What each asset takes, with the rows `kept_in` memory or their file."""
    home = Path(state)
    home.mkdir(parents=True)
    told = settings(source, external=kept_in == "file")
    (home / "shop.yaml").write_text(json.dumps(told), encoding="utf-8")
    facts = {stage: materialized(stage, home, "arrays") for stage in STAGES}
    with sqlite3.connect(home / "mlflow.db") as database:
        facts["trained_model"]["predictions"] = database.execute(_EQUAL).fetchone()[0]
    return facts


if __name__ == "__main__":
    part, *arguments = sys.argv[1:]
    print(json.dumps({"make": make, "run": run}[part](*arguments)))
