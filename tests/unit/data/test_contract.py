"""The rules of a contract: what breaks one, and what that means for the row and the run."""

from datetime import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mlops_assets.blocks.data import ContractSettings
from mlops_assets.errors import ContractError, SourceError
from mlops_assets.ml.data.contract import enforce, violations
from mlops_assets.ml.data.verdict import Tally, contract_holds
from tests.support.tables.contracts import NOW, check, contract, kept, reasons


def test_bounds_are_inclusive_and_named():
    checked = check(["0", "1", "5", "6"], dtype="int64", min=1, max=5)
    assert kept(checked) == [1, 5]
    assert reasons(checked) == ["x.min: '0' is below 1", "x.max: '6' is above 5"]
    assert violations(checked) == {"x.min": 1, "x.max": 1}


@pytest.mark.parametrize("sign", [1, -1])
def test_a_bound_that_no_float_holds_is_compared_to_the_last_digit(sign: int):
    bound = sign * 9007199254740992000
    rule = {"max" if sign > 0 else "min": bound}
    checked = check([str(bound), str(bound + sign)], dtype="int64", **rule)
    assert kept(checked) == [bound]
    beyond = "above" if sign > 0 else "below"
    assert reasons(checked)[0].endswith(f"'{bound + sign}' is {beyond} {bound}")


@pytest.mark.parametrize("written", [2**53, 2.0**53, 1e18])
def test_a_bound_of_integers_is_compared_to_the_last_digit_however_it_is_written(written: float):
    bound = int(written)
    checked = check([str(bound), str(bound + 1)], dtype="int64", max=written)
    assert kept(checked) == [bound]
    assert reasons(checked)[0].endswith(f"'{bound + 1}' is above {bound}")


def test_a_bound_beyond_int64_is_one_too():
    assert len(check(["1", str(2**63 - 1)], dtype="int64", max=2**64, min=-(2**70)).rows) == 2
    assert len(check(["1"], dtype="int64", max=1e300, min=-1e300).rows) == 1


def test_a_bound_is_said_as_it_was_written():
    checked = check(["4503599627370.25"], dtype="float64", max=4503599627370.125)
    assert reasons(checked) == ["x.max: '4503599627370.25' is above 4503599627370.125"]


def test_allowed_values_are_typed_like_the_column():
    assert kept(check(["a", "b"], dtype="string", allowed=["a"])) == ["a"]
    assert kept(check(["1", "2"], dtype="int64", allowed=[1])) == [1]
    assert kept(check(["true", "false"], dtype="bool", allowed=[True])) == [True]
    days = check(["2019-01-01", "2019-01-02"], dtype="datetime", allowed=["2019-01-01"])
    assert len(days.rows) == 1
    many = check(["z"], dtype="string", allowed=list("abcdefghijkl"))
    assert reasons(many)[0].endswith("'i', 'j', ...")
    with pytest.raises(ContractError, match=r"x\.allowed holds \['soon'\].*datetime"):
        check(["2019-01-01"], dtype="datetime", allowed=["soon"])


def test_several_reasons_are_joined():
    frame = pd.DataFrame({"a": ["-1", "1"], "b": [";  c.min:  ", "x"], "c": [None, "1"]})
    rules = contract(
        a={"dtype": "int64", "min": 0},
        b={"dtype": "string", "allowed": ["x"]},
        c={"dtype": "float64"},
    )
    checked = enforce(frame, rules, NOW)
    (reason,) = reasons(checked)
    assert len(reason.split("; ")) == 3
    assert violations(checked) == {"a.min": 1, "b.allowed": 1, "c.nullable": 1}


def test_every_later_row_of_a_key_is_bad():
    frame = pd.DataFrame({"a": ["1", "x", "1", "2", "1"], "b": ["p", "q", "p", "p", "r"]})
    columns = {"a": {"dtype": "int64"}, "b": {"dtype": "string"}}
    rules = ContractSettings.model_validate({"columns": columns, "unique": ["a", "b"]})
    checked = enforce(frame, rules, NOW)
    assert checked.rows["a"].tolist() == [1, 2, 1]
    assert checked.bad["row"].tolist() == [1, 2]
    assert reasons(checked)[1] == "a+b.unique: '1', 'p' repeats an earlier row"
    assert violations(checked) == {"a.dtype": 1, "a+b.unique": 1}


def test_a_bad_row_does_not_take_the_key_of_a_good_one():
    frame = pd.DataFrame({"a": ["1", "1"], "b": ["x", "2"]})
    columns = {"a": {"dtype": "int64"}, "b": {"dtype": "int64"}}
    rules = ContractSettings.model_validate({"columns": columns, "unique": ["a"]})
    assert enforce(frame, rules, NOW).rows["b"].tolist() == [2]


def test_the_input_is_not_modified_and_the_columns_must_fit():
    frame = pd.DataFrame({"x": ["1", "b"], "y": ["1", "2"]}, pd.Index([7, 9]))
    before = frame.copy(deep=True)
    rules = ContractSettings.model_validate(
        {"columns": {"x": {"dtype": "int64"}}, "extra_columns": "drop"}
    )
    checked = enforce(frame, rules, NOW)
    pd.testing.assert_frame_equal(frame, before)
    assert list(checked.rows.columns) == ["x"]
    assert checked.bad[["row", "x"]].to_numpy().tolist() == [[1, "b"]]
    with pytest.raises(SourceError, match=r"\['y'\]"):
        enforce(frame, contract(x={"dtype": "int64"}), NOW)


def test_rows_that_are_typed_and_good_are_not_copied():
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": [3.5, 4.5], "c": ["x", "y"]}, index=[7, 9])
    rules = contract(
        a={"dtype": "float64", "nullable": True}, b={"dtype": "float64", "max": 9},
        c={"dtype": "string", "allowed": ["x", "y"]},
    )  # fmt: skip
    rows = enforce(frame, rules, now=NOW).rows
    shared = [name for name in rows if np.shares_memory(rows[name], frame[name])]
    assert shared == ["b", "c"], "in the place of gaps stands NaN, in a column of its own"
    assert frame.index.tolist() == [7, 9]


def test_a_column_is_read_under_its_own_name_and_kept_under_ours():
    frame = pd.DataFrame({"Größe (cm)": ["1", "x"], "age": ["7", "8"], "Rest": ["", ""]})
    columns = {
        "age": {"dtype": "int64"},
        "rest": {"dtype": "string", "from": "Rest"},
        "size": {"dtype": "int64", "from": "Größe (cm)"},
    }
    checked = enforce(frame, contract(**columns), NOW)
    assert checked.rows.to_dict("records") == [{"age": 7, "rest": "", "size": 1}]
    assert list(checked.bad.columns) == ["age", "rest", "size", "row", "reason"]
    assert reasons(checked) == ["size.dtype: 'x' is not an int64"]
    with pytest.raises(SourceError, match=r"\['Größe \(cm\)'\] are missing.*renamed to 'Groesse"):
        enforce(frame.rename(columns={"Größe (cm)": "Groesse (cm)"}), contract(**columns), NOW)


@pytest.mark.parametrize(
    ("values", "bad_rows", "most", "holds"),
    [
        (["1", "2"], "refuse", 0.0, True),
        (["1", "x"], "refuse", 0.9, False),
        (["1", "x"], "quarantine", 0.5, True),
        (["1", "x"], "quarantine", 0.49, False),
        (["x"], "quarantine", 0.99, False),
        ([], "quarantine", 0.99, False),
    ],
)
def test_contract_holds(values: list[str], bad_rows: str, most: float, *, holds: bool):
    rules = ContractSettings.model_validate(
        {"columns": {"x": {"dtype": "int64"}}, "bad_rows": bad_rows, "max_bad_fraction": most}
    )
    checked = enforce(pd.DataFrame({"x": pd.Series(values, dtype=object)}), rules, NOW)
    assert contract_holds(Tally.of(checked), rules) is holds


@pytest.mark.parametrize(
    ("repeated", "negative", "holds"),
    [(40, 1, True), (40, 2, False), (60, 0, False), (0, 2, False)],
)
def test_what_repeats_is_tolerated_for_itself(repeated: int, negative: int, *, holds: bool):
    rows = 100 - repeated - negative
    ids = [*range(rows), *[0] * repeated, *range(rows, rows + negative)]
    frame = pd.DataFrame({"id": ids, "x": [1] * (rows + repeated) + [-1] * negative})
    columns = {"id": {"dtype": "int64"}, "x": {"dtype": "int64", "min": 0}}
    rules = {"columns": columns, "unique": ["id"], "max_repeated_fraction": 0.5}
    ours = ContractSettings.model_validate(rules)
    checked = enforce(frame, ours, NOW)
    assert len(checked.bad) == repeated + negative
    assert contract_holds(Tally.of(checked), ours) is holds
    together = ContractSettings.model_validate(rules | {"max_repeated_fraction": None})
    assert not contract_holds(Tally.of(checked), together)


@pytest.mark.parametrize("without", ["unique", "quarantine"])
def test_a_tolerance_of_what_repeats_needs_a_key_and_a_quarantine(without: str):
    rules = {"columns": {"x": {"dtype": "int64"}}, "unique": ["x"], "max_repeated_fraction": 0.5}
    wrong = {"unique": ()} if without == "unique" else {"bad_rows": "refuse"}
    with pytest.raises(ValidationError, match="max_repeated_fraction needs `unique`"):
        ContractSettings.model_validate(rules | wrong)


ANY_TEXT = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(repr),
    st.datetimes().map(datetime.isoformat),
    st.sampled_from(["true", "0", "1", ""]),
)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(ANY_TEXT, max_size=12),
    dtype=st.sampled_from(["int64", "float64", "bool", "string", "datetime"]),
    nullable=st.booleans(),
)
def test_every_row_is_good_or_bad_and_good_values_keep_their_meaning(
    values: list[str | None], dtype: str, *, nullable: bool
):
    column = {"dtype": dtype, "nullable": nullable, "offsets": "any"}
    columns = {"n": {"dtype": "int64"}, "x": column}
    rules = ContractSettings.model_validate({"columns": columns, "unique": ["n"]})
    frame = pd.DataFrame({"n": range(len(values)), "x": pd.Series(values, dtype=object)})
    checked = enforce(frame, rules, NOW)
    assert sorted([*checked.rows["n"], *checked.bad["row"]]) == list(range(len(values)))
    assert checked.bad["x"].tolist() == [values[row] for row in checked.bad["row"]]
    assert sum(violations(checked).values()) == len(checked.bad)
    for row, value in zip(checked.rows["n"], checked.rows["x"], strict=True):
        text = values[row]
        if text is None:
            assert nullable
            assert pd.isna(value)
        elif dtype in ("int64", "float64"):
            assert value == {"int64": Decimal, "float64": float}[dtype](text)
        elif dtype == "string":
            assert value == text
