from datetime import timedelta
from pathlib import Path

import pytest

from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.runtime.atomic import write_atomically
from tests.support.served.served_models import AS_OF, VIEW, Built, build, no_online, with_content
from tests.support.served.serving_worker import Worker, features


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


@pytest.fixture
def verified(tmp_path: Path) -> Worker:
    """A worker whose first version passed every check, and whose second is on its way."""
    worker = Worker(tmp_path / "endpoint")
    worker.serve(build(tmp_path))
    good = worker.folder.current()
    assert good is not None
    worker.folder.mark_verified(good)
    worker.serve(build(tmp_path, version=2))
    return worker


def test_a_version_that_serves_is_not_replaced_by_an_older_one(
    verified: Worker, tmp_path: Path
) -> None:
    """The fallback is for a worker that has nothing: this one has what came after it."""
    verified.serve(with_content(build(tmp_path), b"not a model", 3))

    answer = verified.call("GET", "/model").json()
    assert answer["model_version"] == 2
    assert "damaged" in answer["fallback"]
    assert "previous version" not in answer["fallback"]


_DAMAGES = [b"", b"{", b"\0" * 9, b'{"generation": "seven"}', "nö".encode("latin-1")]


@pytest.mark.parametrize("content", _DAMAGES, ids=repr)
def test_a_worker_that_starts_with_a_damaged_manifest_serves_what_last_was_good(
    verified: Worker, content: bytes
) -> None:
    (verified.folder.path / "deployment.json").write_bytes(content)
    started = Worker(verified.folder.path)
    started.holder.reconcile()

    answer = started.call("GET", "/model").json()
    assert answer["model_version"] == 1
    assert "deployment.json is damaged" in answer["fallback"]
    assert len(answer["fallback"].splitlines()) == 1
    assert started.status()["error"] == answer["fallback"]
    ready = started.call("GET", "/readyz")
    assert (ready.status_code, ready.text) == (200, "ready, but not with what is wanted\n")


@pytest.mark.parametrize("content", _DAMAGES, ids=repr)
def test_a_manifest_that_is_damaged_later_leaves_what_serves(
    verified: Worker, content: bytes
) -> None:
    write_atomically(
        verified.folder.path / "deployment.json", lambda file: file.write_bytes(content)
    )
    verified.holder.reconcile()
    answer = verified.call("GET", "/model").json()
    assert answer["model_version"] == 2
    assert "deployment.json is damaged" in answer["fallback"]

    good = verified.folder.verified()
    assert good is not None
    verified.folder.write_again(good)
    verified.holder.reconcile()
    answer = verified.call("GET", "/model").json()
    assert (answer["model_version"], answer["fallback"]) == (1, None)
    assert verified.call("GET", "/readyz").text == "ready\n"


def test_nothing_is_served_where_both_manifests_are_damaged(verified: Worker) -> None:
    for name in ("deployment.json", "verified.json"):
        (verified.folder.path / name).write_bytes(b"{")
    started = Worker(verified.folder.path)
    started.holder.reconcile()
    assert started.call("GET", "/readyz").status_code == 503


def test_a_folder_that_is_moved_serves_the_files_beside_it(
    verified: Worker, tmp_path: Path
) -> None:
    moved = Worker(verified.folder.path.rename(tmp_path / "moved"))
    moved.holder.reconcile()
    assert moved.call("GET", "/model").json()["model_version"] == 2
    manifest = moved.folder.current()
    assert manifest is not None
    assert manifest.folder == str(tmp_path / "moved" / "versions" / "2")
    assert manifest.previous == str(tmp_path / "moved" / "versions" / "1")
