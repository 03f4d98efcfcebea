"""By what a version is served: decided when it is trained, kept beside its model file."""

from typing import Any

import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.ml.export.parity import INFERENCE_FILE, export_checked
from mlops_assets.records.files import ONNX_FILE
from mlops_assets.records.serving import Inference
from resources.tracking.tracking import MLflowTracking

INFERENCE_TAG = "mlops/inference"


def choose_inference(
    pipeline: Any, held_out: pd.DataFrame, settings: ModelSettings, tracking: MLflowTracking
) -> tuple[Inference, dict[str, bytes]]:
    """Export, compare, and log the figures into the open run; also the files to log with the model.

    Args:
        pipeline: As `ml.training.fit.fit` returns it.
        held_out: `Split.test`.
        settings: Of the model.
        tracking: Has the open run.
    """
    exported = export_checked(pipeline, held_out, settings.feature_dtypes, settings.target.task)
    found = exported.inference
    figures = {"rows": found.rows, "flips": found.flips, "max_difference": found.max_difference}
    tracking.log_metrics({f"onnx_{n}": value for n, value in figures.items() if value is not None})
    tracking.add_tags({INFERENCE_TAG: found.spelled})
    files = {INFERENCE_FILE: found.model_dump_json(indent=2).encode()}
    return found, files | ({ONNX_FILE: exported.content} if exported.content else {})
