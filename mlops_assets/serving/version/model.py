"""One model version in memory: read from its folder, checked, and asked for scores.

By ONNX Runtime where the version passed the parity gate, else by scikit-learn, which only then is
imported. No pickle: a file's checksum, and the types in a skops file, are compared before anything
in it is loaded.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mlops_assets.blocks.base import one_line
from mlops_assets.errors import DeploymentError
from mlops_assets.ml.inference.model_files import load_estimator
from mlops_assets.ml.inference.nameless import (
    column_array,
    feature_array,
    forget_names,
    needs_names,
)
from mlops_assets.ml.inference.onnx_runtime import Columns, FeatureRow, OnnxModel
from mlops_assets.records.files import CARD_FILE, MODEL_FILE, ONNX_FILE, SERVABLE_FILE
from mlops_assets.records.serving import RecordedRequest, Servable


@dataclass(frozen=True)
class LoadedModel:
    """A servable and what computes it."""

    servable: Servable
    scores: Callable[[Sequence[FeatureRow]], np.ndarray]
    """One row per row of features: the positive class's probability, one probability per class, or
    the value; NaN, or a `ValueError`, for what the model refuses."""
    score_columns: Callable[[Columns], np.ndarray]
    """The same of rows that come by columns, to the last bit."""
    card: dict[str, Any] | None = None
    """The facts of its model card; None of a version without one."""

    @cached_property
    def _seen(self) -> dict[str, frozenset[str | float]]:
        return {name: frozenset(values) for name, values in self.servable.categories.items()}

    def unseen(self, rows: Sequence[FeatureRow]) -> dict[int, list[str]]:
        """By its place each row with categories that the training never saw; in which features."""
        found: dict[int, list[str]] = {}
        for name, known in self._seen.items():
            for place, row in enumerate(rows):
                if row[name] not in known and _is_there(row[name]):
                    found.setdefault(place, []).append(name)
        return found

    def self_check(self, recorded: Sequence[RecordedRequest]) -> None:
        """Compare with what the model said offline, as `require_equal_scores` does."""
        if not recorded:
            return
        expected = np.array([request.scores for request in recorded])
        actual = self.scores([request.features for request in recorded])
        require_equal_scores(actual, expected, self.servable)


def _is_there(value: float | str | None) -> bool:
    return value is not None and value == value


def require_equal_scores(actual: np.ndarray, expected: np.ndarray, servable: Servable) -> None:
    """`DeploymentError` if served and recorded scores differ in shape, or above the tolerance."""
    what = f"{servable.model_name} version {servable.model_version}"
    if actual.shape != expected.shape:
        raise DeploymentError(
            f"{what} answers scores of shape {actual.shape}, recorded were {expected.shape}; "
            "train and evaluate the model again"
        )
    worst, allowed = float(np.abs(actual - expected).max()), servable.inference.tolerance
    if not worst <= allowed:  # also true for NaN
        raise DeploymentError(
            f"{what} differs from its recorded scores by {worst:.3g} (allowed {allowed:g}); "
            "serve with the library versions it was trained with, or train again"
        )


def read_servable(folder: Path) -> Servable:
    """What the version in `folder` is; `DeploymentError` if the file is missing or damaged."""
    try:
        return Servable.model_validate_json((folder / SERVABLE_FILE).read_bytes())
    except (OSError, ValueError) as err:
        said = f"cannot read the model version in {folder}: {one_line(err)}"
        raise DeploymentError.of_files(folder, said) from err


def load_servable(folder: Path) -> LoadedModel:
    """Load the version in `folder`: `servable.json`, and `model.onnx` or `model.skops`.

    Raises:
        DeploymentError: A file is missing, damaged, or not the one that was registered.
        UnsafeModelError: The model file holds types outside the allow-list; it was not loaded.
    """
    servable = read_servable(folder)
    documents = {name: _read(folder / name, sha256) for name, sha256 in servable.documents.items()}
    if servable.inference.runtime == "onnxruntime":
        content = _read(folder / ONNX_FILE, servable.inference.onnx_sha256)
        graph = OnnxModel(content, servable.features)
        loaded = LoadedModel(servable, graph.scores, graph.score_columns)
    else:
        loaded = by_sklearn(servable, _read(folder / MODEL_FILE, servable.sha256))
    card = documents.get(CARD_FILE)
    return replace(loaded, card=json.loads(card)) if card else loaded


def by_sklearn(servable: Servable, content: bytes) -> LoadedModel:
    """Load a skops file; `UnsafeModelError`, unread, if it holds types outside the allow-list."""
    from mlops_assets.ml.frames import column_frame, feature_frame
    from mlops_assets.ml.inference.scoring import score

    estimator = load_estimator(content, servable.own_types)
    build, join = feature_array, column_array
    if needs_names(estimator):
        build, join = feature_frame, column_frame
    else:
        forget_names(estimator)

    def scores(rows: Sequence[FeatureRow]) -> np.ndarray:
        return score(estimator, build(rows, servable.features), servable.task)

    def score_columns(columns: Columns) -> np.ndarray:
        return score(estimator, join(columns, servable.features), servable.task)

    return LoadedModel(servable, scores, score_columns)


def _read(file: Path, sha256: str | None) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as err:
        said = f"cannot read the model version in {file.parent}: {err}"
        raise DeploymentError.of_files(file.parent, said) from err
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        said = f"{file} has sha256 {actual}, but {SERVABLE_FILE} says {sha256}: the file changed"
        raise DeploymentError.of_files(file.parent, said)
    return content
