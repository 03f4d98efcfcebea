"""What a worker serves, and the state that it must reach."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mlops_assets.blocks.base import Settings, Task
from mlops_assets.blocks.data import EntitySettings
from mlops_assets.blocks.operation import RequestLimits
from mlops_assets.blocks.prediction_log import LogSettings
from mlops_assets.records.data import FeatureView
from mlops_assets.records.rollout import Candidate


class Servable(Settings):
    """`servable.json`: all that a worker needs to serve one version; never changes once written."""

    model_name: str
    model_version: int
    task: Task
    classes: tuple[str, ...] = Field((), description="Of a multiclass model, in column order.")
    entity: EntitySettings
    features: dict[str, Literal["float64", "string"]] = Field(description="In column order.")
    sha256: str = Field(description="Of `model.skops` beside it.")


class RecordedRequest(Settings):
    """Features of one held-out row and what the model said offline."""

    features: dict[str, float | str | None]
    scores: tuple[float, ...] = Field(
        description="Binary: probability of the positive class; multiclass: one probability per "
        "class; regression: the value."
    )


class OnlineFeatures(Settings):
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


class Manifest(Settings):
    """`deployment.json`: the state that an endpoint's workers must reach."""

    generation: int = Field(ge=1)
    model_name: str
    model_version: int
    folder: str = Field(description="Holds servable.json and model.skops of that version.")
    previous: str | None = Field(description="Folder of the last good version before this one.")
    online: OnlineFeatures
    max_rows: int
    max_body_bytes: int
    limits: Limits = Limits()
    log: LogSettings = LogSettings()
    candidate: Candidate | None = Field(None, description="A version on trial beside it.")


class Endpoint(Settings):
    """A live endpoint."""

    url: str
    model_name: str
    model_version: int
    generation: int
    workers: int
    entity: EntitySettings
