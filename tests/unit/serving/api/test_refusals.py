"""What a client is told of the entities and rows that are refused."""

import pytest

from mlops_assets.serving.online.lookup import OnlineRows
from mlops_assets.serving.wire.http import RequestError
from mlops_assets.serving.wire.refusals import nulls, refusals, require_some_answered


def test_a_long_id_does_not_come_back_whole() -> None:
    long = "x" * 900_000
    with pytest.raises(RequestError) as refused:
        require_some_answered([long], refusals(OnlineRows(unknown=[long])))
    assert len(str(refused.value.body)) < 2_000
    assert refused.value.body["error"]["details"][0]["entity"].startswith("xxx")


def test_a_null_is_told_where_the_client_asked() -> None:
    rows = {2: {"spend": None, "age": 1.0}, 7: {"spend": None, "age": None}}
    assert nulls(rows, "entities") == [
        {"field": "age", "message": "is null in entities[7]"},
        {"field": "spend", "message": "is null in entities[2], entities[7]"},
    ]
