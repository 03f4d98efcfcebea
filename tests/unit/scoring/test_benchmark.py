"""`benchmarks/scoring.py` in small: both parts run, and say the same."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from benchmarks import scoring


@pytest.mark.parametrize("estimator", scoring.ESTIMATORS.values())
def test_the_loop_and_ours_say_the_same(estimator: str, tmp_path: Path) -> None:
    scoring.make(tmp_path, estimator, 3_500)
    spent = {part: run(tmp_path) for part, run in scoring.PARTS.items()}
    assert all(figures["cpu"] > 0 for figures in spent.values())
    bare, ours = (pd.read_parquet(tmp_path / f"{part}.parquet") for part in scoring.PARTS)
    assert ours["id"].tolist() == bare["id"].tolist()
    # In other requests the last bits differ, as `in_requests` says.
    assert ours["prediction"].to_numpy() == pytest.approx(bare["prediction"].to_numpy(), abs=1e-15)


def test_what_is_the_same_of_all_rows_takes_no_room(tmp_path: Path) -> None:
    scoring.make(tmp_path, next(iter(scoring.ESTIMATORS.values())), 3_500)
    scoring.ours(tmp_path)
    written = pq.ParquetFile(tmp_path / "ours.parquet").metadata.row_group(0)
    sizes = {
        column.path_in_schema: column.total_compressed_size
        for column in map(written.column, range(written.num_columns))
    }
    assert sizes["prediction"] > 8 * 3_500
    assert {name for name, size in sizes.items() if size < 200} == {
        *("features_as_of", "model_version", "scored_at")
    }
