"""How many copies of the rows a training makes, counted in bytes."""

import tracemalloc

import numpy as np
import pandas as pd

from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.training.fit import fit, split
from tests.support.toy_models import flat_table

COLUMNS = {f"x{number}": "float64" for number in range(40)}


def test_a_split_copies_the_rows_once_and_a_fit_once_more() -> None:
    settings = flat_table(
        {**COLUMNS, "y": "float64"},
        features=tuple(COLUMNS),
        training={
            "estimator": "sklearn.dummy.DummyClassifier",
            "split": {"by": "random", "fraction": 0.5},
        },
    )
    count = 20_000
    random = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "id": np.arange(count),
            TIMESTAMP: pd.Timestamp("2024-01-01", tz="UTC"),
            **{name: random.normal(size=count) for name in COLUMNS},
            "y": random.integers(0, 2, count).astype(float),
        }
    )
    size = count * len(COLUMNS) * 8
    fit(split(rows.head(100), settings).train, settings)  # what is imported is not counted

    tracemalloc.start()
    try:
        parts = split(rows, settings)
        of_split = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        fit(parts.train, settings)
        of_fit = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert of_split < 1.5 * size
    assert of_fit < 1.5 * size / 2
