"""A moment that the source keeps in several columns."""

from datetime import date, time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from mlops_assets.ml.columns import TABLES
from mlops_assets.ml.data.contract import enforce
from mlops_assets.ml.data.delivered import checked_rows
from mlops_assets.scoring.table import Frame
from tests.support.tables.contracts import NOW, contract
from tests.support.toy_models import flat_table

AT = {"from": ["Date", "Time"], "dtype": "datetime"}
MOMENTS = [pd.Timestamp("2019-01-31 09:30", tz="UTC"), pd.Timestamp("2019-02-01 10:00", tz="UTC")]


@pytest.mark.parametrize(
    "days",
    [
        ["2019-01-31", "2019-02-01"],
        [date(2019, 1, 31), date(2019, 2, 1)],
        pd.to_datetime(["2019-01-31", "2019-02-01"]),
    ],
    ids=["text", "date", "datetime"],
)
@pytest.mark.parametrize("times", [["09:30", "10:00"], [time(9, 30), time(10)]])
def test_days_and_times_of_any_type_are_one_moment(days: Any, times: Any) -> None:
    checked = enforce(pd.DataFrame({"Date": days, "Time": times}), contract(at=AT), NOW)
    assert checked.rows["at"].tolist() == MOMENTS


def test_a_moment_without_a_part_is_none_and_a_bad_one_is_shown_whole() -> None:
    frame = pd.DataFrame({"Date": ["2019-01-31", "2019-02-30"], "Time": [None, "10:00"]})
    checked = enforce(frame, contract(at=AT), NOW)
    assert checked.bad["reason"].tolist() == [
        "at.nullable: None is missing",
        "at.dtype: '2019-02-30 10:00' is not a datetime, or none of the years 1678 to 2262",
    ]
    nullable = contract(at={**AT, "nullable": True})
    assert enforce(frame.head(1), nullable, NOW).rows["at"].isna().all()


def test_a_part_may_be_a_column_too() -> None:
    at = {"from": ["year", "month", "day"], "dtype": "datetime", "format": "%Y %m %d"}
    frame = pd.DataFrame({"year": ["2019", "2019"], "month": ["1", "2"], "day": ["31", "30"]})
    checked = enforce(frame, contract(month={"dtype": "int64"}, at=at), NOW)
    assert checked.rows.to_dict("list") == {"month": [1], "at": [MOMENTS[0].normalize()]}
    assert list(checked.bad["month"]) == ["2"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"from": ["Date"]}, "name two different columns, or one"),
        ({"from": ["Date", "Date"]}, "name two different columns, or one"),
        ({"dtype": "string"}, "only texts of a datetime are joined"),
        ({"unit": "s"}, "only texts of a datetime are joined"),
    ],
)
def test_what_cannot_be_joined_is_refused_at_load(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        contract(at={**AT, **changed})


def test_files_and_frames_of_parts_are_read_and_their_lineage_names_each(tmp_path: Path) -> None:
    settings = flat_table({"x": "int64", "y": "float64"})
    columns = {**settings.contract.columns, "at": contract(at=AT).columns["at"]}
    ours = settings.contract.model_copy(update={"columns": columns})
    settings = settings.model_copy(update={"contract": ours})
    frame = pd.DataFrame(
        {
            **{name: ["1", "2"] for name in settings.contract.columns if name != "at"},
            "Date": ["2019-01-31", "2019-02-01"],
            "Time": ["09:30", "10:00"],
        }
    )
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert checked_rows([tmp_path / "a.csv"], settings, NOW).rows["at"].tolist() == MOMENTS
    named = frame.assign(at=MOMENTS).drop(columns=["Date", "Time"])
    for rows in (frame, named):
        (batch,) = Frame(rows, settings, NOW).batches()
        assert batch.asked.moments.tolist() == [
            at.to_pydatetime().replace(tzinfo=None) for at in MOMENTS
        ]
    (raw, processed) = (TABLES[name](settings) for name in ("raw_data", "processed_data"))
    assert {"Date", "Time"} <= {column.name for column in raw}
    (at,) = [column for column in processed if column.name == "at"]
    assert [cell.column for cell in at.made_of] == ["Date", "Time"]
