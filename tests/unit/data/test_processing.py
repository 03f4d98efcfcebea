from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from mlops_assets.blocks.data import ProcessingSettings
from mlops_assets.errors import ContractError
from mlops_assets.ml.data.processing import process


@pytest.fixture
def rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "i": [1, 2, 1],
            "f": [0.5, np.nan, 0.5],
            "b": [True, False, True],
            "s": ["a", None, "a"],
            "t": pd.to_datetime(["2019-01-01", None, "2019-01-01"], utc=True),
        }
    )


def run(rows: pd.DataFrame, **settings: Any) -> pd.DataFrame:
    return process(rows, ProcessingSettings.model_validate(settings))


def test_empty_settings_change_nothing(rows: pd.DataFrame):
    result = run(rows)
    pd.testing.assert_frame_equal(result, rows)
    assert result is not rows


def test_columns_then_duplicates_then_gaps(rows: pd.DataFrame):
    before = rows.copy(deep=True)
    result = run(rows, drop_columns=["i", "b"], drop_duplicates=True, fill_na={"f": 2, "s": "z"})
    assert list(result.columns) == ["f", "s", "t"]
    assert result["f"].tolist() == [0.5, 2.0]
    assert result["s"].tolist() == ["a", "z"]
    assert result.index.tolist() == [0, 1]
    pd.testing.assert_frame_equal(rows, before)


def test_filling_keeps_every_type(rows: pd.DataFrame):
    fill = {"i": 0, "f": 1.5, "b": False, "s": "z", "t": "2018-12-31T19:00:00-05:00"}
    result = run(rows, fill_na=fill)
    pd.testing.assert_series_equal(result.dtypes, rows.dtypes)
    assert result["t"][1] == pd.Timestamp("2019-01-01", tz="UTC")
    assert result.notna().all(axis=None)


def test_encodings_are_left_to_the_model(rows: pd.DataFrame):
    pd.testing.assert_frame_equal(run(rows, categorical_encoding=["s"]), rows)


@pytest.mark.parametrize(
    ("column", "value", "remedy"),
    [
        ("i", 1.5, "whole number"),
        ("i", "x", "whole number"),
        ("f", "x", "finite number"),
        ("b", 1, "true or false"),
        ("s", 1, "quotes"),
        ("t", "2019-01-01", "offset"),
        ("t", "soon", "offset"),
        ("t", "NaT", "offset"),
        ("t", 5, "offset"),
    ],
)
def test_a_fill_value_must_fit(rows: pd.DataFrame, column: str, value: Any, remedy: str):
    with pytest.raises(ContractError) as caught:
        run(rows, fill_na={column: value})
    for word in (f"fill_na.{column}", repr(value), remedy):
        assert word in str(caught.value)


def test_infinity_fills_nothing(rows: pd.DataFrame):
    with pytest.raises(ValidationError, match="finite number"):
        run(rows, fill_na={"f": float("inf")})


@pytest.mark.parametrize("settings", [{"drop_columns": ["gone"]}, {"fill_na": {"gone": 1}}])
def test_an_unknown_column_is_refused(rows: pd.DataFrame, settings: dict[str, Any]):
    with pytest.raises(ContractError, match=r"\['gone'\] not among .*correct the spelling"):
        run(rows, **settings)


def test_what_fills_the_gaps_of_booleans_leaves_numbers():
    rows = pd.DataFrame({"paid": [1.0, np.nan, 0.0]})  # as the contract leaves nullable booleans
    filled = process(rows, ProcessingSettings(fill_na={"paid": True}))["paid"]
    assert (filled.dtype, filled.tolist()) == (np.dtype("float64"), [1.0, 1.0, 0.0])
