"""Two versions in one worker, the verdict on what they answered, and a version that is given up."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from mlops_assets.blocks.rollout import RolloutSettings
from mlops_assets.ml.evaluation.canary import objection
from mlops_assets.records.files import LOG_FOLDER, TRIAL_FOLDER
from mlops_assets.records.rollout import WATCHED_FILE, Candidate, Sighting
from mlops_assets.serving.api.rollout import draws, share
from mlops_assets.serving.process.workers import give_up_version
from mlops_assets.serving.version.holder import ABANDONED_SECONDS
from tests.support.served.served_models import DTYPES, Built, build, with_content
from tests.support.served.serving_worker import Worker, features
from tests.unit.serving.test_log_writer import files_end_at


@pytest.fixture
def worker(worker: Worker) -> Worker:
    """Serves version 1, verified."""
    current = worker.folder.current()
    assert current is not None
    worker.folder.mark_verified(current)
    return worker


def put_on_trial(worker: Worker, built: Built, role: str, weight: float) -> int:
    folder = worker.folder.stage(built.servable, built.model_file, built.recorded)
    good = worker.folder.verified()
    assert good is not None
    candidate = Candidate.model_validate(
        {"model_version": 2, "folder": str(folder), "role": role, "weight": weight}
    )
    trial = worker.folder.write_trial(good, candidate)
    worker.holder.reconcile()
    return trial.generation


def seen(worker: Worker, generation: int) -> Sighting:
    worker.holder.report_trial()
    return worker.folder.sightings(generation)


def test_a_canary_answers_its_share_and_each_answer_names_its_version(
    worker: Worker, tmp_path: Path
) -> None:
    second = build(tmp_path, version=2)
    generation = put_on_trial(worker, second, "canary", 0.5)

    bodies = [
        worker.post("/predict_features", features(second.recorded[0].features)).json()
        for _ in range(60)
    ]

    expected = {1: build(tmp_path).recorded[0].scores[0], 2: second.recorded[0].scores[0]}
    assert {body["model_version"] for body in bodies} == {1, 2}
    for body in bodies:
        score = body["predictions"][0]["prediction"]
        assert score == pytest.approx(expected[body["model_version"]], abs=1e-12)
    counted = seen(worker, generation)
    assert counted.candidate.requests == [b["model_version"] for b in bodies].count(2)
    assert counted.primary.requests + counted.candidate.requests == 60


def test_an_entity_stays_with_the_canary_while_its_weight_grows(
    worker: Worker, tmp_path: Path
) -> None:
    second = build(tmp_path, version=2)
    weight = share(1) + 1e-9
    put_on_trial(worker, second, "canary", weight)
    assert {worker.post("/predict", {"entities": [1]}).json()["model_version"] for _ in "abc"} == {
        2
    }
    put_on_trial(worker, second, "canary", (1 + weight) / 2)
    assert worker.post("/predict", {"entities": [1]}).json()["model_version"] == 2
    put_on_trial(worker, second, "canary", weight / 2)
    assert worker.post("/predict", {"entities": [1]}).json()["model_version"] == 1


def test_shares_are_even() -> None:
    below = sum(share(entity) < 0.05 for entity in range(20_000))
    assert 850 < below < 1150  # 1000 expected, standard deviation 31


def test_a_shadow_computes_and_never_answers(worker: Worker, tmp_path: Path) -> None:
    generation = put_on_trial(worker, build(tmp_path, version=2), "shadow", 1.0)

    async def ask() -> None:
        async def receive() -> dict:
            return {"type": "http.request", "body": b'{"entities": [99, 1]}', "more_body": False}

        async def send(message: object) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": []}
        for _ in range(3):
            await worker.app(scope, receive, send)
        await asyncio.sleep(0.3)

    sent: list = []
    asyncio.run(ask())

    assert [b'"model_version":1' in message["body"] for message in sent[1::2]] == [True] * 3
    counted = seen(worker, generation)
    assert (counted.primary.requests, counted.candidate.requests) == (3, 3)
    assert (counted.primary.errors, counted.candidate.errors) == (0, 0)  # 99 is nobody's error
    assert [sum(one.scores.values()) for one in (counted.primary, counted.candidate)] == [3, 3]
    assert set(counted.primary.scores) != set(counted.candidate.scores)


def test_a_candidate_that_cannot_be_loaded_leaves_the_version_beside_it(
    worker: Worker, tmp_path: Path
) -> None:
    put_on_trial(worker, with_content(build(tmp_path), b"no model", 2), "canary", 0.9)

    assert worker.post("/predict", {"entities": [1]}).json()["model_version"] == 1
    assert "damaged" in worker.status()["error"]

    restarted = Worker(worker.folder.path)
    restarted.holder.reconcile()
    assert restarted.post("/predict", {"entities": [1]}).json()["model_version"] == 1


def test_what_a_canary_refuses_is_its_error_and_what_nobody_knows_is_not(
    worker: Worker, tmp_path: Path
) -> None:
    picky = build(tmp_path, version=2, accepts_missing=False)
    generation = put_on_trial(worker, picky, "canary", 1.0)

    assert worker.post("/predict", {"entities": [2]}).status_code == 422  # has a null
    assert worker.post("/predict", {"entities": [99]}).status_code == 404

    counted = seen(worker, generation)
    assert (counted.candidate.requests, counted.candidate.errors) == (1, 1)


def test_a_full_log_is_not_the_canary_s_fault(worker: Worker, tmp_path: Path) -> None:
    generation = put_on_trial(worker, build(tmp_path, version=2), "canary", 1.0)
    assert worker.post("/predict", {"entities": [1]}).status_code == 200
    (file,) = (worker.folder.path / LOG_FOLDER).glob("*.jsonl")
    with files_end_at(file.stat().st_size):
        refused = [worker.post("/predict", {"entities": [1]}).status_code for _ in range(5)]
    assert refused == [507] * 5

    counted = seen(worker, generation)
    assert (counted.candidate.requests, counted.candidate.errors) == (1, 0)
    assert objection(counted, RolloutSettings()) is None


def test_features_of_the_version_that_serves_never_reach_a_candidate_with_others(
    worker: Worker, tmp_path: Path
) -> None:
    other = build(tmp_path, version=2)
    servable = other.servable.model_copy(update={"features": {**DTYPES, "age": "float64"}})
    put_on_trial(worker, Built(servable, other.model_file, ()), "canary", 1.0)
    row = other.recorded[0].features
    assert worker.post("/predict_features", features(row)).json()["model_version"] == 1


def test_a_trial_that_nobody_watches_ends(worker: Worker, tmp_path: Path) -> None:
    put_on_trial(worker, build(tmp_path, version=2), "canary", 1.0)
    worker.holder.end_abandoned_trial()
    assert worker.post("/predict", {"entities": [1]}).json()["model_version"] == 2

    long_ago = time.time() - ABANDONED_SECONDS - 1
    os.utime(worker.folder.path / TRIAL_FOLDER / WATCHED_FILE, (long_ago, long_ago))
    worker.holder.end_abandoned_trial()
    assert worker.post("/predict", {"entities": [1]}).json()["model_version"] == 1


def test_weights_must_grow() -> None:
    with pytest.raises(ValueError, match="weights must grow"):
        RolloutSettings(weights=(0.5, 0.1))


def test_a_version_that_crashes_workers_is_given_up(worker: Worker, tmp_path: Path) -> None:
    assert give_up_version(worker.folder.path) is None, "no version was good before"
    worker.serve(build(tmp_path, version=2))
    second = worker.folder.current()
    assert second is not None
    worker.folder.mark_verified(second)

    assert give_up_version(worker.folder.path) is not None
    worker.holder.reconcile()

    assert worker.post("/predict", {"entities": [1]}).json()["model_version"] == 1
    assert worker.folder.verified() == worker.folder.current(), "`mlops up` brings back the same"


def test_a_candidate_that_crashes_workers_is_taken_away(worker: Worker, tmp_path: Path) -> None:
    put_on_trial(worker, build(tmp_path, version=2), "canary", 0.5)
    renewed = give_up_version(worker.folder.path)
    assert renewed is not None
    assert (renewed.candidate, renewed.model_version) == (None, 1)


def test_old_versions_are_pruned_but_not_what_serves(worker: Worker, tmp_path: Path) -> None:
    for version in range(2, 9):
        built = build(tmp_path, version=version)
        worker.folder.stage(built.servable, built.model_file, built.recorded)
    worker.folder.prune()
    left = {int(path.name) for path in (worker.folder.path / "versions").iterdir()}
    assert left == {1, 4, 5, 6, 7, 8}


def test_an_old_version_that_was_deployed_again_outlives_younger_ones(
    worker: Worker, tmp_path: Path
) -> None:
    """As after a rollback to it: what is numbered higher may have been given up."""
    builds = {version: build(tmp_path, version=version) for version in range(2, 9)}
    for version in (*builds, 2):
        built = builds[version]
        worker.folder.stage(built.servable, built.model_file, built.recorded)
    worker.folder.prune()
    left = {int(path.name) for path in (worker.folder.path / "versions").iterdir()}
    assert left == {1, 2, 5, 6, 7, 8}


@pytest.mark.parametrize("weight", [0.01, 0.2, 0.5])
def test_requests_without_an_entity_are_shared_out_evenly(weight: float) -> None:
    drawn = [number < weight for number, _ in zip(draws(), range(2000), strict=False)]
    for start in range(0, 1800, 50):
        assert abs(sum(drawn[start : start + 200]) - 200 * weight) <= 2
    for row in range(5):
        assert any(drawn[row::5]), "a client that asks five rows in turn meets it with each"
