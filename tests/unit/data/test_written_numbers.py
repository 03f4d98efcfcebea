"""How numbers are written, and which marks mean no value, as a source or its columns say."""

import re
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from mlops_assets.ml.data.contract import enforce
from mlops_assets.ml.data.marks import Marks
from tests.support.tables.contracts import NOW, check, contract, kept, reasons


@pytest.mark.parametrize(
    ("marks", "dtype", "good", "bad"),
    [
        (
            Marks(",", "."),
            "float64",
            {"1,5": 1.5, "-1.234,56": -1234.56, "1234,5": 1234.5, "1.234.567": 1234567.0,
             "7": 7.0, "1,5e3": 1500.0, ",5": 0.5},
            ["1.5", "1.23,4", "1.2345", "12.34.567", ".123", "1,5,6", "", "abc", "no number"],
        ),
        (Marks(",", ""), "float64", {"1,5": 1.5, "2": 2.0}, ["1.5", "1.234,5"]),
        (Marks(".", ","), "float64", {"1,234.5": 1234.5, "12,345,678": 12345678.0}, ["1,23"]),
        (Marks(".", " "), "int64", {"1 234": 1234, "-12 345 678": -12345678}, ["12 34", " 1"]),
        (Marks(",", "."), "int64", {"1.234": 1234, "4,0": 4, "7": 7}, ["1,5", "1.23", "4.0"]),
        (Marks(".", "'"), "int64", {"1'234": 1234}, ["1'23"]),
    ],
)  # fmt: skip
def test_numbers_are_written_as_the_source_says(
    marks: Marks, dtype: str, good: dict[str, float], bad: list[str]
):
    frame = pd.DataFrame({"x": [*good, *bad, None]})
    checked = enforce(frame, contract(x={"dtype": dtype, "nullable": True}), NOW, marks)
    assert kept(checked)[:-1] == list(good.values())
    assert checked.bad["x"].tolist() == bad


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ({"unit": "%"}, {"12 %": 12.0, "-1.5%": -1.5, "%7": 7.0}, ["12", "12 %%", "%7%", "€5"]),
        (
            {"unit": "$", "thousands": ",", "negative": "parentheses"},
            {"$1,234.50": 1234.5, "-$5": -5.0, "$-5": -5.0, "($1,000)": -1000.0},
            ["5", "$1,23", "(-$5)", "$(3)", "1.5 €"],
        ),
        (
            {"unit": "€", "thousands": ".", "decimal": ","},
            {"1.234,50 €": 1234.5, "5,5€": 5.5, "7\u00a0€": 7.0},
            ["1.5 €", "5"],
        ),
        ({"negative": "parentheses"}, {"(12)": -12.0, "12": 12.0, "-1": -1.0}, ["(12", "()"]),
        ({"unit": "EUR", "thousands": "\u202f"}, {"EUR 1\u202f234": 1234.0}, ["1\u202f234"]),
    ],
)
def test_numbers_are_written_as_the_column_says(
    rule: dict[str, Any], good: dict[str, float], bad: list[str]
):
    checked = check([*good, *bad, None], dtype="float64", nullable=True, **rule)
    assert kept(checked)[:-1] == list(good.values())
    assert checked.bad["x"].tolist() == bad
    assert all(repr(rule.get("unit", "x")) in reason for reason in reasons(checked)) == (
        "unit" in rule
    )


@pytest.mark.parametrize(
    ("rule", "good"),
    [
        ({"dtype": "float64"}, {"\u22120.13": -0.13, "1.5e\u22123": 0.0015, "2": 2.0}),
        ({"dtype": "int64"}, {"\u22127": -7, "7": 7}),
        ({"dtype": "float64", "unit": "%"}, {"\u22121.5 %": -1.5}),
        ({"dtype": "float64", "decimal": ",", "thousands": "."}, {"\u22121.234,5": -1234.5}),
    ],
)
def test_the_minus_of_typesetters_is_a_minus(rule: dict[str, Any], good: dict[str, float]):
    checked = check([*good, "5\u22123"], **rule)
    assert kept(checked) == list(good.values())
    assert checked.bad["x"].tolist() == ["5\u22123"], "as it is written"


def test_a_unit_is_of_texts_and_leaves_typed_numbers_as_they_are():
    assert kept(check([1.5, 2.0], dtype="float64", unit="%")) == [1.5, 2.0]
    assert kept(check(["1248 CC", "7CC"], dtype="int64", unit="CC")) == [1248, 7]
    assert kept(check([Decimal("1.5")], dtype="float64", unit="kg")) == [1.5]
    ok = {"dtype": "int64", "unit": "kg", "allowed": [1, 2]}
    assert kept(check(["1 kg", "3 kg"], **ok)) == [1]


def test_a_column_of_its_own_marks_has_none_of_the_source():
    frame = pd.DataFrame({"x": ["1,234.5", "1.5"], "y": ["1,5", "2,5"]})
    rules = contract(x={"dtype": "float64", "thousands": ","}, y={"dtype": "float64"})
    rows = enforce(frame, rules, NOW, Marks(",", ".")).rows
    assert rows.to_numpy().tolist() == [[1234.5, 1.5], [1.5, 2.5]]


def test_a_text_may_mean_no_value_in_one_column_only():
    frame = pd.DataFrame({"x": ["-999", "1"], "y": ["-999", "2"]})
    rules = contract(
        x={"dtype": "int64", "nullable": True, "missing": ["-999"]}, y={"dtype": "int64"}
    )
    checked = enforce(frame, rules, NOW)
    assert np.isnan(checked.rows["x"][0])
    assert checked.rows["y"].tolist() == [-999, 2]


@pytest.mark.parametrize(
    ("values", "good"),
    [
        (np.array([-999, 2**53 + 1]), 2**53 + 1),
        (np.array([-999.0, 1.0]), 1),
        (pd.array([-999, 1], "Int64"), 1),
        (pd.Series([-999, None, 1], dtype=object), 1),
    ],
)
def test_a_typed_number_may_mean_no_value(values: Any, good: int):
    checked = check(values, dtype="int64", missing=["-999"])
    assert kept(checked) == [good]
    assert all("is missing" in reason for reason in reasons(checked))


def test_a_float_is_no_text_where_others_mean_no_value():
    checked = check(np.array([-999.0, 2.0**60]), dtype="int64", nullable=True, missing=["-999"])
    (reason,) = reasons(checked)
    assert "is a float beyond 2**53" in reason


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"dtype": "datetime", "unit": "days"}, "none of ['s', 'ms', 'us', 'ns', 'excel']"),
        ({"dtype": "datetime", "unit": "s", "format": "%Y"}, "neither format nor timezone"),
        ({"dtype": "string", "unit": "%"}, "['unit'] are of numbers, not of string"),
        ({"dtype": "bool", "negative": "parentheses"}, "['negative'] are of numbers"),
        ({"dtype": "float64", "unit": "5"}, "part of a number"),
        ({"dtype": "float64", "decimal": ",", "thousands": ","}, "are both ','"),
    ],
)
def test_how_numbers_are_written_must_fit(rule: dict[str, Any], said: str):
    with pytest.raises(ValidationError, match=re.escape(said)):
        contract(x=rule)
