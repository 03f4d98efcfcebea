"""A registered version within one step: its files, its pipeline, and what it says of rows.

The one place where a model file is fetched, loaded and hashed, each at most once. All that is
measured is so of what has the checksums; for its latency a version is staged and loaded as an
endpoint's worker does, so it is the served code that is timed.
"""

import hashlib
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlops_assets.config import ModelSettings
from mlops_assets.ml.estimators import Estimator
from mlops_assets.ml.export.latency import latency_p99_ms
from mlops_assets.ml.export.parity import read_inference
from mlops_assets.ml.file_part import Part, in_memory
from mlops_assets.ml.frames import feature_rows
from mlops_assets.ml.inference.categories import seen_categories
from mlops_assets.ml.inference.model_files import load_estimator
from mlops_assets.ml.inference.scoring import Scored, class_names
from mlops_assets.ml.inference.trusted_types import own_types
from mlops_assets.records.evaluation import ModelVersion
from mlops_assets.records.files import MODEL_FILE, ONNX_FILE
from mlops_assets.records.serving import RecordedRequest, Servable
from mlops_assets.serving.version.model import load_servable
from resources.endpoints.folder import EndpointFolder
from resources.tracking.tracking import MLflowTracking

RECORDED_REQUESTS = 20
"""Rows that the live endpoint must answer as the model did offline."""


@dataclass(frozen=True)
class FetchedVersion:
    """A version whose files are here; nothing is read before it is asked for."""

    version: ModelVersion
    file: Path
    """The model file; what was logged with it stands beside it."""
    own_types: tuple[str, ...]
    """That it may hold besides those of the allow-list, as the YAML names them."""

    @cached_property
    def content(self) -> bytes:
        """Of the model file."""
        return self.file.read_bytes()

    @cached_property
    def estimator(self) -> Estimator:
        """The fitted pipeline; `UnsafeModelError` if the file holds types off the allow-list."""
        return load_estimator(self.content, self.own_types)

    @cached_property
    def digests(self) -> dict[str, str]:
        """Model file, and ONNX file if there is one -> SHA-256."""
        found = {MODEL_FILE: self.content}
        if (onnx := self.file.with_name(ONNX_FILE)).exists():
            found[ONNX_FILE] = onnx.read_bytes()
        return {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}

    def scored(self, rows: Part, settings: ModelSettings) -> Scored:
        """What the pipeline says of `rows`, which hold the features."""
        return Scored.of(self.estimator, rows, settings)

    def servable(self, settings: ModelSettings) -> Servable:
        """The version as a worker must know it."""
        return Servable(
            model_name=settings.name,
            model_version=self.version.version,
            task=settings.target.task,
            classes=class_names(self.estimator, settings.target.task),
            entity=settings.entity,
            features=settings.feature_dtypes,
            categories=seen_categories(self.estimator),
            titles=settings.titles,
            sha256=self.digests[MODEL_FILE],
            own_types=self.own_types,
            inference=read_inference(self.file),
        )

    def recorded(self, rows: Part, settings: ModelSettings) -> list[RecordedRequest]:
        """The newest of `rows` as requests, with the answers to them."""
        newest = self.scored(rows.tail(RECORDED_REQUESTS), settings)
        return [
            RecordedRequest(features=features, scores=tuple(map(float, answer)))
            for features, answer in zip(
                feature_rows(in_memory(newest.features)), newest.scores, strict=True
            )
        ]

    def facts(self, rows: Part, settings: ModelSettings) -> dict[str, float]:
        """What `evaluation.gate` may bound beside metrics.

        `size_mb` of the model file and, if `gate.latency_p99_ms` is set, that of scoring one row.
        """
        found = {"size_mb": len(self.content) / 1e6}
        limit = settings.evaluation.gate.latency_p99_ms
        if limit is not None:
            servable, recorded = self.servable(settings), self.recorded(rows, settings)
            staged = EndpointFolder(self.file.parent).stage(servable, self.file, recorded)
            asked = [[request.features] for request in recorded]
            found["latency_p99_ms"] = latency_p99_ms(
                load_servable(staged).scores, asked, enough=limit
            )
        return found


@contextmanager
def fetched(
    version: ModelVersion, tracking: MLflowTracking, settings: ModelSettings
) -> Generator[FetchedVersion]:
    """The version, whose files are here until the body ends."""
    own = own_types(settings.training)
    with tempfile.TemporaryDirectory() as folder:
        file = tracking.registry.download_model(version, Path(folder))
        yield FetchedVersion(version, file, own)
