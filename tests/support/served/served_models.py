"""Tiny fitted models as a registry would hand them over, with their recorded requests."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import Task
from mlops_assets.blocks.data import EntitySettings
from mlops_assets.ml.export.parity import Exported, export_checked
from mlops_assets.ml.frames import feature_frame
from mlops_assets.ml.inference.categories import seen_categories
from mlops_assets.ml.inference.scoring import Scored, score
from mlops_assets.records.data import FeatureView
from mlops_assets.records.serving import Inference, OnlineFeatures, RecordedRequest, Servable

ENTITY = EntitySettings(name="customer_id", dtype="int64")
DTYPES: dict[str, Literal["float64", "string"]] = {
    "spend": "float64",
    "class": "string",
}  # one name is a Python keyword on purpose
AS_OF = datetime(2024, 1, 10, tzinfo=UTC)
VIEW = FeatureView(name="toy", entity=ENTITY, features=DTYPES, ttl=timedelta(days=5))

ONLINE = [
    (1, AS_OF, 0.5, "x"),
    (2, AS_OF - timedelta(days=4), np.nan, "y"),
    (3, AS_OF - timedelta(days=6), 1.0, "x"),
]
"""Entity, time, features: fresh, fresh with a null, stale."""


@dataclass(frozen=True)
class Built:
    """What `EndpointDeployer.deploy` takes."""

    servable: Servable
    model_file: Path
    recorded: tuple[RecordedRequest, ...]


def rows(count: int = 40) -> list[dict[str, float | str | None]]:
    random = np.random.default_rng(0)
    spends, classes = random.normal(size=count), random.choice(["x", "y", "z"], size=count)
    return [
        {"spend": float(spend), "class": str(name)}
        for spend, name in zip(spends, classes, strict=True)
    ]


def fit(task: Task, seed: int, *, accepts_missing: bool = True):
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = feature_frame(rows(), DTYPES)
    noise = np.random.default_rng(seed).normal(size=len(frame))
    value = frame["spend"].to_numpy() + noise
    labels = {"binary": (value > 0).astype(int), "multiclass": pd.cut(value, 3).codes}
    encode = ColumnTransformer(
        [("class", OneHotEncoder(sparse_output=False, handle_unknown="ignore"), ["class"])],
        remainder="passthrough",
    )
    if task == "regression":
        return make_pipeline(encode, HistGradientBoostingRegressor(max_iter=3)).fit(frame, value)
    classifier = HistGradientBoostingClassifier(max_iter=3)
    if not accepts_missing:
        classifier = LogisticRegression()
    return make_pipeline(encode, classifier).fit(frame, labels[task])


def build(
    folder: Path,
    *,
    version: int = 1,
    task: Task = "binary",
    name: str = "toy",
    accepts_missing: bool = True,
    onnx: bool = True,
) -> Built:
    """Fit, export, save and record; another version is another model."""
    import skops.io

    folder.mkdir(parents=True, exist_ok=True)
    model = fit(task, version, accepts_missing=accepts_missing)
    file = folder / f"{name}-{version}.skops"
    skops.io.dump(model, file)
    exported = Exported(Inference(reason="the test says so"))
    if onnx:
        exported = export_checked(Scored(model, feature_frame(rows(), DTYPES), task), DTYPES)
    if exported.content:
        file.with_suffix(".onnx").write_bytes(exported.content)
    asked = rows(7)
    if accepts_missing:
        asked.append({"spend": None, "class": None})
    scores = score(model, feature_frame(asked, DTYPES), task)
    recorded = [
        RecordedRequest(features=features, scores=tuple(float(value) for value in values))
        for features, values in zip(asked, scores, strict=True)
    ]
    servable = Servable(
        model_name=name,
        model_version=version,
        task=task,
        classes=("low", "middle", "high") if task == "multiclass" else (),
        entity=ENTITY,
        features=DTYPES,
        categories=seen_categories(model),
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        inference=exported.inference,
    )
    return Built(servable, file, tuple(recorded))


def with_content(built: Built, content: bytes, version: int) -> Built:
    """The same with another model file, registered under its true checksum, for scikit-learn."""
    file = built.model_file.with_name(f"other-{version}.skops")
    file.write_bytes(content)
    update = {
        "model_version": version,
        "sha256": hashlib.sha256(content).hexdigest(),
        "inference": Inference(reason="the test says so"),
    }
    return Built(built.servable.model_copy(update=update), file, built.recorded)


def online_frame() -> pd.DataFrame:
    names = ("customer_id", "event_timestamp", *DTYPES)
    frame = pd.DataFrame([dict(zip(names, row, strict=True)) for row in ONLINE])
    frame["event_timestamp"] = pd.to_datetime(frame["event_timestamp"], utc=True)
    return frame


def no_online(as_of: datetime | None = AS_OF) -> OnlineFeatures:
    """For tests that bring their own lookup."""
    return OnlineFeatures(store={}, view=VIEW, as_of=as_of)
