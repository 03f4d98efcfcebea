"""What a training run leaves in MLflow: how to repeat it, and by what its version is served."""

import hashlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from mlops_assets.config import ModelSettings
from mlops_assets.errors import ReproductionError
from mlops_assets.home import project
from mlops_assets.ml.export.parity import INFERENCE_FILE, export_checked
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.ml.training.reproduction import is_exact, scores_hash, settings_digest
from mlops_assets.records.data import Origin
from mlops_assets.records.evaluation import ModelVersion
from mlops_assets.records.files import ONNX_FILE
from mlops_assets.records.reproduction import EstimatorChoice, TrainingRecord
from mlops_assets.records.serving import Inference
from resources.source_code import code_digest, source_state
from resources.tracking.run import MLflowRun
from resources.tracking.tracking import MLflowTracking

RECORD, SETTINGS, PATCH = "reproduction.json", "settings.json", "uncommitted.patch"
SCORES = "held_out_scores.json"
LOCK_FILE = "requirements.lock"
INFERENCE_TAG = "mlops/inference"


def choose_inference(
    held_out: Scored, settings: ModelSettings, run: MLflowRun
) -> tuple[Inference, dict[str, bytes]]:
    """Export, compare, log the figures to the open run; also the files to log with the model."""
    exported = export_checked(held_out, settings.feature_dtypes)
    found = exported.inference
    figures = {"rows": found.rows, "flips": found.flips, "max_difference": found.max_difference}
    run.log_metrics({f"onnx_{n}": value for n, value in figures.items() if value is not None})
    run.add_tags({INFERENCE_TAG: found.spelled})
    files = {INFERENCE_FILE: found.model_dump_json(indent=2).encode()}
    return found, files | ({ONNX_FILE: exported.content} if exported.content else {})


def record_training(
    origin: Origin,
    settings: ModelSettings,
    params: Mapping[str, Any],
    scores: np.ndarray,
    run: MLflowRun,
    choice: EstimatorChoice | None = None,
) -> TrainingRecord:
    """Tag the open run, and keep its record, settings and uncommitted changes as artifacts.

    `params` are the estimator's, with what the tuning chose; the scores are those of the held-out
    rows, kept too if the engine of the features is not exact; the choice is that of
    `training.estimator: auto`.
    """
    record = TrainingRecord(
        raw=origin.raw,
        checked_at=origin.checked_at.isoformat(),
        code=source_state(project()),
        lock_sha256=lock_digest(project()),
        python=platform.python_version(),
        seed=settings.training.seed,
        params=dict(params),
        settings=settings.model_dump(mode="json"),
        engine=origin.engine,
        prediction_sha256=scores_hash(scores),
        choice=choice,
    )
    made_of = {
        "code/sha256": code_digest(project()),
        "settings/sha256": settings_digest(settings),
    }
    run.add_tags(_tags(record) | made_of)
    settings_text = settings.model_dump_json(indent=2)
    texts = {RECORD: record.model_dump_json(indent=2), SETTINGS: settings_text}
    if record.code.patch:
        texts[PATCH] = record.code.patch
    if not is_exact(record.engine):
        texts[SCORES] = json.dumps(scores.tolist())
    for name, text in texts.items():
        run.log_text(name, text)
    return record


def read_record(version: ModelVersion, tracking: MLflowTracking) -> TrainingRecord:
    """The record of a version; `ReproductionError` if there is none that this code can read."""
    text = tracking.run_of(version).read_text(RECORD)
    if text is None:
        raise ReproductionError(
            f"{version.name}@{version.version} has no {RECORD}: it was trained before versions "
            "were recorded; train a new one"
        )
    try:
        return TrainingRecord.model_validate_json(text)
    except ValidationError as err:
        raise ReproductionError(
            f"the {RECORD} of {version.name}@{version.version} was written by other code: {err}"
        ) from err


def read_scores(version: ModelVersion, tracking: MLflowTracking) -> np.ndarray | None:
    """The scores of the held-out rows, as `record_training` kept them; None if it did not."""
    text = tracking.run_of(version).read_text(SCORES)
    return None if text is None else np.array(json.loads(text), dtype=np.float64)


def lock_digest(root: Path) -> str | None:
    """SHA-256 of the project's requirements.lock; None if it has none."""
    lock = root / LOCK_FILE
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.exists() else None


def _tags(record: TrainingRecord) -> dict[str, str]:
    tags = {
        "git/state": _STATES[record.code.state],
        "lock/sha256": record.lock_sha256,
        "python/version": record.python,
        "git/sha": record.code.sha,
        "features/engine": record.engine,
        "prediction/sha256": record.prediction_sha256,
    }
    return {name: value for name, value in tags.items() if value is not None}


_STATES = {
    "clean": "clean",
    "patched": f"uncommitted changes, kept as {PATCH}",
    "changed": "uncommitted changes too large to keep: cannot be reproduced exactly",
    "no git": "no git: reproduction uses the code of its day",
}
