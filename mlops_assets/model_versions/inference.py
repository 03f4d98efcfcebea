"""By what a version is served: decided when it is trained, kept beside its model file."""

from mlops_assets.config import ModelSettings
from mlops_assets.ml.export.parity import INFERENCE_FILE, export_checked
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.records.files import ONNX_FILE
from mlops_assets.records.serving import Inference
from resources.tracking.run import MLflowRun

INFERENCE_TAG = "mlops/inference"


def choose_inference(
    held_out: Scored, settings: ModelSettings, run: MLflowRun
) -> tuple[Inference, dict[str, bytes]]:
    """Export, compare, and log the figures; also the files to log with the model.

    Args:
        held_out: The pipeline as `ml.training.fit.fit` returns it, and `Split.test`.
        settings: Of the model.
        run: The open one.
    """
    exported = export_checked(held_out, settings.feature_dtypes)
    found = exported.inference
    figures = {"rows": found.rows, "flips": found.flips, "max_difference": found.max_difference}
    run.log_metrics({f"onnx_{n}": value for n, value in figures.items() if value is not None})
    run.add_tags({INFERENCE_TAG: found.spelled})
    files = {INFERENCE_FILE: found.model_dump_json(indent=2).encode()}
    return found, files | ({ONNX_FILE: exported.content} if exported.content else {})
