"""An entity of few ids is a feature too: a column of its own, from the same one of the source."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.ml.data.contract import enforce
from mlops_assets.scoring.table import Frame
from tests.unit.init.tables import ROWS, sound

DAYS = pd.date_range("2024-01-01", periods=ROWS, freq="6h").astype(str)


def of_shops(count: int) -> dict[str, Any]:
    return sound(**{"Shop Id": np.arange(ROWS) % count + 100, "at": DAYS})


def test_rule_entity_category(infer: Any) -> None:
    drafted = infer(of_shops(4), entity="Shop Id").attributes
    column = {"from": "Shop Id", "dtype": "int64"}
    assert drafted["contract"]["columns"]["shop_id"] == column
    assert drafted["contract"]["columns"]["shop_id_category"] == column
    assert "shop_id_category" in drafted["features"]["columns"]
    assert drafted["processing"]["categorical_encoding"]["shop_id_category"] == "one_hot"


@pytest.mark.parametrize(
    "table",
    [of_shops(ROWS // 10), of_shops(1), {k: v for k, v in of_shops(4).items() if k != "at"}],
)
def test_rule_entity_category_not_of_many_of_one_or_without_a_time(
    infer: Any, table: dict[str, Any]
) -> None:
    drafted = infer(table, entity="Shop Id").attributes
    assert "shop_id_category" not in drafted["contract"]["columns"]


def test_a_table_is_checked_and_scored_by_either_name_of_such_a_column(infer: Any) -> None:
    drafted = infer(of_shops(4), entity="Shop Id").attributes
    drafted["evaluation"] = {"primary": "brier"}
    settings = ModelSettings.model_validate(
        {"name": "shops", "deployment": {"port": 8200}, "schedule": {}, **drafted}
    )
    now = datetime(2026, 1, 1, tzinfo=UTC)
    source = pd.DataFrame(of_shops(4))[[*settings.contract.read_columns]]
    good = enforce(source, settings.contract, now).rows
    assert (
        good["shop_id"].tolist() == good["shop_id_category"].tolist() == source["Shop Id"].tolist()
    )

    by_our_names = good.drop(columns=[settings.target_column])
    for given in (source, by_our_names, by_our_names.drop(columns="shop_id_category")):
        (batch,) = Frame(given, settings, now).batches()
        assert len(batch.asked.features["shop_id_category"]) == len(source), batch.bad
    assert settings.titles == {"shop_id": "Shop Id"}
