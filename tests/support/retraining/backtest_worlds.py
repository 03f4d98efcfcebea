"""A year of labelled rows in which what a column means stays, drifts or breaks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.ml.frames import TIMESTAMP
from tests.support.toy_models import flat_table

START = pd.Timestamp("2024-01-01", tz="UTC")
DAILY = 20
LOGISTIC = {
    "estimator": "sklearn.linear_model.LogisticRegression",
    "split": {"by": "time", "test": "1 month"},
}


def table(**training: Any) -> ModelSettings:
    """The model of the rows of `world`."""
    columns = {"a": "float64", "b": "float64", "y": "float64"}
    return flat_table(columns, training=LOGISTIC | training)


def monitored(settings: ModelSettings, **changes: Any) -> ModelSettings:
    """The same with other values in `monitoring`."""
    values = {**settings.monitoring.model_dump(mode="json"), **changes}
    return ModelSettings.model_validate({**settings.model_dump(), "monitoring": values})


def world(slope: Callable[[np.ndarray], np.ndarray], seed: int = 0) -> pd.DataFrame:
    """A year in which what `a` means is `slope` of the part of the year that is over."""
    random = np.random.default_rng(seed)
    count = 366 * DAILY
    over = np.arange(count) / count
    a, b = random.normal(size=count), random.normal(size=count)
    chance = 1 / (1 + np.exp(-(slope(over) * a + b)))
    return pd.DataFrame(
        {
            "id": np.arange(count),
            TIMESTAMP: START + pd.to_timedelta(over * 366, unit="D"),
            "a": a,
            "b": b,
            "y": (random.uniform(size=count) < chance).astype(float),
        }
    )


def still(over: np.ndarray) -> np.ndarray:
    """Nothing moves."""
    return np.full(len(over), 2.0)


def drifting(over: np.ndarray) -> np.ndarray:
    """A little every day."""
    return 2.0 - 6.0 * over


def broken(over: np.ndarray) -> np.ndarray:
    """Once, in August."""
    return np.where(over < 0.6, 2.0, -2.0)
