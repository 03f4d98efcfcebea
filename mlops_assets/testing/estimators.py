"""The contract of an estimator, to be called from a test of your own.

    from mlops_assets.testing.estimators import check_estimator_contract

    def test_it_can_be_trained_stored_and_served():
        check_estimator_contract("my_package.MyClassifier", {"depth": 3}, task="binary")

It goes the way of a version: built from a YAML's values, fitted, stored without pickle, loaded as
an endpoint's worker does, asked. On a small table made for it; how well it learns from your data is
for the gate to say.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import Task
from mlops_assets.blocks.evaluation import METRICS
from mlops_assets.config import ModelSettings
from mlops_assets.errors import EstimatorContractError
from mlops_assets.ml.export.parity import Exported, export_checked
from mlops_assets.ml.frames import TIMESTAMP, Split
from mlops_assets.ml.inference.model_files import untrusted_types
from mlops_assets.ml.inference.scoring import Scored, class_names
from mlops_assets.ml.inference.trusted_types import own_types
from mlops_assets.ml.training.fit import build_pipeline, fit, split
from mlops_assets.records.files import MODEL_FILE, ONNX_FILE, SERVABLE_FILE
from mlops_assets.records.serving import RecordedRequest, Servable
from mlops_assets.serving.version.model import load_servable

ROWS = 160
_TEXTS, _NUMBERS = ("kind",), ("size", "weight", "age")
_ASKED = 12
"""Rows of which each is asked alone."""


class EstimatorFacts(NamedTuple):
    """What was found of an estimator that keeps the contract."""

    runtime: str
    """By what it would be served."""
    reason: str
    """Why not by ONNX Runtime; empty where it is."""
    size_bytes: int
    """Of the model file."""


def check_estimator_contract(
    estimator: str,
    params: Mapping[str, Any] | None = None,
    *,
    task: Task,
    max_size_bytes: int = 20_000_000,
    **training: Any,
) -> EstimatorFacts:
    """Train, store, load and serve an estimator on a small table; how it would be served.

    Args:
        estimator: Dotted path, as `training.estimator`.
        params: As `training.params`.
        task: Of the target.
        max_size_bytes: Of the stored model.
        training: Further keys of the YAML's block `training`, e.g. `trusted_types`.

    Raises:
        EstimatorContractError: Two trainings on the same rows differ, the stored model holds types
            that must not be loaded, is too large, or answers otherwise than the trained one.
        TrainingError: It cannot be built or fitted, or does not fit the task.
        DottedPathError: It cannot be imported.
    """
    from threadpoolctl import threadpool_limits

    settings = contract_settings(estimator, params or {}, task, **training)
    build_pipeline(settings)  # loads the library, whose threads can only then be limited
    with threadpool_limits(limits=1):  # on a busy machine several wait for each other for seconds
        return _checked(settings, max_size_bytes)


def _checked(settings: ModelSettings, max_size_bytes: int) -> EstimatorFacts:
    import skops.io

    estimator, rows = settings.training.estimator, contract_rows(settings.target.task)
    held_out = _fitted_alike(split(rows, settings), settings)
    content, own = skops.io.dumps(held_out.model), own_types(settings.training)
    if unknown := untrusted_types(content, own):
        raise EstimatorContractError(
            f"{estimator} is stored with types that are not loaded: {unknown}; after a look at "
            "their __setstate__ and __reduce__, name them in training.trusted_types"
        )
    if len(content) > max_size_bytes:
        raise EstimatorContractError(
            f"{estimator} is stored in {len(content):,} bytes, more than {max_size_bytes:,}; make "
            "it smaller, or raise max_size_bytes"
        )
    exported = export_checked(held_out, settings.feature_dtypes)
    with tempfile.TemporaryDirectory() as folder:
        _serve(Path(folder), content, exported, held_out, settings)
        if exported.content:  # by its library too, which reproductions and comparisons ask
            by_library = Exported(exported.inference.model_copy(update=_BY_LIBRARY))
            _serve(Path(folder), content, by_library, held_out, settings)
    return EstimatorFacts(exported.inference.runtime, exported.inference.reason, len(content))


_BY_LIBRARY = {"runtime": "scikit-learn", "reason": "asked by the check"}


def contract_settings(
    estimator: str, params: Mapping[str, Any], task: Task, **training: Any
) -> ModelSettings:
    """The model that the check trains: a text and three numbers, whose gaps are filled."""
    columns = {"id": "int64", "at": "datetime", "y": "float64"} | dict.fromkeys(_NUMBERS, "float64")
    columns |= dict.fromkeys(_TEXTS, "string") | ({"y": "string"} if task == "multiclass" else {})
    return ModelSettings.model_validate(
        {
            "name": "contract",
            "source": {"uri": "none.csv"},
            "entity": {"name": "id", "dtype": "int64"},
            "timestamp": "at",
            "contract": {"columns": {n: {"dtype": dtype} for n, dtype in columns.items()}},
            "processing": {"categorical_encoding": {"kind": "one_hot"}},
            "features": {"columns": [*_TEXTS, *_NUMBERS], "ttl": "1d"},
            "target": {"name": "y", "task": task},
            "training": {
                "estimator": estimator,
                "params": dict(params),
                "impute": "median",
                "scale": True,
                "split": {"by": "random", "fraction": 0.25},
                **training,
            },
            "evaluation": {"primary": min(METRICS[task])},
            "deployment": {"port": 8000},
        }
    )


def contract_rows(task: Task) -> pd.DataFrame:
    """`ROWS` rows with gaps, and a target that the features tell something of."""
    random = np.random.default_rng(7)
    frame = pd.DataFrame({name: random.normal(size=ROWS) for name in _NUMBERS})
    frame["kind"] = random.choice(["ant", "bee", "wasp"], ROWS).astype(object)
    value = frame["size"] - 0.5 * frame["weight"] + frame["kind"].eq("ant")
    value += random.normal(size=ROWS) * 0.3
    targets = {
        "binary": (value > value.median()).astype(float),
        "multiclass": pd.qcut(value, 3, labels=["high", "low", "mid"]).astype(str).astype(object),
        "regression": value - value.min() + 1,
    }
    frame.loc[::9, "age"] = np.nan
    frame.loc[::13, "kind"] = None
    start = pd.Timestamp("2024-01-01", tz="UTC")
    moments = start + pd.to_timedelta(np.arange(ROWS), unit="h")
    return frame.assign(**{"id": np.arange(ROWS), TIMESTAMP: moments, "y": targets[task]})


def _fitted_alike(rows: Split, settings: ModelSettings) -> Scored:
    """The held-out rows, scored by a model that a second training repeats to the last bit."""
    first, second = (Scored.of(fit(rows.train, settings), rows.test, settings) for _ in "ab")
    if not np.isfinite(first.scores).all():
        raise EstimatorContractError(
            f"{settings.training.estimator} answers {first.scores.ravel()[:5]}: not a number; "
            "correct it, or training.params"
        )
    if not np.array_equal(first.scores, second.scores):
        raise EstimatorContractError(
            f"{settings.training.estimator} gives other scores when it is trained again on the "
            "same rows; take all randomness from `random_state`"
        )
    return first


def _serve(
    folder: Path, content: bytes, exported: Exported, held_out: Scored, settings: ModelSettings
) -> None:
    """Load the version as a worker does, and ask it each of some rows alone."""
    servable = Servable(
        model_name=settings.name,
        model_version=1,
        task=held_out.task,
        classes=class_names(held_out.model, held_out.task),
        entity=settings.entity,
        features=settings.feature_dtypes,
        sha256=hashlib.sha256(content).hexdigest(),
        own_types=own_types(settings.training),
        inference=exported.inference,
    )
    files = {MODEL_FILE: content, SERVABLE_FILE: servable.model_dump_json().encode()}
    if exported.content:
        files[ONNX_FILE] = exported.content
    for name, written in files.items():
        (folder / name).write_bytes(written)
    loaded = load_servable(folder)
    for request in _asked(held_out):
        loaded.self_check([request])


def _asked(held_out: Scored) -> list[RecordedRequest]:
    features = held_out.features.head(_ASKED)
    plain = features.astype(object).where(features.notna(), None).to_dict("records")
    return [
        RecordedRequest(features=each, scores=tuple(map(float, scores)))
        for each, scores in zip(plain, held_out.scores, strict=False)
    ]
