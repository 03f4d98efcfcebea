import time
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.blocks.data import ContractSettings
from mlops_assets.errors import ContractError, SourceError
from mlops_assets.ml.contract import Checked, contract_holds, enforce, violations

NOW = datetime(2020, 1, 1, tzinfo=UTC)


def contract(**columns: Any) -> ContractSettings:
    return ContractSettings.model_validate({"columns": columns})


def check(values: Any, **rule: Any) -> Checked:
    """Enforce `rule` on one column `x` beside a column that is always good."""
    frame = pd.DataFrame({"x": values, "n": range(len(values))})
    return enforce(frame, contract(x=rule, n={"dtype": "int64"}), NOW)


def kept(checked: Checked) -> list[Any]:
    return checked.rows["x"].tolist()


def reasons(checked: Checked) -> list[str]:
    return checked.bad["reason"].tolist()


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
            ["0", "-5", "00012", "9223372036854775807", "-9223372036854775808", "0" * 30 + "1"],
            ["1.5", "1.0", "abc", "", " 1", "+1", "1e3", "0x1F", "1_000", "٣",
             "9223372036854775808", "-9223372036854775809", "9" * 5000],
        ),
        (
            "float64",
            ["0", "-1.5", "+2", ".5", "5.", "1e-3", "1E+5"],
            ["", "abc", "inf", "-Infinity", "nan", "NaN", "1e999", "1,5", "0x1p3", "1_0", "."],
        ),
        ("bool", ["true", "false", "1", "0", "True", "FALSE"], ["yes", "", "2", "t", "1.0", "on"]),
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
        ("int64", [1.0, 1.5, np.inf, 2.0**63, -(2.0**63)], [1, -(2**63)]),
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


def test_bounds_are_inclusive_and_named():
    checked = check(["0", "1", "5", "6"], dtype="int64", min=1, max=5)
    assert kept(checked) == [1, 5]
    assert reasons(checked) == ["x.min: '0' is below 1", "x.max: '6' is above 5"]
    assert violations(checked) == {"x.min": 1, "x.max": 1}


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
    assert checked.bad_fraction == 0.5


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


# datetimes


def test_a_strptime_format_is_exact():
    checked = check(
        ["19970101", "1997011", "19970230", "1997-01-01"], dtype="datetime", format="%Y%m%d"
    )
    assert kept(checked) == [pd.Timestamp("1997-01-01", tz="UTC")]
    assert len(kept(check(["5/1/2019"], dtype="datetime", format="%d/%m/%Y"))) == 1


def test_a_text_without_offset_is_local_time():
    rule = {"dtype": "datetime", "timezone": "America/New_York"}
    values = ["2019-07-01T12:00", "2019-01-01 12:00", "2019-03-10 02:30", "2019-11-03 01:30"]
    for column in (values, pd.to_datetime(pd.Series(values), format="ISO8601")):
        checked = check(column, **rule)
        assert [t.hour for t in kept(checked)] == [16, 17]
        assert len(checked.bad) == 2
        assert all("clocks change" in reason for reason in reasons(checked))


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        (["2019-01-01T00:00+01:00", "2019-01-01T00:00Z"], {}),
        (["2019-01-01T00:00Z", "2019-01-01T00:00"], {}),
        (["2019-01-01", "2019-01-01T00:00Z"], {}),
        (["2019-01-01 00:00 +0100", "2019-01-01 00:00 -0500"], {"format": "%Y-%m-%d %H:%M %z"}),
        (
            ["Jan 1 00:00 +0100 2019", "Jan 1 00:00 Z 2019"],
            {"format": "%b %d %H:%M %z %Y"},
        ),
        (
            [datetime(2019, 1, 1, tzinfo=UTC), datetime(2019, 1, 1)],  # noqa: DTZ001
            {},
        ),
    ],
)
def test_mixed_offsets_are_an_error_unless_declared(values: list[Any], rule: dict[str, Any]):
    column = pd.Series(values, dtype=object)
    with pytest.raises(ContractError) as caught:
        check(column, dtype="datetime", **rule)
    for value in values:
        assert str(getattr(value, "isoformat", lambda v=value: v)()) in str(caught.value)
    assert "contract.columns.x.offsets: any" in str(caught.value)
    checked = check(column, dtype="datetime", offsets="any", **rule)
    assert len(checked.rows) == len(values)


def test_one_offset_written_in_several_ways_is_one():
    values = ["2019-01-01T01:00Z", "2019-01-01T01:00+00:00", "2019-01-01T01:00-0000", "bad"]
    checked = check(values, dtype="datetime")
    assert kept(checked) == [pd.Timestamp("2019-01-01T01:00Z")] * 3


def test_a_zone_with_two_offsets_is_one_zone_once_typed():
    days = pd.Series(pd.to_datetime(["2019-01-01", "2019-07-01", None])).dt.tz_localize(
        "Europe/Paris"
    )
    for column in (days, days.convert_dtypes(dtype_backend="pyarrow")):
        checked = check(column, dtype="datetime", nullable=True)
        assert [t.hour for t in checked.rows["x"][:2]] == [23, 22]
        assert len(checked.rows) == 3


def test_arrow_columns_are_checked_like_numpy_ones():
    assert kept(check(pd.array([1, 2**53 + 1], "int64[pyarrow]"), dtype="int64")) == [1, 2**53 + 1]
    missing = check(pd.array([True, None], "bool[pyarrow]"), dtype="bool", nullable=True)
    assert kept(missing)[0] == 1.0
    assert kept(check(pd.array(["a", None], "string[pyarrow]"), dtype="string")) == ["a"]


def test_datetimes_of_any_unit_and_kind_are_utc_nanoseconds():
    zoned = pd.to_datetime(pd.Series(["2019-07-01 12:00"])).dt.tz_localize("Europe/Paris")
    assert kept(check(zoned, dtype="datetime")) == [pd.Timestamp("2019-07-01 10:00Z")]
    seconds = np.array(["2019-01-01", "9999-01-01", "0001-01-01"], "datetime64[s]")
    checked = check(seconds, dtype="datetime")
    assert str(checked.rows["x"].dtype) == "datetime64[ns, UTC]"
    assert checked.bad["row"].tolist() == [1, 2]
    objects = pd.Series([date(2019, 1, 1), pd.Timestamp("2019-01-01"), 5], dtype=object)
    assert len(check(objects, dtype="datetime", format="%d.%m.%Y").rows) == 2


def test_the_future_is_refused_unless_allowed():
    values = ["2020-01-01", "2020-01-02"]
    checked = check(values, dtype="datetime")
    assert len(checked.rows) == 1
    assert reasons(checked) == ["x.future: '2020-01-02' is after now, 2020-01-01T00:00:00+00:00"]
    assert len(check(values, dtype="datetime", future="allow").rows) == 2
    later = NOW.astimezone(timezone(timedelta(hours=5)))
    frame = pd.DataFrame({"x": ["2020-01-01"]})
    assert enforce(frame, contract(x={"dtype": "datetime"}), later).bad.empty


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


def test_a_naive_now_is_refused():
    frame = pd.DataFrame({"x": ["1"]})
    with pytest.raises(ContractError, match="without a zone"):
        enforce(frame, contract(x={"dtype": "int64"}), datetime(2020, 1, 1))  # noqa: DTZ001


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
    assert contract_holds(checked, rules) is holds


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
            assert value == {"int64": int, "float64": float}[dtype](text)
        elif dtype == "string":
            assert value == text


def test_it_is_fast_enough():
    size = 100_000
    numbers = [str(n) for n in range(size)]
    frame = pd.DataFrame({"a": numbers, "b": numbers, "c": ["2019-01-01"] * size})
    rules = contract(a={"dtype": "int64"}, b={"dtype": "float64"}, c={"dtype": "datetime"})
    start = time.perf_counter()
    assert len(enforce(frame, rules, NOW).rows) == size
    assert time.perf_counter() - start < 3  # 0.1 s on a quiet machine; a loop would take 10
