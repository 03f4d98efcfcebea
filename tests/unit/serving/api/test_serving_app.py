import math
from pathlib import Path

import numpy as np
import pytest

from tests.support.served.served_models import Built, build, no_online
from tests.support.served.serving_worker import Worker, features


def test_features_get_the_recorded_probabilities(worker: Worker, built: Built) -> None:
    recorded = built.recorded[:5]

    response = worker.post("/predict_features", {"rows": [one.features for one in recorded]})

    assert response.status_code == 200
    body = response.json()
    assert (body["model_name"], body["model_version"]) == ("toy", 1)
    assert len(body["request_id"]) == 32
    got = [prediction["prediction"] for prediction in body["predictions"]]
    assert got == pytest.approx([one.scores[0] for one in recorded], abs=1e-12)


def test_entities_get_their_id_and_the_age_of_their_features(worker: Worker) -> None:
    response = worker.post("/predict", {"entities": [2, 1, 2]})

    assert response.status_code == 200
    second, first, again = response.json()["predictions"]
    assert second == again
    assert (second["customer_id"], first["customer_id"]) == (2, 1)
    assert second["features_as_of"] == "2024-01-06T00:00:00Z"
    by_features = worker.post("/predict_features", features({"spend": None, "class": "y"}))
    assert second["prediction"] == by_features.json()["predictions"][0]["prediction"]


def test_a_multiclass_answer_is_a_label_and_its_probabilities(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "endpoint")
    built = build(tmp_path, task="multiclass")
    worker.serve(built)

    response = worker.post("/predict_features", features(built.recorded[0].features))

    (prediction,) = response.json()["predictions"]
    expected = dict(zip(("low", "middle", "high"), built.recorded[0].scores, strict=True))
    assert prediction["probabilities"] == pytest.approx(expected)
    assert prediction["prediction"] == max(expected, key=lambda label: expected[label])


def test_a_regression_answer_is_the_value(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "endpoint")
    built = build(tmp_path, task="regression")
    worker.serve(built)

    response = worker.post("/predict_features", features(built.recorded[0].features))

    (answer,) = response.json()["predictions"]
    assert answer == pytest.approx({"prediction": built.recorded[0].scores[0]}, abs=1e-9)


@pytest.mark.parametrize("onnx", [True, False])
def test_a_model_that_cannot_take_a_missing_value_refuses_it(tmp_path: Path, onnx: bool) -> None:
    worker = Worker(tmp_path / "endpoint")
    worker.serve(build(tmp_path, accepts_missing=False, onnx=onnx))

    whole = {"spend": 1.0, "class": "x"}
    missing = whole | {"spend": None}
    response = worker.post("/predict_features", features(whole, *[missing] * 4))

    assert response.status_code == 422
    error = response.json()["error"]
    assert error["code"] == "features_refused"
    said = "is null in rows[1], rows[2], rows[3] and 1 more"
    assert error["details"] == [{"field": "spend", "message": said}]


def test_extreme_values_and_new_categories_are_no_fault(worker: Worker) -> None:
    for row in ({"spend": 1.7e308, "class": "x"}, {"spend": -0.0, "class": "never seen \0"}):
        response = worker.post("/predict_features", features(row))
        assert response.status_code == 200
        assert math.isfinite(response.json()["predictions"][0]["prediction"])


def test_the_model_says_how_features_are_found(tmp_path: Path, built: Built) -> None:
    worker = Worker(tmp_path / "endpoint")
    chosen = {"lookup": "direct", "lookup_reason": "equal to Feast's SDK for 3 entities"}
    worker.serve(built, no_online().model_copy(update=chosen))
    found = worker.call("GET", "/model").json()["online_lookup"]
    assert found == {"kind": "direct", "reason": "equal to Feast's SDK for 3 entities"}


def test_paths_and_methods(worker: Worker) -> None:
    assert worker.call("GET", "/nothing").status_code == 404
    wrong = worker.call("GET", "/predict")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    wrong = worker.post("/model", {})
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD")
    asked = {path: worker.call("HEAD", path).status_code for path in ("/livez", "/", "/predict")}
    assert asked == {"/livez": 200, "/": 200, "/predict": 405}


def test_without_a_model_the_answer_is_503(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    for path in ("/predict", "/predict_features"):
        assert worker.post(path, {"entities": [1]}).status_code == 503
    assert worker.call("GET", "/model").status_code == 503
    assert worker.call("GET", "/metrics").status_code == 200


def test_predictions_are_counted_by_version_and_refusals_by_reason(worker: Worker) -> None:
    series = (
        'model_predictions_total{model_name="toy",version="1"}',
        'model_entities_refused_total{model_name="toy",reason="unknown_entity"}',
        'model_entities_refused_total{model_name="toy",reason="stale_features"}',
    )

    def counts() -> np.ndarray:
        lines = worker.call("GET", "/metrics").text.splitlines()
        known = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return np.array([float(known.get(name, 0)) for name in series])

    before = counts()
    worker.post("/predict", {"entities": [1, 99, 2, 3, 99]})
    worker.post("/predict", {"entities": [99]})
    assert (counts() - before).tolist() == [2, 3, 1]
    assert "model_prediction_latency_seconds_bucket" in worker.call("GET", "/metrics").text


def test_a_category_that_training_never_saw_is_answered_named_and_counted(worker: Worker) -> None:
    series = 'model_unseen_categories_total{model_name="toy",feature="class"}'
    other = 'model_unseen_categories_total{feature="class",model_name="toy"}'

    def count() -> float:
        lines = worker.call("GET", "/metrics").text.splitlines()
        (found,) = [line for line in lines if line.startswith((series, other))]
        return float(found.rsplit(" ", 1)[1])

    before = count()
    rows = [{"spend": 0.5, "class": name} for name in ("x", "new", None)]
    response = worker.post("/predict_features", {"rows": rows})
    known, new, missing = response.json()["predictions"]
    assert known.keys() == missing.keys() == {"prediction"}
    assert new["unseen_categories"] == ["class"]
    assert 0 < new["prediction"] < 1
    assert count() - before == 1
    assert "categories" not in worker.call("GET", "/model").json()


def test_openapi_describes_the_live_model(worker: Worker) -> None:
    document = worker.call("GET", "/openapi.json").json()
    assert set(document["paths"]) == {
        "/predict", "/predict_features", "/model", "/metrics", "/openapi.json", "/livez", "/readyz",
        "/docs", "/",
    }  # fmt: skip
    content = document["paths"]["/predict_features"]["post"]["requestBody"]["content"]
    rows = content["application/json"]["schema"]["properties"]["rows"]
    assert rows["maxItems"] == 5
    assert rows["items"]["properties"] == {
        "spend": {"type": ["number", "null"]}, "class": {"type": ["string", "null"]},
    }  # fmt: skip
    assert rows["items"]["required"] == ["spend", "class"]
    answers = document["paths"]["/predict_features"]["post"]["responses"]["200"]["content"]
    one = answers["application/json"]["schema"]["properties"]["predictions"]["items"]
    assert one["required"] == ["prediction"]
    assert one["properties"]["unseen_categories"]["items"]["enum"] == ["class"]


def test_scores_of_many_rows_equal_those_of_single_rows(worker: Worker, built: Built) -> None:
    recorded = built.recorded[:5]
    rows = [one.features for one in recorded]
    together = worker.post("/predict_features", {"rows": rows}).json()["predictions"]
    alone = [worker.post("/predict_features", features(row)).json() for row in rows]
    assert np.allclose(
        [one["prediction"] for one in together],
        [one["predictions"][0]["prediction"] for one in alone],
        atol=1e-12,
    )
