"""`benchmarks/scoring.py` in small: both parts run, and say the same."""

from pathlib import Path

import pandas as pd
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
