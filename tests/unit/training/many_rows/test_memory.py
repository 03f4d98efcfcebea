"""How many copies of the rows a training makes, counted in bytes."""

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd

from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.training.fit import fit, split
from tests.support.served import external_training
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


def test_in_external_memory_a_training_holds_a_batch_and_not_the_rows(tmp_path: Path) -> None:
    """By all that the process has, since XGBoost and Arrow ask for theirs past Python."""
    rows = 500_000
    command = [sys.executable, "-W", "ignore", "-m", external_training.__name__]
    told = subprocess.run(
        [*command, str(tmp_path), str(rows)], stdout=subprocess.PIPE, text=True, check=True
    )
    # In memory it is 3.6 times the values; of a tenth of these rows it is as much as of all.
    assert int(told.stdout) < 1.5 * rows * len(external_training.FEATURES) * 8
