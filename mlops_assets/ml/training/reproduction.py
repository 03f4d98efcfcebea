"""Comparing a repeated training with its record: hashes, and differences by name.

Pure: what was recorded and found comes in as `TrainingRecord`s. Restoring data and code, and
running the training again, is `mlops_assets.cli.reproduction`.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mlops_assets.config import ModelSettings
from mlops_assets.ml.features.arrays import ARRAYS_NAME
from mlops_assets.records.reproduction import Difference, TrainingRecord

TOLERANCE = 1e-9
"""Between predictions that are equal, where the engine of the features is not exact: it sums in any
order, so that features are equal within 1e-12 of their size."""
_AFTERWARDS = frozenset(
    ("description", "owners", "card", "deployment", "monitoring", "schedule", "compute")
)
"""Blocks of the YAML that no training reads: a port may come from where it is repeated."""
_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


def settings_digest(settings: ModelSettings) -> str:
    """SHA-256 of all that the YAML says of a training, but where its data lie."""
    blocks = settings.model_dump_json(
        include={"entity", "timestamp", "contract", "processing", "features", "target", "training"}
    )
    source = settings.source.model_dump_json(exclude={"uri"})
    return hashlib.sha256(f"{blocks}{source}".encode()).hexdigest()


def scores_hash(scores: np.ndarray) -> str:
    """SHA-256 of the shape and the values as little-endian float64, row by row.

    Of a training, the scores of `Split.test`, whose rows `split` sorts by time and entity.
    """
    digest = hashlib.sha256(repr(scores.shape).encode())
    digest.update(np.ascontiguousarray(scores, dtype="<f8").tobytes())
    return digest.hexdigest()


def is_exact(engine: str) -> bool:
    """Whether this engine's features are the same to the last bit, whenever they are computed."""
    return engine == ARRAYS_NAME


def differences(
    recorded: TrainingRecord,
    found: TrainingRecord,
    *,
    lock_sha256: str | None,
    moved: Mapping[str, tuple[str, str]],
    scores: tuple[np.ndarray, np.ndarray] | None = None,
) -> list[Difference]:
    """All that was not as recorded when the training was repeated, the predictions last.

    Args:
        recorded: Of the version.
        found: Of the repetition.
        lock_sha256: Of the project's present requirements.lock, which made the environment.
        moved: As `moved_packages`.
        scores: Of the held-out rows, recorded and found; asked for if the engine is not exact.
    """
    return [
        *_code(recorded, found),
        *_environment(recorded, found, lock_sha256, moved),
        *_configuration(recorded, found),
        *_predictions(recorded, found, scores),
    ]


def pinned(lock: str) -> dict[str, set[str]]:
    """Package, normalised -> its versions in a requirements.lock: one for each marker."""
    pins: dict[str, set[str]] = {}
    for name, version in _PIN.findall(lock):
        pins.setdefault(_normal(name), set()).add(version)
    return pins


def moved_packages(lock: str, installed: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Packages that are installed, but in no pinned version: name -> what is pinned, installed."""
    pins = pinned(lock)
    present = {_normal(name): version for name, version in installed.items()}
    return {
        name: (" or ".join(sorted(pins[name])), present[name])
        for name in sorted(pins.keys() & present.keys())
        if present[name] not in pins[name]
    }


def changed_settings(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """One text per value that differs, with its path in the YAML."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            inner = f"{path}.{key}" if path else key
            yield from changed_settings(before.get(key), after.get(key), inner)
    elif before != after:
        yield f"{path}: {before!r} recorded, {after!r} found"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _code(recorded: TrainingRecord, found: TrainingRecord) -> Iterator[Difference]:
    sha = recorded.code.sha
    if recorded.code.state == "no git":
        detail = "recorded without git; the present code was used"
        yield Difference(what="code", detail=detail)
    elif recorded.code.state == "changed":
        detail = f"the tree at {sha} had changes too large to keep; they are missing here"
        yield Difference(what="code", detail=detail)
    elif recorded.code.sha != found.code.sha:
        yield Difference(what="code", detail=f"{sha} recorded, {found.code.sha} ran")


def _environment(
    recorded: TrainingRecord,
    found: TrainingRecord,
    lock_sha256: str | None,
    moved: Mapping[str, tuple[str, str]],
) -> Iterator[Difference]:
    if recorded.lock_sha256 != lock_sha256:
        detail = f"requirements.lock: sha256 {recorded.lock_sha256} recorded, {lock_sha256} found"
        yield Difference(what="lock file", detail=detail)
    for name, (wanted, present) in moved.items():
        detail = f"{name} {wanted} recorded, {present} installed"
        yield Difference(what="lock file", detail=detail)
    if recorded.python != found.python:
        detail = f"{recorded.python} recorded, {found.python} runs"
        yield Difference(what="python", detail=detail)


def _configuration(recorded: TrainingRecord, found: TrainingRecord) -> Iterator[Difference]:
    for detail in changed_settings(_trained_by(recorded), _trained_by(found)):
        yield Difference(what="configuration", detail=detail)
    if recorded.seed != found.seed:
        yield Difference(what="seed", detail=f"{recorded.seed} recorded, {found.seed} found")
    for detail in changed_settings(recorded.params, found.params):
        yield Difference(what="tuning", detail=detail)


def _trained_by(record: TrainingRecord) -> dict[str, Any]:
    return {block: said for block, said in record.settings.items() if block not in _AFTERWARDS}


def _predictions(
    recorded: TrainingRecord,
    found: TrainingRecord,
    scores: tuple[np.ndarray, np.ndarray] | None,
) -> Iterator[Difference]:
    if recorded.engine != found.engine:
        detail = f"features by {recorded.engine} recorded, by {found.engine} found"
        yield Difference(what="engine", detail=detail)
    if recorded.raw.md5 != found.raw.md5:
        detail = f"md5 {recorded.raw.md5} recorded, {found.raw.md5} found"
        yield Difference(what="data", detail=detail)
    if recorded.prediction_sha256 == found.prediction_sha256:
        return
    detail = f"sha256 {recorded.prediction_sha256} recorded, {found.prediction_sha256} found"
    if scores is not None and scores[0].shape == scores[1].shape:
        apart = np.abs(scores[0] - scores[1])
        if apart.max(initial=0) <= TOLERANCE:
            return
        detail = f"up to {apart.max():.2g} apart, {int((apart > TOLERANCE).sum())} of {apart.size}"
    yield Difference(what="predictions", detail=detail)
