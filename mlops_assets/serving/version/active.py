"""What a worker answers by: one version, ready."""

from dataclasses import dataclass, replace

from mlops_assets.records.rollout import Role
from mlops_assets.records.serving import Manifest
from mlops_assets.serving.online.lookup import OnlineLookup
from mlops_assets.serving.version.model import LoadedModel
from mlops_assets.serving.version.prediction_log import PredictionLogWriter
from mlops_assets.serving.version.tally import Tally
from mlops_assets.serving.wire.requests import RequestDecoder

QUICK_ROWS = 16
"""ONNX Runtime computes so many in some 0.1 ms; to hand them to a thread and back costs 0.1-0.6."""


@dataclass(frozen=True)
class Active:
    """All that a request needs; never changed, only replaced."""

    manifest: Manifest
    model: LoadedModel
    online: OnlineLookup
    decoder: RequestDecoder
    log: PredictionLogWriter
    role: Role = "primary"
    weight: float = 1.0
    candidate: "Active | None" = None
    """A version on trial beside this one; both then have a tally."""
    tally: Tally | None = None

    def is_quick(self, rows: int) -> bool:
        """Whether so many rows of features are predicted and logged in less than a thread costs."""
        by_onnx = self.model.servable.inference.runtime == "onnxruntime"
        return by_onnx and rows <= QUICK_ROWS and self.manifest.log.fsync != "request"

    def by_features(self) -> "Active":
        """For requests that bring their features: without a candidate that takes others."""
        other = self.candidate
        if other is None or other.model.servable.features == self.model.servable.features:
            return self
        return replace(self, candidate=None, tally=None)
