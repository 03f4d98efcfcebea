"""Columns of every kind, their reference profile, and the verdict on others like them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.ml.monitoring.drift import (
    summarize,
)
from mlops_assets.ml.monitoring.profiles import profile, profile_reference
from mlops_assets.records.monitoring import DriftSummary, Window
from mlops_assets.records.profile import Profile
from tests.support.toy_models import flat_table

START = pd.Timestamp("2024-03-01", tz="UTC").to_pydatetime()
WINDOW = Window(start=START, end=START + pd.Timedelta(days=1).to_pytimedelta())
DTYPES: dict[str, Any] = {"spend": "float64", "flag": "float64", "city": "string"}


def model(**drift: Any) -> ModelSettings:
    """A model over those columns, with these settings of drift."""
    base = flat_table({**DTYPES, "y": "float64"}, encoding={"city": "one_hot"})
    values = base.model_dump(exclude={"monitoring"})
    return ModelSettings.model_validate({**values, "monitoring": {"drift": drift}})


def columns(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    """A column of mostly zeros, a flag, a text and a prediction."""
    rng = np.random.default_rng(seed)
    spend = np.where(rng.uniform(size=rows) < 0.9, 0.0, rng.lognormal(3, 1, rows))
    return pd.DataFrame(
        {
            "spend": spend + shift,
            "flag": rng.integers(0, 2, rows).astype(float),
            "city": rng.choice(["Rome", "Oslo", "Bern"], rows, p=[0.6, 0.3, 0.1]),
            "prediction": rng.beta(2, 5, rows),
        }
    )


REFERENCE = profile_reference(columns(5000, 0), DTYPES)
BINS = {name: column.bins for name, column in REFERENCE.columns.items()}


def judge(live: pd.DataFrame, **drift: Any) -> DriftSummary:
    """The verdict on a window of that model."""
    return summarize(REFERENCE, profile(live, BINS), model(**drift), 3, WINDOW)


def assert_equal(one: Profile, other: Profile) -> None:
    """Equal, the sums up to rounding."""
    assert one.rows == other.rows
    for name, column in one.columns.items():
        same = other.columns[name]
        assert column.sums == pytest.approx(same.sums)
        assert column.squares == pytest.approx(same.squares, abs=1e-6)
        rounded = {"sums": same.sums, "squares": same.squares}
        assert column.model_copy(update=rounded) == same
