"""Columns summed up and drawn: any column of a stranger's, and a picture of bounded bytes."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.pandas import column, data_frames, range_indexes

from mlops_assets.ml.plots.profile import table_plot
from mlops_assets.ml.summary import MOST_COLUMNS, summarized

MOST_BYTES = 20_000
TEXTS = st.one_of(st.none(), st.text(max_size=60), st.booleans(), st.integers())


def test_what_is_said_of_a_column_is_what_stands_in_it() -> None:
    frame = pd.DataFrame(
        {
            "amount": [1.0, 2.0, 3.0, np.nan],
            "grade": ["a", "a", "b", None],
            "when": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-03-01", None], utc=True),
        }
    )
    amount, grade, when = summarized(frame)
    assert (amount.missing, amount.low, amount.mean, amount.high) == (0.25, "1", "2", "3")
    assert (grade.different, grade.most_frequent) == ("2", "a, 66.7%")
    assert (when.low, when.high, when.mean) == ("2024-01-01", "2024-03-01", None)


@settings(max_examples=30)
@given(
    frame=data_frames(
        [
            column("number", elements=st.floats(allow_nan=True, allow_infinity=True)),
            column("huge", elements=st.floats(min_value=1e300)),
            column("mixed", dtype=object, elements=TEXTS),
        ],
        index=range_indexes(max_size=12),
    )
)
def test_any_table_is_summed_up_and_drawn(frame: pd.DataFrame) -> None:
    frame["moment"] = pd.Timestamp("2024-01-01", tz="UTC")
    found = summarized(frame)
    assert [one.rows for one in found] == [len(frame)] * 4
    picture = table_plot(frame, list(frame.columns), {"number": "a $ b $ c"})
    assert picture.startswith(b"\x89PNG")


def test_what_was_counted_in_a_part_of_the_rows_is_no_less_than_that() -> None:
    (found,) = summarized(pd.DataFrame({"id": np.arange(250_000)}))
    assert (found.rows, found.different) == (250_000, "at least 83334")


def test_neighbours_among_huge_numbers_are_drawn() -> None:
    ids = pd.DataFrame(
        {"id": [2**53 + n for n in range(60)], "next": [1.0, np.nextafter(1, 2)] * 30}
    )
    assert table_plot(ids, list(ids.columns), {}).startswith(b"\x89PNG")


def test_a_wide_table_costs_no_more_of_the_event_log() -> None:
    random = np.random.default_rng(0)
    wide = pd.DataFrame(random.lognormal(size=(500, 600)), columns=[f"c{n}" for n in range(600)])
    assert len(summarized(wide)) == MOST_COLUMNS
    assert len(table_plot(wide, list(wide.columns), {})) < MOST_BYTES
