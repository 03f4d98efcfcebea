"""A stored frame comes back as it was, and beside it never stands a second one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.data.test_stored_values import loaded, stored

ODD = pd.DataFrame(
    {
        "whole, or none": pd.array([1, None, 2**62], dtype="Int64"),
        "ünïcode": ["a\nb", None, ""],
        "number": [np.nan, -0.0, np.inf],
        "": [True, False, True],
        "when": pd.to_datetime(["1970-01-01", None, "2261-01-01"], utc=True).as_unit("us"),
        "kind": pd.Categorical(["x", "y", "x"]),
        "days": pd.to_timedelta([1, 2, 3], "D"),
    }
)

POOL = pa.proxy_memory_pool(pa.default_memory_pool())
"""It counts, and has to outlive what it gave."""


@pytest.mark.parametrize("frame", [ODD, ODD.head(0)], ids=["odd", "no rows"])
def test_it_is_as_pandas_reads_it(frame: pd.DataFrame, tmp_path: Path) -> None:
    file = stored(tmp_path, frame)
    pd.testing.assert_frame_equal(loaded(tmp_path, pd.DataFrame), pd.read_parquet(file))


def test_of_two_row_groups_there_is_one_copy_and_no_more(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(size=(20_000, 40))
    wide = pd.DataFrame(numbers, columns=[f"x{n}" for n in range(40)])
    file = stored(tmp_path, wide)
    pq.write_table(pa.Table.from_pandas(wide), file, row_group_size=10_000)

    before = pa.default_memory_pool()
    pa.set_memory_pool(POOL)
    try:
        frame = loaded(tmp_path, pd.DataFrame)
    finally:
        pa.set_memory_pool(before)
    assert frame.equals(wide)
    assert POOL.max_memory() < 1.3 * numbers.nbytes
