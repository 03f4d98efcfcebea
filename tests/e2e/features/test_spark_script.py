"""The script of Spark that a benchmark compares with gives what the script of pandas gives.

That the latter gives what the graph does is `tests/graph/features/test_beyond_memory.py`.
"""

import subprocess
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.beyond_memory.parts import make
from benchmarks.beyond_memory.scripts import by_pandas
from tests.support.servers import ROOT
from tests.support.services.spark_cluster import PYTHON, install_pyspark

# A script that is only compared with; what the product computes is asked in the gate.
pytestmark = [pytest.mark.e2e, pytest.mark.thorough]


def test_spark_alone_computes_the_same_features_and_labels(tmp_path: Path) -> None:
    install_pyspark()
    events, moments = tmp_path / "events", 3
    make(str(events), "3000", "60", "int64")
    by_pandas(str(events), str(tmp_path / "pandas.parquet"), moments)
    script = ["-W", "ignore", "-m", "benchmarks.beyond_memory.scripts", "spark"]
    made = tmp_path / "spark.parquet"
    subprocess.run([PYTHON, *script, events, made, str(moments)], cwd=ROOT, check=True)

    spark, pandas = (
        pd.read_parquet(file).sort_values(["event_timestamp", "customer"], ignore_index=True)
        for file in (made, tmp_path / "pandas.parquet")
    )
    for frame in (spark, pandas):
        frame["event_timestamp"] = pd.to_datetime(frame["event_timestamp"], utc=True).dt.as_unit(
            "us"
        )
    assert len(spark) > 100
    pd.testing.assert_frame_equal(
        spark[pandas.columns], pandas, check_dtype=False, check_names=False, rtol=1e-12
    )
