from datetime import timedelta
from pathlib import Path

import pytest

from mlops_assets.records.serving import OnlineFeatures
from tests.served_models import AS_OF, VIEW, Built, build, no_online, with_content
from tests.serving_worker import Worker, features


def test_a_new_version_is_taken_up(worker: Worker, tmp_path: Path) -> None:
    second = build(tmp_path, version=2)
    worker.serve(second)

    response = worker.post("/predict_features", features(second.recorded[0].features))

    assert response.json()["model_version"] == 2
    assert worker.status() == {"generation": 2, "model_version": 2, "error": None}


def test_a_damaged_version_leaves_the_old_one(worker: Worker, built: Built) -> None:
    worker.serve(with_content(built, b"not a model", 2))

    assert worker.call("GET", "/model").json()["model_version"] == 1
    status = worker.status()
    assert status["model_version"] == 1
    assert "the model file is damaged or no skops file" in status["error"]


@pytest.mark.parametrize(("onnx", "off"), [(True, 2e-6), (False, 1e-8)])
def test_another_answer_than_recorded_leaves_the_old_one(
    worker: Worker, tmp_path: Path, onnx: bool, off: float
) -> None:
    built = build(tmp_path, version=2, onnx=onnx)
    wrong = built.recorded[0].model_copy(update={"scores": (built.recorded[0].scores[0] + off,)})
    worker.serve(Built(built.servable, built.model_file, (wrong, *built.recorded[1:])))

    assert worker.call("GET", "/model").json()["model_version"] == 1
    assert f"differs from its recorded scores by {off:.3g}" in worker.status()["error"]


def test_a_new_as_of_is_taken_up_without_loading_the_model(worker: Worker, built: Built) -> None:
    assert worker.holder.active is not None
    model = worker.holder.active.model
    worker.serve(built, no_online(AS_OF - timedelta(days=1)))

    assert worker.post("/predict", {"entities": [3]}).status_code == 200
    assert worker.holder.active.model is model


def test_a_broken_store_leaves_the_old_one(worker: Worker, tmp_path: Path) -> None:
    broken = OnlineFeatures(store={"broken": True}, view=VIEW, as_of=AS_OF)
    worker.serve(build(tmp_path, version=2), broken)

    assert worker.post("/predict", {"entities": [1]}).json()["model_version"] == 1
    assert "no such store" in worker.status()["error"]


def test_a_worker_that_starts_falls_back_to_the_previous_version(tmp_path: Path) -> None:
    before = Worker(tmp_path / "endpoint")
    good = build(tmp_path)
    before.serve(good)
    current = before.folder.current()
    assert current is not None
    before.folder.mark_verified(current)
    before.serve(with_content(good, b"not a model", 2))

    started = Worker(tmp_path / "endpoint")
    started.holder.reconcile()

    assert started.call("GET", "/model").json()["model_version"] == 1
    assert started.status()["error"].endswith("Serving the previous version.")
