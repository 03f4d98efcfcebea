"""The parity gate: whether the ONNX export of a pipeline may answer in scikit-learn's place.

Both score the same held-out rows, and rows with a value missing or a category that training did not
see. The export may serve if no decision differs, no score by more than 1e-6, and both refuse the
same rows.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
from pydantic import ValidationError

from mlops_assets.blocks.base import Task, one_line
from mlops_assets.errors import DeploymentError, NotExportableError, TrainingError
from mlops_assets.ml.export.onnx_export import export
from mlops_assets.ml.frames import FeatureDtypes
from mlops_assets.ml.inference.onnx_runtime import MISSING, NUMBERS, TEXTS, OnnxModel
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.records.serving import Inference

if TYPE_CHECKING:
    from mlops_assets.ml.estimators import Pipeline

INFERENCE_FILE = "inference.json"
"""Kept beside the model file of a version."""
COMPARED_ROWS = 20_000
"""Held-out rows that are compared at most, the newest."""
PROBE_ROWS = 20
"""Rows for each feature that is made missing, and for each text that is made unknown."""

_ONNX = Inference(runtime="onnxruntime", reason="")
_UNKNOWN = "\ufdd1"
"""A category that no training data has."""


@dataclass(frozen=True)
class Exported:
    """What was found, and the ONNX file if it may serve."""

    inference: Inference
    content: bytes | None = None


def export_checked(held_out: Scored, dtypes: FeatureDtypes) -> Exported:
    """Export a fitted pipeline and compare; never an error, but a reason to go on without.

    Args:
        held_out: The pipeline, and rows that it was not fitted on, sorted by time.
        dtypes: Of its features.
    """
    try:
        content = export(cast("Pipeline", held_out.model), dtypes, held_out.task)
        found = compare(held_out, OnnxModel(content, dtypes), dtypes)
    except (NotExportableError, DeploymentError) as err:
        return Exported(Inference(reason=str(err)))
    except Exception as err:  # an estimator otherwise built than was known; training must not fail
        return Exported(Inference(reason=f"the export failed: {type(err).__name__}: {err}"))
    if found.reason:
        return Exported(found.model_copy(update={"runtime": "scikit-learn"}))
    digest = hashlib.sha256(content).hexdigest()
    return Exported(found.model_copy(update={"onnx_sha256": digest}), content)


def read_inference(model_file: Path) -> Inference:
    """What was decided of the version whose model file this is.

    Raises:
        DeploymentError: The record is damaged, or there is none.
    """
    try:
        return Inference.model_validate_json(model_file.with_name(INFERENCE_FILE).read_bytes())
    except (OSError, ValidationError) as err:
        why = one_line(err) if isinstance(err, ValidationError) else err.strerror
        raise DeploymentError(
            f"the {INFERENCE_FILE} beside {model_file.name} is damaged: {why}; train again"
        ) from err


def compare(held_out: Scored, model: OnnxModel, dtypes: FeatureDtypes) -> Inference:
    """Score held-out and probing rows by both; `reason` says what is too different."""
    task, rows, flips, unlike, worst = held_out.task, 0, 0, 0, 0.0
    for frame, expected in _expected(held_out, dtypes):
        actual = model.run(feeds(frame, dtypes))
        answered, served = (np.isfinite(each).all(axis=1) for each in (expected, actual))
        both = answered & served
        unlike += int((answered != served).sum())
        flips += int((_decisions(expected[both], task) != _decisions(actual[both], task)).sum())
        worst = max(worst, float(np.abs(expected[both] - actual[both]).max(initial=0.0)))
        rows += int(both.sum())
    found = _ONNX.model_copy(
        update={"rows": rows, "max_difference": worst, "flips": flips, "unlike": unlike}
    )
    return found.model_copy(update={"reason": _reason(found)})


def feeds(frame: pd.DataFrame, dtypes: FeatureDtypes) -> dict[str, np.ndarray]:
    """A frame as `ml.frames.select_features` builds it, as `OnnxModel.run` takes it."""
    kinds = {NUMBERS: "float64", TEXTS: "string"}
    columns = {
        name: [feature for feature, dtype in dtypes.items() if dtype == kind]
        for name, kind in kinds.items()
    }
    parts = {name: frame[chosen] for name, chosen in columns.items() if chosen}
    if TEXTS in parts:
        parts[TEXTS] = parts[TEXTS].where(parts[TEXTS].notna(), MISSING)
    return {name: part.to_numpy() for name, part in parts.items()}


def _reason(found: Inference) -> str:
    if not found.rows:
        return "no row is answered by both"
    broken = []
    if found.flips:
        broken.append(f"{found.flips} decisions differ")
    if found.unlike:
        broken.append(f"{found.unlike} rows are answered by only one of the two")
    if found.max_difference is None or not found.max_difference <= found.tolerance:
        broken.append(
            f"scores differ by up to {found.max_difference:.3g} (allowed {found.tolerance:g})"
        )
    return f"of {found.rows} rows, {' and '.join(broken)}" if broken else ""


def _probes(probes: pd.DataFrame, dtypes: FeatureDtypes) -> list[pd.DataFrame]:
    """These rows, once with each feature missing and once with each text unknown."""
    changes: list[tuple[str, object]] = [(name, np.nan) for name in dtypes]
    changes += [(name, _UNKNOWN) for name, dtype in dtypes.items() if dtype == "string"]
    size = len(probes)
    # By whole columns: of hundreds of features, as many frames would cost more than the training.
    columns = {name: np.tile(probes[name].to_numpy(), len(changes)) for name in dtypes}
    for place, (name, value) in enumerate(changes):
        columns[name][place * size : (place + 1) * size] = value
    whole = pd.DataFrame(columns)
    return [whole.iloc[place * size : (place + 1) * size] for place in range(len(changes))]


def _expected(held_out: Scored, dtypes: FeatureDtypes) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Held-out and probing rows with their scores; NaN where scikit-learn refuses, frame-wise."""
    yield held_out.features.tail(COMPARED_ROWS), _answers(held_out)[-COMPARED_ROWS:]
    probes = _probes(held_out.features.tail(PROBE_ROWS), dtypes)
    whole = pd.concat(probes, ignore_index=True)
    try:
        yield whole, replace(held_out, features=whole).scores
    except TrainingError:
        yield from ((probe, _answers(replace(held_out, features=probe))) for probe in probes)


def _answers(scored: Scored) -> np.ndarray:
    try:
        return scored.scores
    except TrainingError:  # a missing value that the model does not take
        return np.full((len(scored.features), 1), np.nan)


def _decisions(scores: np.ndarray, task: Task) -> np.ndarray:
    if task == "regression":
        return np.zeros(len(scores))
    return scores[:, 0] >= 0.5 if task == "binary" else scores.argmax(axis=1)
