"""The servable of a version, before it is deployed: what the gate measures of it.

It is staged and loaded as an endpoint's worker does, so it is the served code that is timed.
"""

import tempfile
from pathlib import Path

import pandas as pd

from mlops_assets.assets.deployment import package
from mlops_assets.config import ModelSettings
from mlops_assets.ml.latency import latency_p99_ms
from mlops_assets.records.evaluation import ModelVersion
from mlops_assets.serving.model import load_servable
from resources.endpoint_folder import EndpointFolder
from resources.tracking import MLflowTracking


def measure_servable(
    model: ModelVersion, rows: pd.DataFrame, settings: ModelSettings, tracking: MLflowTracking
) -> dict[str, float]:
    """`size_mb` of the model file and, if `gate.latency_p99_ms` is set, that of scoring one row.

    Args:
        model: The version.
        rows: Features; the newest are scored.
        settings: Of the model.
        tracking: Has the file.

    Raises:
        UnsafeModelError: The file holds types outside the allow-list; it was not loaded.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = tracking.download_model(model, folder)
        facts = {"size_mb": file.stat().st_size / 1e6}
        limit = settings.evaluation.gate.latency_p99_ms
        if limit is not None:
            servable, recorded = package(file, model, rows, settings)
            loaded = load_servable(EndpointFolder(folder).stage(servable, file, recorded))
            asked = [[request.features] for request in recorded]
            facts["latency_p99_ms"] = latency_p99_ms(loaded.scores, asked, enough=limit)
    return facts
