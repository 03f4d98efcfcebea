"""A worker serves boosters by their own libraries, and an ONNX version without any of them."""

import hashlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mlops_assets.ml.frames import feature_frame
from mlops_assets.ml.inference.scoring import score
from mlops_assets.records.serving import Inference, RecordedRequest
from resources.deployment import EndpointTargets
from resources.endpoints.process import EndpointProcess
from tests.support.served.live_endpoints import Subject, publish
from tests.support.served.served_models import DTYPES, Built, build, fit, rows
from tests.worlds.effort import few_in_the_gate

pytestmark = pytest.mark.e2e

LIBRARIES = ("xgboost", "lightgbm", "catboost", "sklearn")


def estimator(library: str) -> Any:
    if library == "xgboost":
        from xgboost import XGBClassifier

        return XGBClassifier(n_estimators=5, random_state=0)
    if library == "lightgbm":
        from lightgbm import LGBMClassifier

        return LGBMClassifier(n_estimators=5, min_child_samples=5, verbose=-1)
    from catboost import CatBoostClassifier

    return CatBoostClassifier(iterations=5, verbose=False, allow_writing_files=False)


def boosted(folder: Path, library: str, version: int) -> Built:
    """A version of which, as of one whose graph differs, only the library can answer."""
    import skops.io

    pipeline = fit("binary", 1)
    pipeline.steps[-1] = ("model", estimator(library))
    frame = feature_frame(rows(), DTYPES)
    pipeline.fit(frame, (frame["spend"] > 0).astype(int))
    file = folder / f"toy-{version}.skops"
    skops.io.dump(pipeline, file)
    asked = rows(7)
    scores = score(pipeline, feature_frame(asked, DTYPES), "binary")
    recorded = tuple(
        RecordedRequest(features=features, scores=tuple(map(float, values)))
        for features, values in zip(asked, scores, strict=True)
    )
    update = {
        "model_version": version,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "inference": Inference(reason="the test says so"),
    }
    servable = build(folder / "plain").servable.model_copy(update=update)
    return Built(servable, file, recorded)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Generator[Subject]:
    folder = tmp_path_factory.mktemp("boosters")
    deployer = EndpointTargets(root=str(folder / "endpoints"))
    versions = {1: build(folder, version=1)} | {
        number: boosted(folder, library, number) for number, library in enumerate(LIBRARIES[:3], 2)
    }
    subject = Subject(deployer, versions, publish(folder))
    yield subject
    deployer.stop("toy")


@pytest.mark.parametrize("version", few_in_the_gate([1, 2, 3, 4], 1, 4))
def test_each_is_swapped_in_and_answers_as_offline(subject: Subject, version: int) -> None:
    endpoint = subject.deploy(version)
    assert (endpoint.model_version, endpoint.fallback) == (version, None)
    for number in range(7):
        features, expected = subject.recorded(version, number)
        (answer,) = subject.deployer.predict_features("toy", [features])
        assert answer["prediction"] == pytest.approx(expected, abs=1e-6)

    process = EndpointProcess(Path(subject.deployer.root, "toy").resolve())
    (pid,) = process.workers()
    loaded = {one.path for one in psutil.Process(pid).memory_maps()}
    found = {name for name in LIBRARIES if any(f"/{name}/" in path for path in loaded)}
    assert found == set() if version == 1 else found >= {LIBRARIES[version - 2], "sklearn"}
