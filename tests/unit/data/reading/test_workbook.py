"""Sheets of workbooks: what a cell is in text, and what is refused."""

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.errors import SourceError
from mlops_assets.ml.data.batches import TableFiles
from mlops_assets.ml.data.reading import read_table
from tests.support.tables.contracts import check, kept
from tests.support.tables.workbooks import write_workbook

MOMENT = datetime(2024, 1, 2, 3, 4, 5)  # noqa: DTZ001  Excel knows no zones
HEADER = ["id", "Größe", "when", "paid", "note"]
ROWS: list[list[Any]] = [
    [1, 1.5, MOMENT, True, "a & b"],
    [2, -3.0, date(1950, 2, 1), False, "?"],
    [3, None, None, None, "#N/A"],
]


def read(file: Path, wanted: list[str], **source: Any) -> dict[str, list[str | None]]:
    settings = SourceSettings.model_validate({"uri": str(file), "format": "excel", **source})
    return read_table([file], settings, wanted, "refuse").to_dict("list")


def test_a_cell_is_what_a_text_file_would_have(tmp_path: Path) -> None:
    file = write_workbook(tmp_path / "a.xlsx", {"Data": [HEADER, *ROWS, [None], [None]]})
    assert read(file, HEADER, missing=["", "?"]) == {
        "id": ["1", "2", "3"],
        "Größe": ["1.5", "-3", None],
        "when": ["2024-01-02 03:04:05", "1950-02-01", None],
        "paid": ["true", "false", None],
        "note": ["a & b", None, None],
    }
    moments = read(file, HEADER)["when"][:2]
    assert len(kept(check(moments, dtype="datetime", future="allow"))) == 2


def test_a_sheet_is_named_and_begins_where_it_is_said_to(tmp_path: Path) -> None:
    file = write_workbook(
        tmp_path / "a.xlsx", {"About": [["by me"]], "Data": [["Title"], [None], ["id"], [7]]}
    )
    assert read(file, ["id"], sheet="Data", skip_rows=2) == {"id": ["7"]}
    assert read(file, ["n"], sheet="Data", skip_rows=3, columns=["n"]) == {"n": ["7"]}


@pytest.mark.parametrize(
    ("rows", "source", "said"),
    [
        ([["id"], [1]], {"sheet": "Other"}, r"no sheet 'Other' but \['Data'\]"),
        ([["id"]], {}, "no rows below row 1"),
        ([], {}, "no rows below row 1"),
        ([["id"], [1], [None], [2]], {}, "row 3 is empty"),
        ([["id", None], [1, 2]], {}, "column 2 of row 1 has no name"),
        ([["id", "id"], [1, 2]], {}, "occur more than once"),
        ([["x"], [1]], {}, r"sheet 'Data': the columns \['id'\] are missing"),
        ([[1, 2]], {"columns": ["id"]}, "2 columns, and `source.columns` names 1"),
    ],
)
def test_what_is_no_table_is_refused_by_name(
    tmp_path: Path, rows: list[list[Any]], source: dict[str, Any], said: str
) -> None:
    file = write_workbook(tmp_path / "a.xlsx", {"Data": rows})
    with pytest.raises(SourceError, match=said):
        read(file, ["id"], **source)


def test_what_is_no_workbook_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_workbook(tmp_path / "a.xlsx", {"A": [["id"], [1]], "B": [["id"], [2]]})
    with pytest.raises(SourceError, match=r"the sheets \['A', 'B'\]. Name one by `source.sheet`"):
        read(file, ["id"])
    (tmp_path / "b.xlsx").write_bytes(file.read_bytes()[:-40])
    with pytest.raises(SourceError, match="no readable Excel workbook"):
        read(tmp_path / "b.xlsx", ["id"])
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(SourceError, match=r"pip install 'mlops-assets\[excel\]'"):
        read(file, ["id"], sheet="A")


def test_a_workbook_is_a_batch_too(tmp_path: Path) -> None:
    file = write_workbook(tmp_path / "a.xlsx", {"Data": [["Title"], ["id", "x"], [7, 1]]})
    (tmp_path / "b.csv").write_text("id,x\n8,2\n")
    source = SourceSettings(uri="x", format="excel", skip_rows=1)
    files = TableFiles([file, tmp_path / "b.csv"], source, ["id"])
    assert [table.to_pydict() for table, _ in files] == [{"id": ["7"]}, {"id": ["8"]}]
    assert list(files.ignored) == ["x"]
