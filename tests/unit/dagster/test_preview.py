"""How a table begins, as the Dagster UI shows it."""

import pandas as pd

from mlops_assets.metadata import WIDE, first_rows


def test_a_table_of_many_columns_lies_on_its_side_and_loses_nothing() -> None:
    columns = {f"c{n}": [2**53 + 1 + n, None] for n in range(WIDE + 1)}
    frame = pd.DataFrame(columns, dtype=object)
    narrow, wide = (
        first_rows(shown)["preview"].value.splitlines() for shown in (frame.iloc[:, :WIDE], frame)
    )
    assert len(narrow) == 2 + len(frame)
    assert len(wide) == 2 + WIDE + 1
    assert wide[0].split() == ["|", "column", "|", "row", "1", "|", "row", "2", "|"]
    assert wide[2].split()[1:4] == ["c0", "|", str(2**53 + 1)]
    assert str(2**53 + 1) in narrow[2]


def test_of_no_row_the_columns_are_told() -> None:
    frame = pd.DataFrame(columns=[f"c{n}" for n in range(WIDE + 1)])
    assert len(first_rows(frame)["preview"].value.splitlines()) == 2 + WIDE + 1
