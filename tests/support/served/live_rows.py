"""What an endpoint of the loans would log: the features that were stored, with answers to them."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd


def stored_features(resources: dict[str, Any], model: str = "loans") -> pd.DataFrame:
    """The value of a model's `features`."""
    key = dg.AssetKey([model, "features"])
    return pd.read_parquet(resources["io_manager"].path(key, pd.DataFrame))


def chances(features: pd.DataFrame) -> np.ndarray:
    """How probably each loan defaults, as the data was made."""
    logit = (features["amount"] - 50) / 8 + (features["grade"] == "c")
    return (1 / (1 + np.exp(-logit))).to_numpy()


def predictions(
    features: pd.DataFrame,
    score: np.ndarray,
    *,
    entity: str = "id",
    names: Sequence[str] = ("amount", "grade"),
) -> pd.DataFrame:
    """What an endpoint logs that is asked for every row of `features` at its own moment."""
    moments = features["event_timestamp"].dt.as_unit("us")
    return pd.DataFrame(
        {
            "request_id": [f"r{i}" for i in range(len(features))],
            "row": 0,
            "logged_at": moments,
            "event_time": moments,
            "features_as_of": moments,
            "source": "online",
            "role": "primary",
            "entity": features[entity].astype(object),
            "score": score,
            "model_version": 1,
            "generation": 1,
            "latency_seconds": 0.001,
            **{f"feature_{name}": features[name] for name in names},
        }
    )
