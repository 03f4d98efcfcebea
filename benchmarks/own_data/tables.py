"""Tables too large for the tests, with known truth."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from tests.support.tables.own_tables import OwnTable, wide


def _logit(frame: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    score = frame["x0"] + 0.5 * frame["x1"] ** 2 - 0.5 + (frame["kind"] == "b")
    return rng.uniform(size=len(frame)) < 1 / (1 + np.exp(-score))


def _table(rows: int, numbers: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{i}": rng.normal(size=rows).round(4) for i in range(numbers)})
    frame["kind"] = rng.choice(["a", "b", "c"], rows)
    frame["bought"] = np.where(_logit(frame, rng), "yes", "no")
    frame.insert(0, "customer", np.arange(rows) + 10**9)
    return frame


def million(folder: Path) -> Path:
    """1,000,000 rows of 20 features as Parquet."""
    file = folder / "million.parquet"
    _table(1_000_000, 19).to_parquet(file, index=False)
    return file


def fifty_thousand(folder: Path) -> Path:
    """50,000 rows as CSV."""
    file = folder / "fifty.csv"
    _table(50_000, 10).to_csv(file, index=False)
    return file


LARGE = {
    "wide_500": OwnTable(partial(wide, columns=500), "output"),
    "fifty_thousand": OwnTable(fifty_thousand, "bought"),
    "million": OwnTable(million, "bought"),
}
