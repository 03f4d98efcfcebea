"""An endpoint of a model without an entity: it is asked by features, and says so."""

from pathlib import Path

import pytest

from mlops_assets.errors import DeploymentError
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.serving.online.choice import open_online
from tests.support.served.served_models import AS_OF, VIEW, Built, build
from tests.support.served.serving_worker import Worker, features
from tests.unit.serving.test_log_writer import logged

ONLINE = OnlineFeatures(
    store={},
    view=VIEW.model_copy(update={"entity": None}),
    as_of=AS_OF,
    lookup="none",
    lookup_reason="the model has no entity",
)


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Built:
    built = build(tmp_path_factory.mktemp("built"))
    servable = built.servable.model_copy(update={"entity": None})
    return Built(servable, built.model_file, built.recorded)


@pytest.fixture
def worker(tmp_path: Path, keyless: Built) -> Worker:
    worker = Worker(tmp_path / "endpoint", open_online)
    worker.serve(keyless, ONLINE)
    return worker


def test_it_answers_by_features_and_logs_rows_without_an_entity(
    worker: Worker, keyless: Built
) -> None:
    response = worker.post("/predict_features", features(keyless.recorded[0].features))
    (answer,) = response.json()["predictions"]
    assert answer == {"prediction": pytest.approx(keyless.recorded[0].scores[0], abs=1e-9)}
    (line,) = logged(worker)
    assert (line.entity, line.features_as_of, line.source) == (None, None, "request")
    assert line.event_time == AS_OF.timestamp()


def test_asked_by_id_it_says_what_to_send(worker: Worker) -> None:
    response = worker.post("/predict", {"entities": [1]})
    assert response.status_code == 404
    assert response.json()["error"] == {
        "code": "no_entity",
        "message": "toy has no entity, so it cannot be asked by id; send rows of features to "
        "/predict_features",
        "details": [],
    }


def test_its_pages_speak_of_no_entity(worker: Worker) -> None:
    said = worker.call("GET", "/model").json()
    assert (said["entity"], said["features_ttl_seconds"]) == (None, None)
    assert said["online_lookup"] == {"kind": "none", "reason": "the model has no entity"}
    assert "/predict" not in worker.call("GET", "/openapi.json").json()["paths"]
    assert "model_online_features" not in worker.call("GET", "/metrics").text


def test_a_version_with_ids_is_not_served_without_their_features(worker: Worker) -> None:
    servable = build(worker.folder.path.parent / "old").servable
    with pytest.raises(DeploymentError, match=r"version 1 is asked by `customer_id`.*restore"):
        worker.folder.online(servable)
