"""The model of most tests: a flat table of loans, its YAML, and resources that are fakes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from resources.champion.ledger import PromotionLedger
from resources.dagster.io import ParquetStorage
from resources.datasets.partitions import PartitionFiles
from resources.decisions import DecisionStore
from resources.endpoints.metrics import EndpointMetrics
from resources.engine import FeatureEngine
from resources.reports import EvidentlyReports
from tests.support.fakes.deployment import FakeDeployment
from tests.support.fakes.features import FakeDatasets, FakeFeatureStore
from tests.support.fakes.predictions import FakePredictionLog
from tests.support.fakes.tracking import FakeTracking

ROWS = 400


def write_loans(file: Path) -> Path:
    """One loan a row; whether it defaults depends on `amount` and `grade`."""
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
    frame.to_csv(file, index=False)
    return file


def loans_yaml(source: Path) -> dict[str, Any]:
    """The attributes of a `defs.yaml` over that table; a test changes what it needs."""
    return {
        "name": "loans",
        "source": {"uri": str(source)},
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


def fake_resources(state: Path) -> dict[str, Any]:
    """What the definitions need: files below `state`, and in memory what would be a server."""
    return {
        "io_manager": ParquetStorage(root=str(state / "assets")),
        "datasets": FakeDatasets(
            root=str(state), cache=str(state / "cache"), quarantine=str(state / "quarantine")
        ),
        "partitions": PartitionFiles(root=str(state / "partitions")),
        "engine": FeatureEngine(spill=str(state / "spill"), kept=str(state / "partitions")),
        "feature_store": FakeFeatureStore(root=str(state / "feast")),
        "tracking": FakeTracking(tracking_uri="memory:", artifacts=str(state / "artifacts")),
        "ledger": PromotionLedger(database=str(state / "ledger.db")),
        "decisions": DecisionStore(database=str(state / "decisions.db")),
        "deployment": FakeDeployment(root=str(state / "endpoints")),
        "predictions": FakePredictionLog(
            endpoints=str(state / "endpoints"), root=str(state / "predictions")
        ),
        "metrics": EndpointMetrics(root=str(state / "endpoints")),
        "reports": EvidentlyReports(),
    }
