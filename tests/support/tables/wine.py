"""scikit-learn's wine table as a stranger has it: no id and no time, unless a test adds them."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def wine() -> pd.DataFrame:
    """178 wines of three growers, the first grower's first."""
    from sklearn.datasets import load_wine

    frame = load_wine(as_frame=True).frame
    return frame.rename(columns=lambda name: re.sub(r"\W+", "_", name))


def with_ids(frame: pd.DataFrame) -> pd.DataFrame:
    """Three rows of each bottle that stand far apart, the growers mixed; ids are no numbers."""
    mixed = frame.sample(frac=1, random_state=1, ignore_index=True)
    return mixed.assign(bottle=[f"w{number % 60:02}" for number in range(len(frame))])


def with_times(frame: pd.DataFrame) -> pd.DataFrame:
    """One wine a day, the growers mixed."""
    mixed = frame.sample(frac=1, random_state=0, ignore_index=True)
    days = pd.date_range("2025-01-01", periods=len(frame), freq="D")
    return mixed.assign(tasted=days.strftime("%Y-%m-%d"))


def wine_yaml(frame: pd.DataFrame, file: Path) -> dict[str, Any]:
    """The smallest YAML over that table, written to `file`; the keys that it has are named."""
    frame.to_csv(file, index=False)
    features = [name for name in frame if name not in ("target", "bottle", "tasted")]
    columns: dict[str, Any] = {name: {"dtype": "float64"} for name in features}
    columns["target"] = {"dtype": "int64", "allowed": [0, 1, 2]}
    yaml: dict[str, Any] = {
        "name": "wine",
        "source": {"uri": str(file)},
        "contract": {"columns": columns},
        "features": {"columns": features},
        "target": {"name": "grower", "task": "multiclass", "column": "target"},
        "training": {"estimator": "sklearn.linear_model.LogisticRegression", "scale": True},
        "evaluation": {"primary": "log_loss"},
        "deployment": {"port": 18200},
    }
    if "bottle" in frame:
        columns["bottle"] = {"dtype": "string"}
        yaml["entity"] = {"name": "bottle", "dtype": "string"}
        yaml["features"]["ttl"] = "30d"
    if "tasted" in frame:
        columns["tasted"] = {"dtype": "datetime"}
        yaml["timestamp"] = "tasted"
        yaml["training"]["split"] = {"by": "time", "test": "60 days"}
    return yaml


def classes_of(rows: pd.DataFrame) -> np.ndarray:
    """The share of each grower."""
    return rows["grower"].value_counts(normalize=True).sort_index().to_numpy()
