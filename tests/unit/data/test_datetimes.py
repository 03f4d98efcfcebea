"""Moments: formats, zones, offsets and the future."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.blocks.columns import require_moment
from mlops_assets.errors import ContractError
from mlops_assets.ml.data.contract import enforce
from mlops_assets.ml.data.datetimes import parsed
from tests.support.tables.contracts import NOW, check, contract, kept, reasons


def test_a_strptime_format_is_exact():
    checked = check(
        ["19970101", "1997011", "19970230", "1997-01-01"], dtype="datetime", format="%Y%m%d"
    )
    assert kept(checked) == [pd.Timestamp("1997-01-01", tz="UTC")]
    assert len(kept(check(["5/1/2019"], dtype="datetime", format="%d/%m/%Y"))) == 1


@pytest.mark.parametrize(
    ("values", "form", "good"),
    [
        (np.array([1984, 2013, 7], "int16"), "%Y", ["1984", "2013"]),
        (np.array([1984.0, np.nan, 2013.0]), "%Y", ["1984", None, "2013"]),
        (pd.Series([20160229, None, 20150229], dtype=object), "%Y%m%d", ["2016-02-29", None]),
        (pd.array([2014, None], "Int64"), "%Y", ["2014", None]),
        (np.array([2013.5, 2014.0]), "%Y", ["2014"]),
        (np.array([2013]), None, []),
    ],
)
def test_a_whole_number_is_a_datetime_by_its_format(values: Any, form: Any, good: list):
    checked = check(values, dtype="datetime", format=form, nullable=True)
    expected = [pd.Timestamp(text or pd.NaT, tz="UTC") for text in good]
    assert checked.rows["x"].tolist() == pd.Series(expected, dtype="datetime64[ns, UTC]").tolist()
    assert len(checked.bad) == len(values) - len(good)
    if form is None:
        assert "is a number" in reasons(checked)[0] or "but a number" in reasons(checked)[0]


@pytest.mark.parametrize(
    ("values", "unit", "good"),
    [
        (["1577750400", "-1.5", "0"], "s", ["2019-12-31", "1969-12-31T23:59:58.5", "1970-01-01"]),
        (["1500000000.123456789"], "s", ["2017-07-14T02:40:00.123456789"]),
        (["1500000000123.25", "1.5e12"], "ms", ["2017-07-14T02:40:00.12325"]),
        (["1500000000123456", "1500000000123456.0"], "us", ["2017-07-14T02:40:00.123456"] * 2),
        (["1500000000123456789"], "ns", ["2017-07-14T02:40:00.123456789"]),
        (["1500000000123456789.0", "9223372036854775808", "x", "1.5"], "ns", []),
        (np.array([1500000000.123, np.inf, 2.0**60]), "s", ["2017-07-14T02:40:00.123"]),
        (np.array([1500000000123]), "ms", ["2017-07-14T02:40:00.123"]),
        (np.array([3, 2**63], "uint64"), "ns", ["1970-01-01T00:00:00.000000003"]),
        (pd.array([1500000000, None], "Int64"), "s", ["2017-07-14T02:40:00", None]),
        (np.array([-9_300_000_000, 9_300_000_000]), "s", []),
        (pd.to_datetime(["2019-01-01"]), "s", []),
        (np.array([True]), "s", []),
    ],
)  # fmt: skip
def test_a_number_is_a_moment_since_1970_by_its_unit(values: Any, unit: str, good: list):
    checked = check(values, dtype="datetime", unit=unit, nullable=True)
    expected = [pd.Timestamp(text or pd.NaT, tz="UTC") for text in good]
    assert checked.rows["x"].tolist() == pd.Series(expected, dtype="datetime64[ns, UTC]").tolist()
    assert len(checked.bad) == len(values) - len(good)
    assert all(f"is no number of {unit} since 1970" in reason for reason in reasons(checked))


@given(
    st.integers(-(2**53) + 1, 2**53 - 1), st.sampled_from(["s", "ms", "us", "ns"]), st.booleans()
)
@settings(deadline=None)
def test_a_moment_since_1970_is_what_pandas_makes_of_it(count: int, unit: str, as_text: bool):
    checked = check([str(count) if as_text else count], dtype="datetime", unit=unit, future="allow")
    try:
        expected = pd.Timestamp(count, unit=unit, tz="UTC").as_unit("ns")
    except (pd.errors.OutOfBoundsDatetime, OverflowError):
        assert len(checked.bad) == 1
        return
    if pd.Timestamp("1678", tz="UTC") < expected < pd.Timestamp("2262", tz="UTC"):
        assert kept(checked) == [expected]


@given(st.lists(st.sampled_from("aAbBcdfGHIjmMpSuUVwWxXyYz%Q"), min_size=1, max_size=6))
@settings(max_examples=300, deadline=None)
def test_a_format_that_loads_is_read_and_names_the_year(directives: list[str]) -> None:
    form = "-".join(f"%{directive}" for directive in directives)
    try:
        require_moment(form)
    except ValueError as err:
        assert "; write e.g." in str(err)  # noqa: PT017  either end is right
        return
    moment = datetime(2001, 12, 30, 22, 58, 57, tzinfo=UTC)
    texts = pd.Series([moment.strftime(form)])
    (read,) = parsed(texts, form)
    assert read.year == moment.year


@pytest.mark.parametrize(
    ("text", "unit", "second"),
    [
        ("1.560000001E+09", "s", 1),
        ("1.5600000015e9", "s", 1.5),
        ("1.560000001E+12", "ms", 1),
        ("1.560000001250E+12", "ms", 1.25),
        ("1.560000001E18", "ns", 1),
    ],
)
def test_an_epoch_with_an_exponent_is_the_number_that_is_written(
    text: str, unit: str, second: float
):
    checked = check([text, "x"], dtype="datetime", unit=unit)
    assert kept(checked) == [pd.Timestamp(1_560_000_000 + second, unit="s", tz="UTC")]


@pytest.mark.parametrize(("text", "unit"), [("1.56E+12", "ms"), ("1.5600E9", "s")])
def test_an_epoch_that_lacks_the_digits_of_a_second_is_none(text: str, unit: str):
    assert kept(check([text], dtype="datetime", unit=unit)) == []


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


@pytest.mark.parametrize(
    ("form", "values"),
    [
        ("%d-%m-%Y %H:%M %z", ["31-12-2013 23:00 +0100", "1-1-2014 01:00 +0100"]),
        ("%d-%m-%Y %z %H:%M", ["31-12-2013 +01:00 23:00", "01-01-2014 +0100 01:00"]),
        ("%z%d-%m-%Y %H:%M", ["+010031-12-2013 23:00", "+010001-01-2014 01:00"]),
        ("%d/%b/%Y:%H:%M:%S %z", ["31/Dec/2013:23:00:00 +0100", "01/Jan/2014:01:00:00 +0100"]),
        ("%A %d. %B %Y (%I%p, %z)", ["Tuesday 31. December 2013 (11PM, +0100)",
                                     "Wednesday 1. January 2014 (1AM, +0100)"]),
        ("%H:%M%z %Y-%m-%d", ["23:00+0100 2013-12-31", "01:00+0100 2014-01-01"]),
    ],
)  # fmt: skip
def test_an_offset_is_found_wherever_the_format_has_it(form: str, values: list[str]):
    checked = check(values, dtype="datetime", format=form)
    assert [str(t) for t in kept(checked)] == [
        "2013-12-31 22:00:00+00:00", "2014-01-01 00:00:00+00:00",
    ]  # fmt: skip
    other = [values[0], values[1].replace("+01", "-03")]
    with pytest.raises(ContractError, match="mixes UTC offsets"):
        check(other, dtype="datetime", format=form)
    checked = check(other, dtype="datetime", format=form, offsets="any")
    assert [str(t) for t in kept(checked)] == [
        "2013-12-31 22:00:00+00:00", "2014-01-01 04:00:00+00:00",
    ]  # fmt: skip


def test_a_text_without_the_offset_of_its_format_is_bad():
    checked = check(["1-1-2014 +0100", "1-1-2014"], dtype="datetime", format="%d-%m-%Y %z")
    assert len(checked.rows) == len(checked.bad) == 1


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


def test_a_naive_now_is_refused():
    frame = pd.DataFrame({"x": ["1"]})
    with pytest.raises(ContractError, match="without a zone"):
        enforce(frame, contract(x={"dtype": "int64"}), datetime(2020, 1, 1))  # noqa: DTZ001
