"""How tables begin and what their columns are called, as the Dagster UI has room for it."""

import pandas as pd

from mlops_assets.metadata import by_column, first_rows
from mlops_assets.ml.legible import NAME, WIDTH, listed, short_names

LONG = "average_transaction_value_in_euro_over_the_last_{}_days_rolling_window"


def preview(frame: pd.DataFrame) -> list[str]:
    return first_rows(frame)["preview"].value.splitlines()


def test_a_table_that_is_too_wide_lies_on_its_side_and_loses_no_column() -> None:
    frame = pd.DataFrame({f"c{n}": [2**53 + 1 + n, None] for n in range(13)}, dtype=object)
    narrow, wide = preview(frame.iloc[:, :2]), preview(frame)
    assert len(narrow) == 2 + len(frame)
    assert len(wide) == 2 + 13
    assert wide[0].split() == ["|", "column", "|", "row", "1", "|", "row", "2", "|"]
    assert wide[2].split()[1:4] == ["c0", "|", str(2**53 + 1)]
    assert str(2**53 + 1) in narrow[2]


def test_of_no_row_the_columns_are_told() -> None:
    frame = pd.DataFrame(columns=[f"column_{n}" for n in range(13)])
    assert len(preview(frame)) == 2 + 13


def test_no_text_and_no_number_is_wider_than_the_page() -> None:
    row = {"a": "x" * 500, "b": 1 / 3, "c": pd.Timestamp("2026-01-02 03:04:05", tz="UTC")}
    for line in preview(pd.DataFrame([row | {LONG.format(n): "y" * 90 for n in range(3)}] * 5)):
        assert len(line) <= WIDTH + 10
    (shown,) = preview(pd.DataFrame([row]))[2:]
    assert "0.333333 | 2026-01-02 03:04:05" in shown


def test_long_names_are_shown_short_and_still_told_apart() -> None:
    names = [*map(LONG.format, range(60)), "amount", "Anteil der Rückläufer (brutto)"]
    shown = short_names(names)
    assert len(set(shown.values())) == len(names)
    assert max(len(word) for said in shown.values() for word in said.split()) <= NAME
    assert shown["amount"] == "amount"
    assert shown[names[-1]] == names[-1], "it is broken where it has a space"


def test_the_whole_name_stays_in_the_metadata() -> None:
    rows = [
        {"column": LONG.format(1), "low": 1},
        {"column": "a", "low": 2, "high": 3},
        {"column": "b"},
    ]
    tables = by_column(rows, {"numbers": ("low", "high"), "texts": ("most_frequent",)})
    assert [*tables] == ["numbers"], "nothing is said of texts"
    shown = tables["numbers"]
    assert [column.name for column in shown.schema.columns] == ["column", "low", "high"]
    first, second = (record.data for record in shown.records)
    assert first["name"] == LONG.format(1)
    assert (second["column"], second["name"]) == ("a", "")


def test_of_many_reasons_a_cell_has_room_for_some() -> None:
    assert listed((), "; ") == ""
    assert listed(("a", "b"), "; ") == "a; b"
    said = listed([f"column_{n}: 0.31 > 0.2" for n in range(60)], "; ")
    assert said.startswith("column_0: 0.31 > 0.2; column_1")
    assert len(said) < 1100
    assert said.endswith("; and 16 more")
    assert listed([f"{'x' * 5000}: 1 > 0"], "; ") == f"{'x' * 25}…{'x' * 25}: 1 > 0", "by words"
