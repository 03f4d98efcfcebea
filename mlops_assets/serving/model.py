"""One model version in memory: read from its folder, checked, and asked for scores.

No pickle: the file's checksum and its types are compared before anything in it is loaded.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlops_assets.errors import DeploymentError
from mlops_assets.ml.model_files import load_estimator
from mlops_assets.ml.scoring import feature_frame, score
from mlops_assets.records.serving import RecordedRequest, Servable

SERVABLE_FILE = "servable.json"
MODEL_FILE = "model.skops"
RECORDED_FILE = "recorded.json"
TOLERANCE = 1e-9
"""How far a score may be from the recorded one, by the self-check and over HTTP."""
RESERVED = ("prediction", "probabilities", "features_as_of", "error")
"""Fields of a prediction beside the entity's name."""

FeatureRow = Mapping[str, float | str | None]


@dataclass(frozen=True)
class LoadedModel:
    """A servable and its estimator."""

    servable: Servable
    estimator: Any

    def scores(self, rows: Sequence[FeatureRow]) -> np.ndarray:
        """Score feature rows.

        Returns:
            One row per input row: the positive class's probability, one probability per class, or
            the value.
        """
        frame = feature_frame(rows, self.servable.features)
        return score(self.estimator, frame, self.servable.task)

    def self_check(self, recorded: Sequence[RecordedRequest]) -> None:
        """Compare with what the model said offline.

        Raises:
            DeploymentError: Some score differs by more than 1e-9.
        """
        if not recorded:
            return
        expected = np.array([request.scores for request in recorded])
        actual = self.scores([request.features for request in recorded])
        require_equal_scores(actual, expected, self.servable)


def require_equal_scores(actual: np.ndarray, expected: np.ndarray, servable: Servable) -> None:
    """Compare served with recorded scores, both of shape (rows, scores).

    Raises:
        DeploymentError: Another shape, or a difference above 1e-9.
    """
    what = f"{servable.model_name} version {servable.model_version}"
    if actual.shape != expected.shape:
        raise DeploymentError(
            f"{what} answers scores of shape {actual.shape}, recorded were {expected.shape}; "
            "train and evaluate the model again"
        )
    worst = float(np.abs(actual - expected).max())
    if not worst <= TOLERANCE:  # also true for NaN
        raise DeploymentError(
            f"{what} differs from its recorded scores by {worst:.3g} (allowed {TOLERANCE:g}); "
            "serve with the library versions it was trained with, or train again"
        )


def read_servable(folder: Path) -> Servable:
    """Read what the version in `folder` is.

    Raises:
        DeploymentError: The file is missing or damaged.
    """
    try:
        return Servable.model_validate_json((folder / SERVABLE_FILE).read_bytes())
    except (OSError, ValueError) as err:
        raise DeploymentError(
            f"cannot read the model version in {folder}: {err}. "
            "Delete the folder and deploy the version again."
        ) from err


def load_servable(folder: Path) -> LoadedModel:
    """Load the version in `folder`: `servable.json` and `model.skops`.

    Raises:
        DeploymentError: A file is missing, damaged, or not the one that was registered.
        UnsafeModelError: The model file holds types outside the allow-list; it was not loaded.
    """
    servable = read_servable(folder)
    try:
        content = (folder / MODEL_FILE).read_bytes()
    except OSError as err:
        raise DeploymentError(
            f"cannot read the model version in {folder}: {err}. "
            "Delete the folder and deploy the version again."
        ) from err
    if servable.entity.name in RESERVED:
        raise DeploymentError(
            f"the entity {servable.entity.name!r} has the name of a field of the answer; rename it"
        )
    actual = hashlib.sha256(content).hexdigest()
    if actual != servable.sha256:
        raise DeploymentError(
            f"{folder / MODEL_FILE} has sha256 {actual}, but {SERVABLE_FILE} says "
            f"{servable.sha256}: the file changed. Delete the folder and deploy the version again."
        )
    return LoadedModel(servable, load_estimator(content))
