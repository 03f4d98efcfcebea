"""How people write weeks, spreadsheets dates, Swiss numbers, infinity, and blanks around values."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.blocks.columns import ColumnContract
from mlops_assets.errors import SourceError
from mlops_assets.init.doubts.classes import find_slips
from mlops_assets.init.questions import Answers
from mlops_assets.init.reading.missing import missing_texts, without
from mlops_assets.init.reading.table import read_sample
from mlops_assets.ml.data.casting import cast
from mlops_assets.ml.data.marks import PLAIN
from tests.unit.init.test_columns import column, found

ROWS = 400


def typed(values: list[Any], contract: dict[str, Any]) -> pd.Series:
    """The values as a run reads them, by a contract that was inferred of them."""
    series = pd.Series(values, dtype=object).astype(str)
    result = cast(series, ColumnContract.model_validate(contract), PLAIN)
    assert not any(at.any() for at in result.problems.values()), result.problems
    return result.typed


@pytest.mark.parametrize(
    ("written", "form"),
    [("{0}-W{1:02d}", "%G-W%V"), ("{0}W{1:02d}", "%GW%V"), ("{0}-W{1:02d}-{2}", "%G-W%V-%u")],
)
def test_rule_moment_of_iso_weeks(written: str, form: str) -> None:
    days = pd.date_range("2018-12-31", periods=200, freq="7D", tz="UTC")
    weeks = [written.format(*day.isocalendar()) for day in days]
    one = found(weeks, source="week")
    assert (one.use, one.contract) == ("moment", {"dtype": "datetime", "format": form})
    assert typed(weeks, one.contract).tolist() == list(days), "the Monday of each"


@pytest.mark.parametrize(("form", "text"), [("%Y-%m", "2024-03"), ("%b %Y", "Mar 2024")])
def test_rule_moment_of_months(form: str, text: str) -> None:
    months = pd.date_range("2014-01-01", periods=120, freq="MS").strftime(form).tolist()
    one = found(months, source="month")
    assert one.contract == {"dtype": "datetime", "format": form}
    assert typed([text], one.contract)[0] == datetime(2024, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("source", ["Invoice Date", "datum", "sold on"])
def test_rule_epoch_of_a_spreadsheet(source: str) -> None:
    days = [45292 + n % 300 for n in range(ROWS)]
    one = found(days, source=source)
    assert (one.use, one.likely) == ("moment", True)
    assert one.contract == {"dtype": "datetime", "unit": "excel"}
    assert typed([45292, 45292.75], one.contract).tolist() == [
        datetime(2024, 1, 1, tzinfo=UTC),
        datetime(2024, 1, 1, 18, tzinfo=UTC),
    ]
    assert found(days, source="waiting time").rule == "number"
    assert found([1, 2, *days[2:100]] * 4, source=source).rule == "number", "not all are days"


def test_days_that_no_spreadsheet_counts_are_bad() -> None:
    rule = ColumnContract.model_validate({"dtype": "datetime", "unit": "excel"})
    texts = pd.Series(["61", "60", "-1", "1e5", "200000", "x"], dtype=object)
    (problem,) = cast(texts, rule, PLAIN).problems.values()
    assert problem.tolist() == [False, True, True, True, True, True]
    numbers = pd.Series([61.0, 60.0, np.inf, 45000.5])
    (problem,) = cast(numbers, rule, PLAIN).problems.values()
    assert problem.tolist() == [False, True, True, False]


@pytest.mark.parametrize("mark", ["'", "\u00a0", "\u202f"])
def test_rule_signed_number_in_groups_of_three(mark: str) -> None:
    texts = [f"{n * 7919 % 100_000 + 0.25:,.2f}".replace(",", mark) for n in range(ROWS)]
    one = found(texts)
    assert one.rule == "signed_number"
    assert one.contract["thousands"] == mark
    assert found([f"{n:03d} {n:03d}" for n in range(ROWS)]).rule == "text", "no number"


def test_rule_missing_of_infinities() -> None:
    texts = column([*np.arange(50.0), "inf", "-inf", "Infinity", "NaN", "#DIV/0!"]).texts
    missing = missing_texts({"x": texts}, Answers())
    assert without(texts, missing.texts("x")).null_count == 5
    assert found(["-0.0", "0.0", "1.5"] * 20).contract["dtype"] == "float64"


def test_rule_text_of_numbers_names_what_is_none() -> None:
    one = found([*(f"{n}.5" for n in range(90)), *"abcdef"], source="size")
    assert one.use == "left out"
    assert one.why == (
        "numbers, but for 6 of 96 values, e.g. 'a'; if those mean no value, say --missing size=a"
    )


def test_rule_marks_of_blanks_around_values(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    rows = [f"{n},{('yes', 'yes ', 'no', 'no  ')[n % 4]}" for n in range(ROWS)]
    file.write_text("\n".join(["x,y", *rows, ""]))
    table = read_sample(str(file), "y", Answers())
    assert table.source["trim"]
    assert set(table.columns["y"].to_pylist()) == {"yes", "no"}
    file.write_text("\n".join(["x,y", *(f"{n},{('a b', 'a')[n % 2]}" for n in range(ROWS)), ""]))
    assert "trim" not in read_sample(str(file), "y", Answers()).source


def test_rule_slip_of_case_and_blanks_however_frequent() -> None:
    counts = {"ok": 300, "OK ": 100, "nok": 200, "NOK": 190}
    assert find_slips(counts) == {"OK ": "ok", "NOK": "nok"}


def test_a_day_without_rows_is_named(tmp_path: Path) -> None:
    for day in (1, 2, 3):
        (tmp_path / f"{day}.csv").write_text("x,y\n" + "1,a\n2,b\n" * (20 if day != 2 else 0))
    with pytest.raises(SourceError, match=r"2\.csv: only a header and no rows; fetch it again"):
        read_sample(str(tmp_path), "y", Answers())
