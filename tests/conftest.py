"""Two tiny models, one of each input shape, on generated data; and resources that are fakes."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from resources.decisions import DecisionStore
from resources.io import ParquetStorage
from resources.ledger import PromotionLedger
from resources.metrics import EndpointMetrics
from tests.fakes import FakeDatasets, FakeFeatureStore, FakePredictionLog, FakeTracking
from tests.fakes_deployment import FakeDeployment

ROWS = 400


@pytest.fixture(autouse=True)
def _no_exported_store() -> Generator[None]:
    """dagster-mlflow exports its store; a command that a later test starts must not use it."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    yield
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    if before is not None:
        os.environ["MLFLOW_TRACKING_URI"] = before


@pytest.fixture
def loans_csv(tmp_path: Path) -> Path:
    """A flat table: one loan a row; the target depends on `amount` and `grade`."""
    rng = np.random.default_rng(0)
    amount, grade = rng.uniform(1, 100, ROWS).round(2), rng.choice(["a", "b", "c"], ROWS)
    chance = 1 / (1 + np.exp(-(amount - 50) / 8 - (grade == "c")))
    frame = pd.DataFrame(
        {
            "id": np.arange(ROWS),
            "time": pd.date_range("2024-01-01", periods=ROWS, freq="D").strftime("%Y-%m-%d"),
            "amount": amount,
            "grade": grade,
            "label": (rng.uniform(size=ROWS) < chance).astype(int),
        }
    )
    file = tmp_path / "source" / "loans.csv"
    file.parent.mkdir()
    frame.to_csv(file, index=False)
    return file


@pytest.fixture
def loans(loans_csv: Path) -> dict[str, Any]:
    """The attributes of a `defs.yaml` over the flat table; tests change what they need."""
    return {
        "name": "loans",
        "source": {"uri": str(loans_csv)},
        "entity": {"name": "id"},
        "timestamp": "time",
        "contract": {
            "columns": {
                "id": {"dtype": "int64"},
                "time": {"dtype": "datetime"},
                "amount": {"dtype": "float64", "min": 0},
                "grade": {"dtype": "string"},
                "label": {"dtype": "int64", "allowed": [0, 1]},
            }
        },
        "processing": {"categorical_encoding": ["grade"]},
        "features": {"columns": ["amount", "grade"], "ttl": "400d", "clock": "data"},
        "target": {"name": "defaulted", "task": "binary", "column": "label"},
        "training": {
            "estimator": "sklearn.linear_model.LogisticRegression",
            "scale": True,
            "split": {"by": "time", "test": "3 months"},
        },
        "evaluation": {"primary": "roc_auc", "gate": {"limits": {"roc_auc": {"min": 0.7}}}},
        "deployment": {"port": 18200},
    }


@pytest.fixture
def settings(loans: dict[str, Any]) -> ModelSettings:
    return ModelSettings.model_validate(loans)


@pytest.fixture
def resources(tmp_path: Path) -> dict[str, Any]:
    state = tmp_path / "state"
    return {
        "io_manager": ParquetStorage(root=str(state / "assets")),
        "datasets": FakeDatasets(
            root=str(state), cache=str(state / "cache"), quarantine=str(state / "quarantine")
        ),
        "feature_store": FakeFeatureStore(root=str(state / "feast")),
        "tracking": FakeTracking(tracking_uri="memory:", artifacts=str(state / "artifacts")),
        "ledger": PromotionLedger(path=str(state / "ledger.db")),
        "decisions": DecisionStore(path=str(state / "decisions.db")),
        "deployment": FakeDeployment(root=str(state / "endpoints")),
        "predictions": FakePredictionLog(
            endpoints=str(state / "endpoints"), root=str(state / "predictions")
        ),
        "metrics": EndpointMetrics(root=str(state / "endpoints")),
    }


@pytest.fixture
def instance() -> Generator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral
