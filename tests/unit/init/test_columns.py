"""What one column is: a test for each rule."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from mlops_assets.blocks.data import ContractSettings
from mlops_assets.init.columns.found import Found
from mlops_assets.init.columns.kinds import RULES, profile
from mlops_assets.init.questions import Answers, UndecidedError
from mlops_assets.init.reading.column import Column
from mlops_assets.init.reading.missing import missing_texts, without
from mlops_assets.ml.data.contract import enforce


def column(values: list[Any], source: str = "x", **marks: Any) -> Column:
    texts = pa.array([None if v is None else str(v) for v in values], pa.string())
    return Column(source, "x", texts, **{"whole": True, **marks})


def found(values: list[Any], source: str = "x", **marks: Any) -> Found:
    return profile(column(values, source, **marks), Answers())


def test_rule_empty() -> None:
    one = found([None, None])
    assert (one.rule, one.use) == ("empty", "left out")


def test_rule_constant() -> None:
    assert found(["a"] * 9).rule == "constant"
    assert found(["a"] * 99 + [None]).use == "left out"
    assert found(["a"] + [None] * 9).rule != "constant", "whether it is there may tell something"


@pytest.mark.parametrize(
    "values", [["yes", "no"], ["Y", "n", "YES"], ["TRUE", "False"], ["on", "off", "t", "0"]]
)
def test_rule_yes_no(values: list[str]) -> None:
    one = found([*values, None] * 5)
    assert one.contract == {"dtype": "bool", "nullable": True}
    assert one.numbers is not None
    assert set(one.numbers.dropna()) == {0.0, 1.0}


@pytest.mark.parametrize(("yes", "no"), [("Ja", "Nein"), ("J", "N"), ("O", "N"), ("s", "n")])
def test_rule_yes_no_of_another_language_is_likely(yes: str, no: str) -> None:
    one = found([yes, no] * 5)
    assert one.contract == {"dtype": "bool", "values": {yes: True, no: False}}
    assert one.likely


def test_rule_leading_zeros() -> None:
    one = found(["01097", "80331", "10115"] * 10, "plz")
    assert (one.rule, one.contract["dtype"], one.encoding) == ("leading_zeros", "string", "one_hot")


@pytest.mark.parametrize("power", [9, 12])
def test_rule_short_epoch_is_left_out_with_the_remedy(power: int) -> None:
    values = [f"{1.7 + i / 10**5:.5f}E+{power:02d}" for i in range(40)]
    one = found(values, "time")
    assert (one.rule, one.use) == ("short_epoch", "left out")
    assert f"write '{17 * 10 ** (power - 1)}' to use them" in one.why
    assert found(values, "revenue").rule == "number"


@pytest.mark.parametrize("power", [9, 12, 15])
def test_rule_short_epoch_is_read_if_it_has_the_digits_of_a_second(power: int) -> None:
    seconds = [1_700_000_000 + 13 * i for i in range(40)]
    one = found([f"{at / 10**9:.9f}E+{power:02d}" for at in seconds], "time")
    assert (one.rule, one.use, one.likely) == ("short_epoch", "moment", True)
    assert one.contract["unit"] == {9: "s", 12: "ms", 15: "us"}[power]
    assert one.moments is not None
    assert one.moments.tolist() == list(pd.to_datetime(seconds, unit="s", utc=True))
    some = [str(at) for at in seconds] * 10 + ["1.7e+09"]  # as R writes the round ones
    assert found(some, "time").use == "moment"
    assert found(some[-12:], "time").use == "left out"


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([f"2024-08-{1 + i % 28:02d} {i % 24:02d}:00:00 EDT" for i in range(90)], "time"),
        ([f"2024-08-{1 + i % 5:02d} EST" for i in range(90)], "orderDate"),
        (
            [f"3.{1 + i % 12}.2024" if i % 2 else f"2024-08-{1 + i % 28}" for i in range(90)],
            "seen_at",
        ),
        ([f"the {i}. of May" for i in range(90)], "created_at"),
    ],
)
def test_rule_unread_moment_is_left_out_with_the_remedy(values: list[str], name: str) -> None:
    one = found(values, name)
    assert (one.rule, one.use) == ("unread_moment", "left out")
    assert f"{values[0]!r}; to use it write ISO 8601" in one.why


def test_rule_unread_moment_is_no_other_text() -> None:
    assert found(["morning", "noon", "evening"] * 30, "time").rule == "category"
    assert (
        found([f"2024-08-{1 + i % 28:02d} EDT" for i in range(90)], "sentiment").rule == "category"
    )


@pytest.mark.parametrize("start", [2**53, 2**63, 10**20])
def test_rule_number_leaves_out_whole_numbers_that_a_float_would_change(start: int) -> None:
    one = found([start + 7 * i + 1 for i in range(40)] * 2)
    assert (one.rule, one.use) == ("number", "left out")
    assert f"e.g. {start + 1}; --entity" in one.why
    assert found([f"{1.5 * start:.17g}", "5", "7"]).use == "feature", "an amount"


def test_rule_number_leaves_out_what_is_longer_than_any_float() -> None:
    one = found([10**400 + i for i in range(40)] * 2)
    assert (one.rule, one.use) == ("number", "left out")
    assert len(one.why) < 200, "nobody reads 400 digits"


@pytest.mark.parametrize(("scale", "unit"), [(1, "s"), (10**3, "ms"), (10**6, "us"), (10**9, "ns")])
def test_rule_epoch(scale: int, unit: str) -> None:
    one = found([(1_600_000_000 + 7 * i) * scale for i in range(20)], "event_time")
    assert (one.rule, one.use, one.likely) == ("epoch", "moment", False)
    assert one.contract == {"dtype": "datetime", "unit": unit}
    assert one.moments is not None
    assert one.moments[1] == pd.Timestamp("2020-09-13T12:26:47", tz="UTC")
    assert found([f"{i}.25" for i in range(1_600_000_000, 1_600_000_020)], "ts").rule == "epoch"
    assert found([i + 10**8 for i in range(20)], "time").rule != "epoch", "of 1973"


def test_rule_epoch_without_the_name_of_a_time() -> None:
    seconds = [1_600_000_000 + 7 * i for i in range(20)]
    with pytest.raises(UndecidedError, match=r"--epochs 'none'"):
        found(seconds, "salary")
    for given, rule in (("salary", "epoch"), ("none", "number")):
        assert profile(column(seconds, "salary"), Answers({"epochs": given})).rule == rule
    assert found(seconds, "phone").rule == "number"
    large = found([one * 1000 for one in seconds], "salary")
    assert (large.rule, large.likely) == ("epoch", True)
    assert found([one * 1000 for one in seconds], "ean").rule == "number"


@pytest.mark.parametrize(
    ("values", "contract"),
    [
        (["2024-01-31", "2024-02-01"], {}),
        (["2024-01-31 10:00:00.5", "2024-02-01 11:00"], {}),
        (["2024-01-31T10:00:00Z", "2024-02-01T11:00:00Z"], {}),
        (["2024-01-31T10:00+01:00", "2024-07-01T11:00+02:00"], {"offsets": "any"}),
        (["31.01.2024 10:00", "01.02.2024 11:00"], {"format": "%d.%m.%Y %H:%M"}),
        (["31/01/24", "01/02/24"], {"format": "%d/%m/%y"}),
        (["1/31/2024", "2/1/2024"], {"format": "%m/%d/%Y"}),
        (["20240131", "20240201"], {"format": "%Y%m%d"}),
        (["31-Jan-2024", "01-Feb-2024"], {"format": "%d-%b-%Y"}),
        (["Jan 31, 2024", "Feb 1, 2024"], {"format": "%b %d, %Y"}),
        (["01/31/2024 01:30 PM", "02/01/2024 11:00 AM"], {"format": "%m/%d/%Y %I:%M %p"}),
        (["31/Jan/2024", "01/Feb/2024"], None),
    ],
)
def test_rule_moment(values: list[str], contract: dict[str, str] | None) -> None:
    one = found(values * 10)
    if contract is None:
        assert one.rule != "moment"
        return
    assert (one.rule, one.use) == ("moment", "moment")
    assert one.contract == {"dtype": "datetime", **contract}
    assert one.moments is not None
    assert one.moments.min().year == 2024


def test_rule_moment_is_asked_whether_the_day_comes_first() -> None:
    texts = column(["03/04/2020", "05/06/2020"] * 5, "day")
    with pytest.raises(UndecidedError, match=r"'day'.*--dates 'day-first'"):
        profile(texts, Answers())
    one = profile(texts, Answers({"dates": "month-first"}))
    assert one.contract["format"] == "%m/%d/%Y"
    assert profile(texts, Answers(likely=True)).contract["format"] == "%d/%m/%Y"


def test_rule_moment_allows_one_in_a_hundred_to_be_none() -> None:
    good = [f"2024-01-{1 + i % 28:02d}" for i in range(299)]
    assert found([*good, "soon"]).rule == "moment"
    assert found([*good[:30], "soon"]).rule != "moment"


@pytest.mark.parametrize(
    ("values", "contract"),
    [
        ([1, 2, 3, None], {"dtype": "int64", "min": 0, "max": 5, "nullable": True}),
        (["4.0", "2.0", None, "7.0"], {"dtype": "int64", "min": 0, "max": 12, "nullable": True}),
        (["-1.5", "2", "3e1"], {"dtype": "float64", "min": -33, "max": 62}),
        ([0, 1, 1, 0], {"dtype": "int64", "min": 0, "max": 1}),
        ([-3, -1, -2], {"dtype": "int64", "min": -5, "max": 0}),
        (["12345678901234567890"] * 2 + ["1"], {"dtype": "float64", "min": 0, "max": 25e18}),
    ],
)
def test_rule_number(values: list[Any], contract: dict[str, Any]) -> None:
    assert found(values).contract == contract


def test_rule_number_with_marks() -> None:
    one = found(["1.234,5", "2,25", "7"], decimal=",", thousands=".")
    assert one.numbers is not None
    assert one.numbers.tolist() == [1234.5, 2.25, 7.0]
    one = found(["1,234.5", "2.25", "1,000,000"], thousands=",")
    assert one.numbers is not None
    assert one.numbers.tolist() == [1234.5, 2.25, 1e6]


def test_rule_code() -> None:
    one = found([1, 2, 7, 99] * 10, "region_code")
    assert (one.rule, one.encoding, one.likely) == ("code", "one_hot", True)
    assert found([1, 2, 7, 99] * 10, "rooms").rule == "number"


def test_rule_row_number() -> None:
    assert found(list(range(30)), "Unnamed: 0").use == "left out"
    assert found(list(range(30)), "").rule == "row_number"
    assert found(list(range(30)), " ").rule == "row_number"
    assert found(list(range(30))[::-1], "#").rule == "row_number"
    assert found(list(range(30))[::-1], "distance").rule == "number"


def test_rule_row_number_of_any_name_counts_the_rows_as_they_stand() -> None:
    one = found(list(range(7, 37)), "Listing")
    assert (one.rule, one.use, one.why) == ("row_number", "left out", "counts the rows, from 7")
    assert found([*range(29), 30], "Listing").rule == "number"
    assert found([*range(29), None], "Listing").rule == "number"
    assert found(list(range(19)), "Listing").rule == "number", "so few may be in order by chance"
    blocks = [*range(200), *range(5000, 5200)]
    assert found(blocks, "Listing", whole=False).rule == "row_number"
    assert found(blocks, "Listing").rule == "number"


def test_rule_padded() -> None:
    one = found([" 1.5", " 2", " 7"] * 5)
    assert (one.rule, one.use) == ("padded", "left out")
    assert found([" red", " blue"] * 9).rule == "category"


@pytest.mark.parametrize(
    ("form", "contract"),
    [
        ("{} %", {"dtype": "int64", "unit": "%"}),
        ("-{}.5%", {"dtype": "float64", "unit": "%"}),
        ("${}.25", {"dtype": "float64", "unit": "$"}),
        ("$1,{:03d}.50", {"dtype": "float64", "unit": "$", "decimal": ".", "thousands": ","}),
        ("$1,{:03d}", {"dtype": "int64", "unit": "$", "decimal": ".", "thousands": ","}),
        ("1.{:03d},50 €", {"dtype": "float64", "unit": "€", "decimal": ",", "thousands": "."}),
        ("1.{:03d} €", {"dtype": "int64", "unit": "€", "decimal": ",", "thousands": "."}),
        ("1\u00a0{:03d},5\u00a0€", {"dtype": "float64", "unit": "€", "decimal": ",",
                                    "thousands": "\u00a0"}),
        ("USD {}", {"dtype": "int64", "unit": "USD"}),
        ("{} CHF", {"dtype": "int64", "unit": "CHF"}),
        ("- $ {}", {"dtype": "int64", "unit": "$"}),
        ("{} kmpl", {"dtype": "int64", "unit": "kmpl"}),
        ("1.{:03d},5", {"dtype": "float64", "decimal": ",", "thousands": "."}),
    ],
)  # fmt: skip
def test_rule_signed_number(form: str, contract: dict[str, Any]) -> None:
    one = found([*(form.format(i) for i in range(1, 200)), form.format(7)])
    assert one.rule == "signed_number"
    bounds = {"min", "max"}
    assert (one.use, one.encoding) == ("feature", None)
    assert {k: v for k, v in one.contract.items() if k not in bounds} == contract
    assert one.numbers is not None
    assert one.numbers.notna().all()
    read = enforce(
        pd.DataFrame({"x": [form.format(i) for i in range(1, 200)]}),
        ContractSettings.model_validate({"columns": {"x": one.contract}}),
        datetime.now(UTC),
    )
    assert read.rows["x"].tolist() == one.numbers[:-1].tolist(), "as a run reads them"


def test_rule_signed_number_takes_the_marks_of_the_table() -> None:
    one = found([f"1.{i:03d},5 €" for i in range(200)], decimal=",", thousands=".")
    assert (one.contract["unit"], "decimal" in one.contract) == ("€", False)
    own = found([f"{i}.25 %" for i in range(1, 200)], decimal=",", thousands=".")
    assert own.contract["decimal"] == "."


def test_rule_signed_number_in_parentheses_among_plain_ones() -> None:
    one = found([f"({i}.50)" if i % 9 == 0 else f"1,{i:03d}.50" for i in range(200)])
    assert one.contract["negative"] == "parentheses"
    assert one.numbers is not None
    assert one.numbers[:2].tolist() == [-0.5, 1001.5]
    assert found([f"({i}" for i in range(200)]).rule == "text"


def test_rule_signed_number_is_no_mixture_of_units() -> None:
    mixed = found([f"{i} {'€' if i % 2 else '$'}" for i in range(200)])
    assert (mixed.use, "signs that differ" in mixed.why) == ("left out", True)
    assert found([f"{i} kg" for i in (1, 2, 3)] * 20).rule == "category", "few"
    assert found([f"{i}th street" for i in range(60)]).rule == "text"


def test_rule_category() -> None:
    few = found(["a", "b", "c"] * 20)
    assert (few.encoding, few.contract["allowed"]) == ("one_hot", ["a", "b", "c"])
    rare = found(["a", "b"] * 20 + ["c"])
    assert "allowed" not in rare.contract, "seen once, so there may be others"
    sampled = found(["a"] * 2000 + ["b"] * 6, whole=False)
    assert "allowed" not in sampled.contract
    many = found([f"city {i % 60}" for i in range(600)])
    assert (many.rule, many.encoding) == ("category", "target")


def test_rule_text() -> None:
    one = found([f"Mr. {i} of no. {i * 3}" for i in range(60)])
    assert (one.rule, one.use) == ("text", "left out")


def test_the_last_rule_always_applies() -> None:
    assert RULES[-1](column(["a"]), Answers()) is not None


def test_rule_missing() -> None:
    columns = {
        "number": column(["1", "2", "unknown", "3", "?"] * 3).texts,
        "kind": column(["None", "a", "N/A", "unknown"] * 4).texts,
        "telco": column(["20.5", " ", "30", "40"] * 4).texts,
    }
    found = missing_texts(columns, Answers())
    assert set(found.everywhere) == {"?", "N/A", " "}
    assert found.of == {"number": ["unknown"]}, "elsewhere it is a kind"
    kinds = without(columns["kind"], found.texts("kind")).to_pylist()
    assert kinds[:4] == ["None", "a", None, "unknown"]
    given = missing_texts(columns, Answers({"missing": "?,x"}))
    assert given == (["?", "x"], {})
    assert found.by_column(columns).of == {
        "number": ["?", "unknown"], "kind": ["N/A"], "telco": [" "]
    }  # fmt: skip


def test_rule_sentinel() -> None:
    columns = {"age": column([-999, 20, 30, 40, 50, 60, -999, -999] * 5).texts}
    with pytest.raises(UndecidedError, match=r"'age': 15 values are -999.*--missing '-999'"):
        missing_texts(columns, Answers())
    assert missing_texts(columns, Answers(likely=True)) == (["-999"], {})
    assert missing_texts(columns, Answers({"missing": "none"})) == ([], {})
    assert missing_texts({"x": column(list(range(990, 1010)) * 5).texts}, Answers()) == ([], {})
    both = {**columns, "debt": column([-999, -998, 0, 5, 7]).texts}
    assert missing_texts(both, Answers(likely=True)).of == {"age": ["-999"]}
