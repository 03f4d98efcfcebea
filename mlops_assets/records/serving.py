"""What a worker serves, and the state that it must reach."""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field

from mlops_assets.blocks.base import Record, Task
from mlops_assets.blocks.data import ROW, EntitySettings
from mlops_assets.blocks.operation import RequestLimits
from mlops_assets.blocks.prediction_log import LogSettings
from mlops_assets.records.data import FeatureView
from mlops_assets.records.rollout import Candidate, Role


class Inference(Record):
    """By what a version is served, and how its ONNX export compared with scikit-learn."""

    runtime: Literal["onnxruntime", "scikit-learn"] = "scikit-learn"
    reason: str = Field(description="Why not ONNX Runtime; empty where it serves.")
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
    entity: EntitySettings | None = Field(description="None: it is asked by features alone.")
    features: dict[str, Literal["float64", "string"]] = Field(description="In column order.")
    categories: dict[str, tuple[str | float, ...]] = Field(
        {}, description="Encoded feature -> the values that the training saw."
    )
    titles: dict[str, str] = Field(
        {}, description="Entity and features -> what people call them, if otherwise."
    )
    sha256: str = Field(description="Of `model.skops` beside it.")
    own_types: tuple[str, ...] = Field(
        (), description="That the file may hold besides those of the allow-list."
    )
    inference: Inference
    documents: dict[str, str] = Field(
        {},
        description="Files beside it that say what the version is, when first deployed -> SHA-256.",
    )

    @property
    def key(self) -> EntitySettings:
        """Under whose name an id stands in an answer."""
        return self.entity or ROW


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
    lookup: Literal["direct", "feast", "none"] = Field(
        "feast", description="Read the sqlite table itself, ask Feast's SDK, or no id is known."
    )
    lookup_reason: str = Field("never compared", description="Why that one.")

    def relocated(self, move: Callable[[str], str]) -> Self:
        """The same with each local file's path as `move` has it."""
        parts = {
            name: {**part, "path": move(part["path"])}
            for name in ("registry", "online_store")
            if isinstance(part := self.store.get(name), dict) and _is_path(part.get("path"))
        }
        return self.model_copy(update={"store": {**self.store, **parts}})


def _is_path(value: Any) -> bool:
    """Whether it is a path here, no address of a server or a bucket."""
    return isinstance(value, str) and "://" not in value


class EndpointLimits(RequestLimits):
    """What stands before the application, as `serving.api.guard` enforces it."""

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
    limits: EndpointLimits = EndpointLimits()
    log: LogSettings = LogSettings()
    candidate: Candidate | None = Field(None, description="A version on trial beside it.")
    role: Role = Field("primary", description="Of a pod; a worker's candidate has its own.")

    @classmethod
    def read(cls, content: bytes, endpoint: Path) -> Self:
        """What stands in a file of the endpoint's folder, with every path absolute.

        Raises:
            ValueError: It is no manifest.
        """
        return cls.model_validate_json(content).relocated(
            lambda path: os.path.normpath(endpoint.absolute() / path)
        )

    def written(self, endpoint: Path) -> bytes:
        """What `read` reads: the paths below the state folder relative to the endpoint's.

        So the state folder can be moved or copied whole. It is taken to be the one that holds the
        folder of all endpoints; what lies elsewhere keeps its full path.
        """
        endpoint = endpoint.resolve()
        state = endpoint.parents[1]
        within = endpoint if state == state.parent else state

        def relative(path: str) -> str:
            real = Path(path).resolve()
            return os.path.relpath(real, endpoint) if real.is_relative_to(within) else path

        return self.relocated(relative).model_dump_json(indent=2).encode()

    def relocated(self, move: Callable[[str], str]) -> Self:
        """The same with every path as `move` has it."""
        candidate = self.candidate
        if candidate is not None:
            candidate = candidate.model_copy(update={"folder": move(candidate.folder)})
        update = {
            "folder": move(self.folder),
            "previous": move(self.previous) if self.previous else None,
            "online": self.online.relocated(move),
            "candidate": candidate,
        }
        return self.model_copy(update=update)


class Endpoint(Record):
    """A live endpoint."""

    url: str
    model_name: str
    model_version: int
    generation: int
    workers: int
    entity: EntitySettings | None
    fallback: str | None = Field(None, description="Why it serves another version than wanted.")
    unlogged: str | None = Field(None, description="Why its newest prediction was not logged.")
