"""Parquet files of one glob whose physical types differ, but agree in meaning."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.errors import SourceError
from mlops_assets.ml.data.contract import Checked, enforce
from mlops_assets.ml.data.reading import read_table
from tests.support.tables.contracts import NOW, contract

SOURCE = SourceSettings(uri="x", format="parquet")
CATEGORY = pa.array(["a", "b"]).dictionary_encode()
MANY = pa.DictionaryArray.from_arrays(pa.array([0, 299], pa.int16()), [f"x{i}" for i in range(300)])


def checked(folder: Path, columns: list[Any], **rule: Any) -> Checked:
    files = []
    for number, column in enumerate(columns):
        file = folder / f"{number}.parquet"
        pq.write_table(pa.table({"n": column}), file)
        files.append(file)
    return enforce(read_table(files, SOURCE, ["n"], "refuse"), contract(n=rule), NOW)


def moment(text: str, unit: str, zone: str | None = None) -> pa.Array:
    return pa.array([pd.Timestamp(text, tz=zone)], pa.timestamp(unit, zone))  # type: ignore[arg-type]


DAY = pd.Timestamp("2016-02-29", tz="UTC")


@pytest.mark.parametrize(
    ("columns", "rule", "values"),
    [
        ([CATEGORY, MANY], {"dtype": "string"}, ["a", "b", "x0", "x299"]),
        ([CATEGORY, pa.array(["c"])], {"dtype": "string"}, ["a", "b", "c"]),
        ([pa.array(["c"], pa.large_string()), CATEGORY], {"dtype": "string"}, ["c", "a", "b"]),
        ([pa.array(["c"]), pa.array(["d"], pa.string_view())], {"dtype": "string"}, ["c", "d"]),
        ([pa.array([10, 20]).dictionary_encode()], {"dtype": "int64"}, [10, 20]),
        ([pa.array([1, 2]), pa.array([3.0, None])], {"dtype": "int64"}, [1, 2, 3, None]),
        ([pa.array([1, 2]), pa.array([3, None], pa.int8())], {"dtype": "int64"}, [1, 2, 3, None]),
        ([pa.array([1, 2]), pa.nulls(2)], {"dtype": "int64"}, [1, 2, None, None]),
        ([pa.nulls(2)], {"dtype": "int64"}, [None, None]),
        ([pa.nulls(1), pa.array(["a"])], {"dtype": "string"}, [None, "a"]),
        ([pa.nulls(1), pa.array([True, None])], {"dtype": "bool"}, [None, 1, None]),
        ([pa.nulls(1)], {"dtype": "datetime"}, [None]),
        ([pa.array([Decimal("1.10"), Decimal("2.25")])], {"dtype": "float64"}, [1.1, 2.25]),
        (
            [pa.array([Decimal("1.10")]), pa.array([Decimal("1.125")]), pa.array([7])],
            {"dtype": "float64"},
            [1.1, 1.125, 7],
        ),
        ([pa.array([Decimal("1.5")]), pa.array([0.25])], {"dtype": "float64"}, [1.5, 0.25]),
        ([pa.array([1.5], pa.float32()), pa.array([0.1])], {"dtype": "float64"}, [1.5, 0.1]),
        ([pa.array([True, None]), pa.array([False])], {"dtype": "bool"}, [1, None, 0]),
        ([pa.array([dt.date(2016, 2, 29)])], {"dtype": "datetime"}, [DAY]),
        (
            [
                pa.array([dt.date(2016, 2, 29)]),
                moment("2016-02-29", "ns"),
                moment("2016-02-29", "s"),
            ],
            {"dtype": "datetime"},
            [DAY] * 3,
        ),
        (
            [moment("2016-02-29", "us", "UTC"), moment("2016-02-29T01:00", "ns", "Europe/Berlin")],
            {"dtype": "datetime"},
            [DAY] * 2,
        ),
        ([pa.array([2016], pa.int16()), pa.array([2016.0, None])], {"format": "%Y"}, ["2016"] * 2),
    ],
)
def test_types_that_mean_the_same_are_one_column(
    tmp_path: Path, columns: list[Any], rule: dict[str, Any], values: list[Any]
):
    found = checked(tmp_path, columns, **{"dtype": "datetime", "nullable": True, **rule})
    assert found.bad.empty
    read = [None if pd.isna(value) else value for value in found.rows["n"]]
    if "format" in rule:
        values = [*(pd.Timestamp(text, tz="UTC") for text in values), None]
    assert read == values


@pytest.mark.parametrize(
    "columns",
    [
        [pa.array([1]), pa.array(["1"])],
        [pa.array([True]), pa.array([1])],
        [moment("2016-02-29", "us"), moment("2016-02-29", "us", "UTC")],
        [pa.array([2**53 + 1]), pa.array([1.5])],
        [moment("9999-12-31", "us"), moment("2016-02-29", "ns")],
    ],
)
def test_types_that_may_mean_another_thing_are_refused(tmp_path: Path, columns: list[Any]):
    with pytest.raises(SourceError, match=r"0\.parquet and its siblings differ in types"):
        checked(tmp_path, columns, dtype="int64")


def test_an_integer_beside_floats_that_hold_it_stays_exact(tmp_path: Path):
    found = checked(tmp_path, [pa.array([2**53 - 1]), pa.array([2.0])], dtype="int64")
    assert found.rows["n"].tolist() == [2**53 - 1, 2]


def test_an_object_is_flattened_one_level(tmp_path: Path):
    user = pa.array([{"age": 30, "name": "A"}, None, {"age": None, "name": "C"}])
    table = pa.table({"id": [1, 2, 3], "user": user, "a.b": [7, 8, 9], "tags": [["x"]] * 3})
    file = tmp_path / "a.parquet"
    pq.write_table(table, file)
    frame = read_table([file], SOURCE, ["user.name", "a.b", "user.age"], "drop")
    assert frame.columns.tolist() == ["user.name", "a.b", "user.age"]
    assert frame["user.name"].tolist() == ["A", None, "C"]
    assert frame["user.age"].tolist() == [30, None, None]
    assert frame["a.b"].tolist() == [7, 8, 9]
    with pytest.raises(SourceError, match=r"\['user.age', 'user.name', 'a.b', 'tags'\] are not in"):
        read_table([file], SOURCE, ["id"], "refuse")


def test_a_loaders_categories_and_decimals_are_read_as_what_they_are(tmp_path: Path):
    frame = pd.DataFrame({"k": pd.Categorical(["a", "b"]), "n": [Decimal("1.50"), np.nan]})
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "a.parquet")
    rows = read_table([tmp_path / "a.parquet"], SOURCE, ["k", "n"], "refuse")
    rules = contract(k={"dtype": "string"}, n={"dtype": "float64", "nullable": True})
    found = enforce(rows, rules, NOW)
    assert found.rows["k"].tolist() == ["a", "b"]
    assert found.rows["n"].tolist()[0] == 1.5
