"""Every engine aggregates as arrays do: over any event log, every aggregate, in every window."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.engines.choice import AUTO_EVENTS, chosen_engine, is_spark
from mlops_assets.engines.duckdb import DuckDBEngine
from mlops_assets.engines.spark import SparkEngine
from mlops_assets.errors import ConfigError, EngineError
from mlops_assets.ml.features.arrays import ARRAYS
from mlops_assets.ml.features.build import aggregate
from mlops_assets.ml.features.engine import Engine
from tests.support.tables.engines import (
    AGGREGATES,
    ENTITIES,
    EVENTS,
    NAMES,
    TARGETS,
    Rows,
    compare_chosen,
    compare_features,
    compare_labels,
    frame_of,
    many_events,
)
from tests.support.toy_models import event_log
from tests.worlds.effort import worlds


@pytest.fixture(params=["duckdb"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """Those that are held to what arrays give."""
    return DuckDBEngine(tmp_path / "spill", "200MB", 2)


@worlds(25)
@given(rows=EVENTS, names=NAMES, entity=st.sampled_from(ENTITIES))
def test_features_are_those_of_arrays(
    engine: Engine, rows: Rows, names: list[str], entity: str
) -> None:
    compare_chosen(rows, names, entity, engine)


def test_every_aggregate_of_many_events_is_that_of_arrays(engine: Engine) -> None:
    compare_features(many_events(), AGGREGATES, "int64", engine, scale=0)


@worlds(25)
@given(rows=EVENTS, target=st.sampled_from(TARGETS))
def test_labels_are_those_of_arrays(engine: Engine, rows: Rows, target: dict[str, Any]) -> None:
    compare_labels(rows, target, engine)


def test_names_that_sql_would_not_tell_apart(engine: Engine) -> None:
    moments = (pd.Timestamp("2024-01-02T00Z"), pd.Timestamp("2024-01-12T00Z"))
    events = frame_of([(1, moment, 2.0, None, True, 1) for moment in moments])
    names = ["n", "select", "at", "amount", "wanted_0", "entity", "number_0"]
    config = event_log({name: {"agg": "sum", "column": "amount"} for name in names})
    pd.testing.assert_frame_equal(
        aggregate(events, config, engine), aggregate(events, config), check_exact=True
    )


def test_more_than_the_memory_limit_is_spilled_and_gone_afterwards(tmp_path: Path) -> None:
    rows = 600_000
    random = np.random.default_rng(0)
    days = pd.to_timedelta(random.integers(0, 9 * 86_400, rows), unit="s")
    at = (pd.Timestamp("2024-01-01T00Z") + days).as_unit("ns")
    amount = random.integers(0, 100, rows).astype(float)
    events = pd.DataFrame({"customer": np.arange(rows), "at": at, "amount": amount, "item": "a"})
    config = event_log(
        {
            "spend": {"agg": "sum", "column": "amount"},
            "amounts": {"agg": "nunique", "column": "amount"},
            "recency": {"agg": "days_since_last"},
        },
        snapshots={"every": "10 days", "start": "2024-01-11", "end": "2024-01-11"},
    )
    events.loc[0, "at"] = pd.Timestamp("2024-01-12T00Z")
    spill = tmp_path / "spill"
    found = aggregate(events, config, DuckDBEngine(spill, "60MB", 1))
    pd.testing.assert_frame_equal(found, aggregate(events, config), check_exact=True)
    assert list(spill.iterdir()) == []

    with pytest.raises(
        EngineError, match=r"memory limit of DuckDB, 2MB, .*Out of Memory.*raise it, e\.g\. MLOPS"
    ):
        aggregate(events, config, DuckDBEngine(spill, "2MB", 1))
    assert list(spill.iterdir()) == []


def test_an_address_means_an_engine(tmp_path: Path) -> None:
    assert chosen_engine("arrays", 10**9, tmp_path) is ARRAYS
    assert chosen_engine("auto", AUTO_EVENTS - 1, tmp_path) is ARRAYS
    assert chosen_engine("auto", AUTO_EVENTS, tmp_path) == DuckDBEngine(tmp_path, "4GB", None)
    limited = chosen_engine("duckdb://?memory_limit=2GB&threads=3", 1, tmp_path)
    assert limited == DuckDBEngine(tmp_path, "2GB", 3)
    for address in ("spark://master:7077", "spark://a.b:1,c:2", "local[2]", "local", "local[*]"):
        assert chosen_engine(address, 1, tmp_path) == SparkEngine(address)
        assert is_spark(address)
    more = chosen_engine("local[2]?spark.driver.memory=4g&spark.ui.port=1", 1, tmp_path)
    assert more == SparkEngine("local[2]", {"spark.driver.memory": "4g", "spark.ui.port": "1"})
    assert (more.name, is_spark(more.name), is_spark("duckdb://")) == ("local[2]", True, False)


def test_a_token_of_spark_connect_is_in_no_name(tmp_path: Path) -> None:
    engine = chosen_engine("sc://spark:15002/;token=s3cret", 1, tmp_path)
    assert engine == SparkEngine("sc://spark:15002/;token=s3cret")
    assert engine.name == "sc://spark:15002"


@pytest.mark.parametrize(
    "url",
    [
        "duckdb", "duckdb://file.db", "duckdb://?memory=2GB", "duckdb://?threads=0", "spark://a",
        "spark://a:1?memory=4g", "spark://a:1,", "local[two]", "local[0", "sc://a", "yarn",
        "duckdb://?memory_limit=plenty", "duckdb://?memory_limit=-1GB", "duckdb://?memory_limit=",
        "duckdb://?memory_limit=1GB&memory_limit=2GB",
    ],
)  # fmt: skip
def test_an_address_of_no_engine_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is no engine; set arrays, auto, duckdb://, spark://"):
        chosen_engine(url, 1, tmp_path)


def test_spark_without_pyspark_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    events = frame_of([(1, pd.Timestamp("2024-01-02T00Z"), 2.0, "a", True, 1)])
    with pytest.raises(
        EngineError, match=r"^MLOPS_ENGINE=local needs PySpark, .*-assets\[spark\]'$"
    ):
        aggregate(events, event_log(), SparkEngine("local"))


def test_a_limit_that_duckdb_cannot_read_is_refused(tmp_path: Path) -> None:
    events = frame_of([(1, pd.Timestamp("2024-01-02T00Z"), 2.0, "a", True, 1)])
    with pytest.raises(
        EngineError, match=r"refuses memory_limit=.*threads=1.*correct MLOPS_ENGINE"
    ):
        aggregate(events, event_log(), chosen_engine(f"duckdb://?threads={10**30}", 1, tmp_path))
