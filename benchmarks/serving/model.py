"""The model that every server serves: version 1 of the example `flights`, as `mlops run` makes it.

A ColumnTransformer over 14 features (carrier and origin one-hot, destination by target encoding,
eleven numbers) and a HistGradientBoostingClassifier of 60 iterations.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.home import FRAMEWORK_ROOT, HOST
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.inference.model_files import load_estimator
from mlops_assets.records.serving import Manifest, Servable
from mlops_assets.serving.version.model import read_servable
from tests.support.served.live_endpoints import free_port

__all__ = ["HOST", "Served", "make"]

SINGLE, BATCH, BATCHES = 200, 100, 7


@dataclass(frozen=True)
class Served:
    """The files, and rows to ask for; none has a missing value, which each peer takes otherwise."""

    folder: Path

    @property
    def endpoint(self) -> Path:
        """The product's folder of the endpoint."""
        return self.folder / "home" / "endpoints" / "flights"

    @property
    def onnx(self) -> Path:
        """The graph that passed the parity gate."""
        return self.endpoint / "versions" / "1" / "model.onnx"

    @property
    def joblib(self) -> Path:
        """The pipeline, for those that serve it by scikit-learn."""
        return self.folder / "model.joblib"

    @cached_property
    def manifest(self) -> Manifest:
        """What the endpoint serves."""
        return Manifest.read((self.endpoint / "deployment.json").read_bytes(), self.endpoint)

    @cached_property
    def servable(self) -> Servable:
        """What version 1 is."""
        return read_servable(self.endpoint / "versions" / "1")

    @property
    def runtime(self) -> str:
        """By which our endpoint computes."""
        return {"onnxruntime": "ONNX Runtime"}.get(self.servable.inference.runtime, "scikit-learn")

    @property
    def lookup(self) -> str:
        """How our endpoint reads the online store."""
        direct = self.manifest.online.lookup == "direct"
        return "reading Feast's sqlite table" if direct else "Feast's SDK"

    @property
    def features(self) -> list[str]:
        """In the order of the columns."""
        return list(self.servable.features)

    @property
    def store(self) -> dict[str, Any]:
        """Feast's configuration."""
        return self.manifest.online.store

    @property
    def mlflow_model(self) -> Path:
        """MLflow's folder of the registered version."""
        (description,) = self.folder.glob("home/mlflow/flights/models/*/artifacts/MLmodel")
        return description.parent

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Flights that the online store knows, the newest last."""
        frame = pd.read_parquet(self.folder / "home" / "feast" / "flights" / "features.parquet")
        online = self.manifest.online
        fresh = frame[frame[TIMESTAMP] > frame[TIMESTAMP].max() - online.view.ttl]
        return fresh.dropna().tail(BATCH * BATCHES).reset_index(drop=True)

    @cached_property
    def scores(self) -> np.ndarray:
        """What scikit-learn says of `rows`."""
        import joblib

        return joblib.load(self.joblib).predict_proba(self.rows[self.features])[:, 1]

    def by_features(self, key: str = "rows", *, batch: bool = False) -> list[str]:
        """Bodies that bring the features: of one row each, or of 100."""
        records = self.rows[self.features].to_dict("records")
        return _bodies(key, records, batch=batch)

    def by_entity(self, *, batch: bool = False) -> list[str]:
        """The same rows by their entities' ids."""
        return _bodies("entities", self.rows["flight_id"].tolist(), batch=batch)


def make(folder: Path) -> Served:
    """Train, register, publish and deploy by the product's own command; 80 s."""
    served = Served(folder)
    if not served.endpoint.exists():
        environment = os.environ | {
            "MLOPS_HOME": str(folder / "home"),
            "MLOPS_DATA_ROOT": str(folder / "data"),
            "MLOPS_PORT_FLIGHTS": str(free_port()),
            "PYTHONPATH": str(FRAMEWORK_ROOT),
        }
        for command in (["run"], ["stop"]):
            subprocess.run(
                [str(Path(sys.executable).with_name("mlops")), *command, "flights"],
                env=environment,
                cwd=FRAMEWORK_ROOT,
                check=True,
            )
    import joblib

    content = (served.endpoint / "versions" / "1" / "model.skops").read_bytes()
    joblib.dump(load_estimator(content), served.joblib)
    return served


def _bodies(key: str, items: list[Any], *, batch: bool) -> list[str]:
    size, count = (BATCH, BATCHES) if batch else (1, SINGLE)
    return [json.dumps({key: items[i * size : (i + 1) * size]}) for i in range(count)]
