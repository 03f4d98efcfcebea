"""A registered version as the gate sees it: its pipeline, its files, and what serving it costs.

All of one download, so that what is measured is what has the checksums. For its latency it is
staged and loaded as an endpoint's worker does, so it is the served code that is timed.
"""

import hashlib
import tempfile
from pathlib import Path

import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.ml.export.latency import latency_p99_ms
from mlops_assets.ml.inference.model_files import load_estimator
from mlops_assets.model_versions.gate import Candidate
from mlops_assets.model_versions.packaging import package
from mlops_assets.records.evaluation import ModelVersion
from mlops_assets.records.files import ONNX_FILE
from mlops_assets.serving.version.model import load_servable
from resources.endpoints.folder import EndpointFolder
from resources.tracking.tracking import MLflowTracking


def fetch_candidate(
    model: ModelVersion, rows: pd.DataFrame, settings: ModelSettings, tracking: MLflowTracking
) -> Candidate:
    """Download a version once, load it, take its checksums and measure it.

    Args:
        model: The version.
        rows: Features; the newest are scored.
        settings: Of the model.
        tracking: Has the file.

    Raises:
        UnsafeModelError: The file holds types outside the allow-list; it was not loaded.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = tracking.registry.download_model(model, Path(folder))
        served = [one for one in (file, file.with_name(ONNX_FILE)) if one.exists()]
        return Candidate(
            version=model,
            estimator=load_estimator(file.read_bytes()),
            files={one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in served},
            facts=_measure(file, model, rows, settings),
        )


def _measure(
    file: Path, model: ModelVersion, rows: pd.DataFrame, settings: ModelSettings
) -> dict[str, float]:
    """`size_mb` of the model file and, if `gate.latency_p99_ms` is set, that of scoring one row."""
    facts = {"size_mb": file.stat().st_size / 1e6}
    limit = settings.evaluation.gate.latency_p99_ms
    if limit is not None:
        servable, recorded = package(file, model, rows, settings)
        loaded = load_servable(EndpointFolder(file.parent).stage(servable, file, recorded))
        asked = [[request.features] for request in recorded]
        facts["latency_p99_ms"] = latency_p99_ms(loaded.scores, asked, enough=limit)
    return facts
