"""What a worker refuses: by which status, and at which place of the request."""

import json
from datetime import timedelta

import pytest

from tests.support.served.served_models import Built
from tests.support.served.serving_worker import Response, Worker, drive, features


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/predict", b"", 400, None),
        ("/predict", b"{", 400, None),
        ("/predict", b"\xff\xfe", 400, None),
        ("/predict", b"[" * 900, 422, "$"),
        ("/predict", b'{"other": ' + b"[" * 900, 422, "$"),
        ("/predict", b"null", 422, "$"),
        ("/predict", {}, 422, "$.entities"),
        ("/predict", {"entities": []}, 422, "$.entities"),
        ("/predict", {"entities": [1] * 6}, 422, "$.entities"),
        ("/predict", {"entities": ["1"]}, 422, "$.entities[0]"),
        ("/predict", {"entities": [1, 1.5]}, 422, "$.entities[1]"),
        ("/predict", {"entities": [None]}, 422, "$.entities[0]"),
        ("/predict", {"entities": [True]}, 422, "$.entities[0]"),
        ("/predict", {"entities": [2**63]}, 422, "$.entities[0]"),
        ("/predict", {"entities": [1], "more": 1}, 422, "$"),
        ("/predict_features", {"rows": []}, 422, "$.rows"),
        ("/predict_features", features({"spend": 1.0}), 422, "$.rows[0].class"),
        ("/predict_features", features({"spend": "1", "class": "x"}), 422, "$.rows[0].spend"),
        ("/predict_features", features({"spend": 1, "class": 2}), 422, "$.rows[0].class"),
        ("/predict_features", features({"spend": 1, "class": "x", "b": 1}), 422, "$.rows[0]"),
        ("/predict_features", b'{"rows":[{"spend":NaN,"class":"x"}]}', 422, "$.rows[0].spend"),
        (
            "/predict_features",
            b'{"rows":[{"spend":-Infinity,"class":"x"}]}',
            422,
            "$.rows[0].spend",
        ),
        ("/predict_features", b'{"rows":[{"spend":1e999,"class":"x"}]}', 422, "$.rows[0].spend"),
        ("/predict_features", b'{"rows":[{"spend":1,"class":"\\ud800"}]}', 422, "$.rows[0].class"),
        ("/predict_features", b'{"rows":[{"spend":1,"c\\ud800":"a"}]}', 422, "$.rows[0]"),
        ("/predict", b'{"entities":[1],"entities":[2]}', 422, "entities"),
        ("/predict_features", b'{"rows":[{"spend":1,"spend":2,"class":"x"}]}', 422, "spend"),
        (
            "/predict_features",
            b'{"rows":[{"spend":1,"class":"x:y","cl\\u0061ss":"z"}]}',
            422,
            "class",
        ),
        ("/predict_features", b" " * 1001, 413, None),
    ],
)
def test_bad_input_is_refused_with_its_place(
    worker: Worker, path: str, body: object, status: int, field: str | None
) -> None:
    response = worker.post(path, body)

    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"code", "message", "details"}
    assert error["message"]
    if field:
        assert [detail["field"] for detail in error["details"]] == [field]


def test_only_a_plain_body_is_read(worker: Worker, built: Built) -> None:
    """One that is said to be compressed is refused, though it may not be."""
    body = json.dumps(features(built.recorded[0].features)).encode()

    def asked(*headers: tuple[bytes, bytes]) -> Response:
        async def receive() -> dict:
            return {"type": "http.request", "body": body}

        return Response(drive(worker.app, "POST", "/predict_features", receive, headers))

    length = (b"content-length", b"%d" % len(body))
    assert asked(length, (b"content-encoding", b"Identity")).status_code == 200
    for how in (b"gzip", b"br, identity"):
        refused = asked(length, (b"content-encoding", how))
        assert refused.status_code == 415
        assert refused.headers["accept-encoding"] == "identity"
        error = refused.json()["error"]
        assert error["code"] == "encoded_body"
        assert error["message"].endswith("is not read here; send plain JSON")


def test_a_long_body_is_refused_while_it_streams(worker: Worker) -> None:
    asked = 0

    async def endless() -> dict:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b" " * 100, "more_body": True}

    response = Response(drive(worker.app, "POST", "/predict", endless))

    assert response.status_code == 413
    assert asked == 11  # the limit is 1000 bytes


def test_a_client_that_leaves_gets_no_answer_and_no_fault(worker: Worker) -> None:
    async def gone() -> dict:
        return {"type": "http.disconnect"}

    assert drive(worker.app, "POST", "/predict", gone) == []


def test_an_entity_without_fresh_features_does_not_refuse_the_others(worker: Worker) -> None:
    response = worker.post("/predict", {"entities": [98, 2, 3, 98, 1]})

    assert response.status_code == 200
    unknown, second, stale, again, first = response.json()["predictions"]
    alone = worker.post("/predict", {"entities": [2, 1]}).json()["predictions"]
    assert [second, first] == alone
    assert unknown == again
    assert (unknown.keys(), unknown["customer_id"]) == ({"customer_id", "error"}, 98)
    assert unknown["error"].pop("message")
    assert unknown["error"] == {"code": "unknown_entity"}
    assert stale["customer_id"] == 3
    assert stale["error"].pop("message")
    assert stale["error"] == {
        "code": "stale_features",
        "age_seconds": timedelta(days=6).total_seconds(),
        "features_as_of": "2024-01-04T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("asked", "status", "code", "details"),
    [
        ([98], 404, "unknown_entity", [(98, "unknown_entity")]),
        ([3], 409, "stale_features", [(3, "stale_features")]),
        ([3, 98, 3], 404, "unknown_entity", [(98, "unknown_entity"), (3, "stale_features")]),
    ],
)
def test_a_request_without_any_answer_is_refused(
    worker: Worker, asked: list[int], status: int, code: str, details: list[tuple[int, str]]
) -> None:
    response = worker.post("/predict", {"entities": asked})

    assert response.status_code == status
    error = response.json()["error"]
    assert error["code"] == code
    assert [(item["entity"], item["code"]) for item in error["details"]] == details
    assert all(item["message"] in error["message"] for item in error["details"])


def test_a_colon_in_a_value_is_no_second_key(worker: Worker) -> None:
    row = features({"spend": 1.0, "class": "10:30"})
    assert worker.post("/predict_features", row).status_code == 200


def test_a_store_that_is_down_is_503(worker: Worker) -> None:
    response = worker.post("/predict", {"entities": [500]})
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "feature_store_unavailable"
