"""A training of its own process, and the most memory that it took: `python -m ... FILE ROWS`."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from mlops_assets.config import ModelSettings
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.ml.stored_rows import RowFile, StoredRows
from mlops_assets.ml.training.fit import fit, split
from tests.support.toy_models import flat_table

FEATURES = tuple(f"x{number}" for number in range(40))


def settings() -> ModelSettings:
    """Of forty numbers, in external memory."""
    return flat_table(
        {**dict.fromkeys(FEATURES, "float64"), "y": "float64"},
        features=FEATURES,
        training={
            "estimator": "xgboost.XGBClassifier",
            "params": {"n_estimators": 3, "n_jobs": 1},
            "split": {"by": "random", "fraction": 0.3},
            "external_memory": True,
        },
    )


def write(file: Path, rows: int) -> StoredRows:
    """So many labelled rows."""
    stored = RowFile(file)
    for part in _parts(rows):
        stored.append(pa.Table.from_pandas(part, preserve_index=False))
    stored.close()
    return StoredRows(file)


def _parts(rows: int) -> Iterator[pd.DataFrame]:
    random = np.random.default_rng(0)
    for start in range(0, rows, 25_000):
        ids = np.arange(start, min(start + 25_000, rows))
        values = {name: random.normal(size=len(ids)) for name in FEATURES}
        moment = pd.Timestamp("2024-01-01", tz="UTC").as_unit("ns")
        keys = {"id": ids, TIMESTAMP: moment, "y": (values["x0"] > 0).astype(float)}
        yield pd.DataFrame(keys | values)


def used(rows: StoredRows) -> None:
    """Split, fit and score the held-out rows."""
    parts = split(rows, settings())
    assert len(Scored.of(fit(parts.train, settings()), parts.test, settings()).scores)


def main(folder: Path, rows: int) -> None:
    """Print by how many bytes the peak rose beyond that of a training on few rows."""
    used(write(folder / "few.parquet", 1_000))  # what is imported is not counted
    stored = write(folder / "many.parquet", rows)
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before = _bytes("VmRSS")
    used(stored)
    sys.stdout.write(str(_bytes("VmHWM") - before))


def _bytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
