"""What a value becomes by its column's type, and which values cannot."""

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.ml.data.contract import enforce, violations
from tests.support.tables.contracts import NOW, check, contract, kept, reasons


def test_text_becomes_what_the_contract_says():
    frame = pd.DataFrame(
        {"i": ["007"], "f": ["-1.5e3"], "b": ["true"], "s": ["007"], "t": ["2019-01-02"]}
    )
    dtypes = {"i": "int64", "f": "float64", "b": "bool", "s": "string", "t": "datetime"}
    rows, bad = enforce(frame, contract(**{n: {"dtype": d} for n, d in dtypes.items()}), NOW)
    assert [str(dtype) for dtype in rows.dtypes] == [
        "int64", "float64", "bool", "object", "datetime64[ns, UTC]",
    ]  # fmt: skip
    assert rows.iloc[0].tolist() == [7, -1500.0, True, "007", pd.Timestamp("2019-01-02", tz="UTC")]
    assert list(bad.columns) == [*dtypes, "row", "reason"]
    assert bad.empty


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        (
            "int64",
            ["0", "-5", "00012", "9223372036854775807", "-9223372036854775808", "0" * 30 + "1",
             "4.0", "-4.000", "9007199254740991.0"],
            ["1.5", "1.", ".0", "1.0.0", "abc", "", " 1", "+1", "1e3", "0x1F", "1_000", "٣",
             "9223372036854775808", "-9223372036854775809", "9" * 5000, "9007199254740992.0"],
        ),
        (
            "float64",
            ["0", "-1.5", "+2", ".5", "5.", "1e-3", "1E+5"],
            ["", "abc", "inf", "-Infinity", "nan", "NaN", "1e999", "1,5", "0x1p3", "1_0", "."],
        ),
        (
            "bool",
            ["true", "false", "1", "0", "True", "FALSE", "yes", "No", "Y", "n", "t", "F", "ON",
             "off", "1.0", "0.0"],
            ["", "2", "ja", "yess", " yes", "1.5", "-1", "00"],
        ),
        ("string", ["", "nan", "x; y: z", "é"], []),
        (
            "datetime",
            ["2019-12-31", "2019-12-31T23:59", "2019-12-31 23:59:59.123456789", "1678-01-01"],
            ["", "2019-02-30", "31.12.2019", "2019", "20191231", "9999-12-31", "1500-01-01",
             "2019-12-31T25:00", "2019-12-31T12", "yesterday", "2019-1-1"],
        ),
    ],
)  # fmt: skip
def test_strict_casts_of_text(dtype: str, good: list[str], bad: list[str]):
    checked = check([*good, *bad], dtype=dtype)
    assert len(checked.rows) == len(good)
    assert checked.bad["x"].tolist() == bad
    assert checked.bad["row"].tolist() == list(range(len(good), len(good) + len(bad)))
    for value, reason in zip(bad, reasons(checked), strict=True):
        assert reason.startswith("x.dtype: '")
        assert value[:50] in reason


def test_values_of_text_are_exact():
    big = ["9223372036854775807", "-9223372036854775808", "0" * 30 + "1"]
    assert kept(check(big, dtype="int64")) == [2**63 - 1, -(2**63), 1]
    assert kept(check(["0.1", "5."], dtype="float64")) == [0.1, 5.0]
    assert kept(check(["true", "0", "1", "FALSE"], dtype="bool")) == [True, False, True, False]


@pytest.mark.parametrize(
    ("dtype", "values", "good"),
    [
        ("int64", np.array([1, 2], "int8"), [1, 2]),
        ("int64", np.array([1, 2**63], "uint64"), [1]),
        ("int64", [1.0, 1.5, np.inf, 2.0**63, -(2.0**53 - 1)], [1, -(2**53 - 1)]),
        ("int64", [True, False], []),
        ("int64", pd.array([1, 2], "Int64"), [1, 2]),
        ("int64", pd.array([2**53 + 1], "Int64"), [2**53 + 1]),
        ("int64", pd.Series([1.0, 2.5], dtype=object), [1]),
        ("int64", pd.Series([1, "2", 2**70, True], dtype=object), [1, 2]),
        ("float64", [1.5, np.inf, -np.inf], [1.5]),
        ("float64", np.array([1, 2], "int32"), [1.0, 2.0]),
        ("float64", [True], []),
        ("float64", pd.Series([Decimal("1.5"), 2], dtype=object), [1.5, 2.0]),
        ("bool", [True, False], [True, False]),
        ("bool", [1, 0, 2], [True, False]),
        ("bool", [1.0, 0.5], [True]),
        ("bool", pd.array([True, False], "boolean"), [True, False]),
        ("bool", pd.to_datetime(["2019-01-01"]), []),
        ("string", [1, 2], []),
        ("string", pd.Series(["a", 1], dtype=object), ["a"]),
        ("string", pd.Categorical(["a", "b"]), ["a", "b"]),
        ("string", pd.array(["a"], "string"), ["a"]),
        ("datetime", [20190101], []),
    ],
)
def test_typed_columns_are_checked_as_they_are(dtype: str, values: Any, good: list[Any]):
    checked = check(values, dtype=dtype)
    assert kept(checked) == good
    assert len(checked.bad) == len(values) - len(good)
    assert set(violations(checked)) <= {"x.dtype"}


@pytest.mark.parametrize(
    ("values", "column", "good"),
    [
        ({"ja": True, "nein": False}, ["JA", "nein", "yes", "1"], [True, False]),
        ({"si": True, "no": False, "sì": True}, ["Sì", "NO"], [True, False]),
        ({1: True, 2: False}, ["1", "2", "2.0", "0"], [True, False, False]),
        ({1: True, 2: False}, [1, 2, 0], [True, False]),
        ({1: True, 2: False}, [1.0, 2.0, 1.5], [True, False]),
        ({"ja": True, "nein": False}, [True, False], [True, False]),
    ],
)
def test_a_column_may_say_what_its_values_mean(values: dict, column: Any, good: list[bool]):
    checked = check(column, dtype="bool", values=values)
    assert kept(checked) == good
    assert len(checked.bad) == len(column) - len(good)
    said = [
        reason for reason in reasons(checked) if f"bool ({', '.join(map(str, values))})" in reason
    ]
    assert len(said) == len(checked.bad)
    gaps = check([*column, None], dtype="bool", values=values, nullable=True)
    assert [value == 1 for value in kept(gaps)[:-1]] == good
    assert np.isnan(kept(gaps)[-1])


def test_decimals_are_numbers_of_their_value():
    exact = pd.Series([Decimal("1.10"), None, Decimal("1E+2")], dtype=object)
    assert kept(check(exact, dtype="float64", nullable=True))[::2] == [1.1, 100.0]
    whole = pd.Series([Decimal("5.00"), Decimal("5.01")], dtype=object)
    assert kept(check(whole, dtype="int64")) == [5]


def test_no_value_is_bad_unless_nullable():
    for dtype, values in {
        "int64": ["1", None],
        "float64": [1.5, np.nan],
        "bool": ["true", None],
        "string": ["a", None],
        "datetime": ["2019-01-01", None],
    }.items():
        refused = check(values, dtype=dtype)
        assert len(refused.rows) == 1
        assert refused.bad["x"].tolist() == [None]
        assert reasons(refused)[0].startswith("x.nullable: ")
        allowed = check(values, dtype=dtype, nullable=True)
        assert allowed.bad.empty
        assert allowed.rows["x"].isna().tolist() == [False, True]


def test_the_type_follows_the_contract_and_not_the_data():
    for dtype in ("int64", "bool"):
        assert check(["1", "0"], dtype=dtype, nullable=True).rows["x"].dtype == np.float64
        assert check(["1", "0"], dtype=dtype).rows["x"].dtype == np.dtype(dtype)
    assert check([None, None], dtype="string", nullable=True).rows["x"].tolist() == [None, None]
    empty = check([None], dtype="datetime", nullable=True).rows["x"]
    assert str(empty.dtype) == "datetime64[ns, UTC]"
    assert check([pd.NA, "a"], dtype="string", nullable=True).rows["x"].tolist() == [None, "a"]


def test_a_nullable_integer_is_not_rounded_silently():
    checked = check([str(2**53), str(2**53 + 1), None], dtype="int64", nullable=True)
    assert len(checked.rows) == 2
    assert "9007199254740993" in reasons(checked)[0]
    assert "cannot hold exactly" in reasons(checked)[0]


@pytest.mark.parametrize("nullable", [True, False])
def test_a_float_that_may_be_a_rounded_integer_is_none(nullable: bool):
    ids = np.array([2.0**53 - 1, -(2.0**53), float(2**53 + 1), 2.0**60])
    checked = check(ids, dtype="int64", nullable=nullable)
    assert kept(checked) == [2**53 - 1]
    assert all("perhaps another integer, rounded" in reason for reason in reasons(checked))


def test_arrow_columns_are_checked_like_numpy_ones():
    assert kept(check(pd.array([1, 2**53 + 1], "int64[pyarrow]"), dtype="int64")) == [1, 2**53 + 1]
    missing = check(pd.array([True, None], "bool[pyarrow]"), dtype="bool", nullable=True)
    assert kept(missing)[0] == 1.0
    assert kept(check(pd.array(["a", None], "string[pyarrow]"), dtype="string")) == ["a"]
