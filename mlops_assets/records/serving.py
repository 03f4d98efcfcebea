"""What a worker serves, and the state that it must reach."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mlops_assets.blocks.base import Record, Task
from mlops_assets.blocks.data import EntitySettings
from mlops_assets.blocks.operation import RequestLimits
from mlops_assets.blocks.prediction_log import LogSettings
from mlops_assets.records.data import FeatureView
from mlops_assets.records.rollout import Candidate


class Inference(Record):
    """By what a version is served, and how its ONNX export compared with scikit-learn."""

    runtime: Literal["onnxruntime", "scikit-learn"] = "scikit-learn"
    reason: str = Field(
        "it was trained before there was an ONNX export",
        description="Why not ONNX Runtime; empty where it serves.",
    )
    rows: int = Field(0, description="That both answered.")
    max_difference: float | None = Field(None, description="Of any score.")
    flips: int = Field(0, description="Rows with another decision.")
    unlike: int = Field(0, description="Rows that only one of the two answers.")
    onnx_sha256: str | None = Field(None, description="Of the ONNX file beside the model file.")

    @property
    def tolerance(self) -> float:
        """How far a served score may be from scikit-learn's."""
        return 1e-6 if self.runtime == "onnxruntime" else 1e-9

    @property
    def spelled(self) -> str:
        """For a person."""
        if self.runtime == "scikit-learn":
            return f"scikit-learn: {self.reason}"
        return (
            f"ONNX Runtime: on {self.rows:,} rows no decision differs from scikit-learn's, and no "
            f"score by more than {self.max_difference:.2g}"
        )


class Servable(Record):
    """`servable.json`: all that a worker needs to serve one version; never changes once written."""

    model_name: str
    model_version: int
    task: Task
    classes: tuple[str, ...] = Field((), description="Of a multiclass model, in column order.")
    entity: EntitySettings
    features: dict[str, Literal["float64", "string"]] = Field(description="In column order.")
    sha256: str = Field(description="Of `model.skops` beside it.")
    inference: Inference = Inference()
    documents: dict[str, str] = Field(
        {},
        description="Files beside it that say what the version is, when first deployed -> SHA-256.",
    )


class RecordedRequest(Record):
    """Features of one held-out row and what the model said offline."""

    features: dict[str, float | str | None]
    scores: tuple[float, ...] = Field(
        description="Binary: probability of the positive class; multiclass: one probability per "
        "class; regression: the value."
    )


class OnlineFeatures(Record):
    """How a worker reads features by entity id."""

    store: dict[str, Any] = Field(description="Feast RepoConfig as JSON.")
    view: FeatureView
    as_of: datetime | None = Field(
        description="What a value's age is measured against; None: the time of the request."
    )
    lookup: Literal["direct", "feast"] = Field(
        "feast", description="Read the sqlite table itself, or ask Feast's SDK."
    )
    lookup_reason: str = Field("never compared", description="Why that one.")


class Limits(RequestLimits):
    """What stands before the application, as `serving.guard` enforces it."""

    key_digests: tuple[str, ...] = Field((), description="SHA-256; none: everybody may ask.")
    operator_digest: str | None = Field(
        None, description="Of the deployer's own key; not limited in number."
    )


class Manifest(Record):
    """`deployment.json`: the state that an endpoint's workers must reach."""

    generation: int = Field(ge=1)
    model_name: str
    model_version: int
    folder: str = Field(description="Holds servable.json and the model files of that version.")
    previous: str | None = Field(description="Folder of the last good version before this one.")
    online: OnlineFeatures
    max_rows: int
    max_body_bytes: int
    limits: Limits = Limits()
    log: LogSettings = LogSettings()
    candidate: Candidate | None = Field(None, description="A version on trial beside it.")


class Endpoint(Record):
    """A live endpoint."""

    url: str
    model_name: str
    model_version: int
    generation: int
    workers: int
    entity: EntitySettings
