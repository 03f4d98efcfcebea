"""The key and the moment that rows get where the YAML names no column for them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from mlops_assets.blocks.data import DELIVERED, ROW
from mlops_assets.config import ModelSettings
from mlops_assets.errors import DatasetError
from mlops_assets.ml.data.processing import identified

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ROWS = pd.DataFrame({"id": [7, 3, 7, 7], "amount": [1.0, 2.0, 3.0, 4.0]})


def model(loans: dict[str, Any], *gone: str) -> ModelSettings:
    loans["training"]["split"] = {"by": "random", "fraction": 0.2}
    return ModelSettings.model_validate({k: v for k, v in loans.items() if k not in gone})


def test_with_both_columns_nothing_is_added(loans: dict[str, Any]) -> None:
    assert identified(ROWS, model(loans), None).equals(ROWS)


def test_without_an_entity_the_key_is_the_number_of_the_row(loans: dict[str, Any]) -> None:
    found = identified(ROWS, model(loans, "entity"), None)
    assert found[ROW.name].tolist() == [0, 1, 2, 3]
    assert found.drop(columns=ROW.name).equals(ROWS)


def test_without_both_all_rows_are_of_the_delivery(loans: dict[str, Any]) -> None:
    found = identified(ROWS, model(loans, "entity", "timestamp"), NOON)
    assert found[DELIVERED].tolist() == [NOON] * 4
    assert str(found[DELIVERED].dtype) == "datetime64[ns, UTC]"


def test_of_an_entity_in_a_delivery_the_last_row_is_the_newest(loans: dict[str, Any]) -> None:
    found = identified(ROWS, model(loans, "timestamp"), NOON)
    earlier = [NOON - timedelta(microseconds=number) for number in (2, 0, 1, 0)]
    assert found[DELIVERED].tolist() == earlier


def test_a_version_of_before_deliveries_were_noted_is_refused(loans: dict[str, Any]) -> None:
    with pytest.raises(DatasetError, match="materialize loans/raw_data again"):
        identified(ROWS, model(loans, "timestamp"), None)
