"""Numbers made of datetimes, by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.blocks.features import DatePart
from mlops_assets.config import ModelSettings
from mlops_assets.errors import FeatureError
from mlops_assets.ml.data.contract import enforce
from mlops_assets.ml.features.build import flat_features
from tests.support.tables.contracts import NOW

BORN = ["2019-12-31T23:30:00", None, "1700-01-01", "2019-03-10T00:00:00.000001"]
PARTS: list[DatePart] = ["age_days", "month", "weekday", "hour", "dayofyear", "year"]


def settings(loans: dict[str, Any], zone: str = "UTC") -> ModelSettings:
    columns = loans["contract"]["columns"]
    columns["born"] = {"dtype": "datetime", "nullable": True, "timezone": zone}
    dates = {part: {"column": "born", "part": part} for part in PARTS}
    loans["features"] |= {"columns": ["amount"], "dates": dates}
    loans["processing"] = {}
    return ModelSettings.model_validate(loans)


def features(model: ModelSettings) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "id": range(4),
            "time": "2019-12-31T23:30",
            "amount": 1.0,
            "grade": "a",
            "label": 1,
            "born": BORN,
        }
    )
    checked = enforce(frame, model.contract, NOW)
    assert checked.bad.empty
    return flat_features(checked.rows.sort_index(ascending=False), model)[::-1]


def test_an_age_is_of_the_rows_moment_and_the_clock_is_utc(loans: dict[str, Any]) -> None:
    model = settings(loans)
    found = features(model)

    assert list(found.columns) == ["id", "event_timestamp", "amount", *PARTS]
    assert set(found[PARTS].dtypes.astype(str)) == {"float64"}
    assert found["id"].tolist() == [0, 1, 2, 3]
    ages = [0, np.nan, 116876 + 23.5 / 24, 296 + 23.5 / 24 - 1e-6 / 86400]
    assert found["age_days"].tolist() == pytest.approx(ages, abs=1e-11, nan_ok=True)
    assert found["month"].tolist()[::2] == [12, 1]
    assert found["weekday"].tolist()[::3] == [1, 6]  # a Tuesday, a Sunday
    assert found["hour"].tolist()[::3] == [23, 0]
    assert found["dayofyear"].tolist()[::2] == [365, 1]
    assert found["year"].tolist()[::2] == [2019, 1700]
    assert found.loc[found["id"] == 1, PARTS].isna().all(axis=None)


def test_a_day_of_the_column_is_its_day_in_its_own_zone(loans: dict[str, Any]) -> None:
    """Midnight in Berlin is the day before in UTC."""
    found = features(settings(loans, "Europe/Berlin"))
    assert found["dayofyear"].tolist()[3] == 69
    assert found["year"].tolist()[::2] == [2019, 1700]
    assert found["hour"].tolist()[::3] == [23, 0]
    assert found["age_days"].tolist()[0] == pytest.approx(1 / 24)


def test_a_date_that_processing_dropped_is_named(loans: dict[str, Any]) -> None:
    model = settings(loans)
    rows = pd.DataFrame({"id": [1], "time": pd.to_datetime(["2019-01-01"], utc=True)})
    with pytest.raises(FeatureError, match=r"no columns \['born'"):
        flat_features(rows.assign(amount=1.0), model)
