"""An event log by the engine of DuckDB: batch by batch from files to features, as by arrays."""

from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow.parquet as pq
import pytest

from benchmarks.beyond_memory.parts import AGGREGATES, STAGES, make, settings
from benchmarks.beyond_memory.scripts import SCRIPTS
from mlops_assets.config import ModelSettings
from mlops_assets.ml import stored_rows
from mlops_assets.ml.data import batches
from mlops_assets.ml.documented import TracedRows
from resources.engine import FeatureEngine
from tests.support.loans import fake_resources
from tests.support.runs.pipeline_runs import checks, failure, materialize, metadata

STAGED = list(STAGES)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "ROWS", 700)
    monkeypatch.setattr(stored_rows, "ROWS", 500)


def resources(state: Path, url: str) -> dict[str, Any]:
    engine = FeatureEngine(url=url, spill=str(state / "spill"))
    return fake_resources(state) | {"engine": engine}


def file_of(state: Path, stage: str) -> Path:
    return state / "assets" / "shop" / f"{stage}.parquet"


def kept(state: Path, stage: str) -> pd.DataFrame:
    return pd.read_parquet(file_of(state, stage))


@pytest.mark.parametrize("kind", ["int64", "string"])
def test_what_is_stored_is_what_arrays_store(
    kind: str, tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.beyond_memory.parts.PER_FILE", 1000)
    make(str(tmp_path / "events"), "3000", "60", kind)
    model = settings(str(tmp_path / "events"), kind, 4)
    found = {}
    for url in ("arrays", "duckdb://?memory_limit=200MB"):
        state = tmp_path / url.partition(":")[0]
        result = materialize(model, resources(state, url), instance, STAGED)
        assert result.success
        assert all(checks(result).values())
        found[url] = state, [metadata(result, "shop", stage) for stage in STAGED]
    (arrays, by_arrays), (duckdb, by_duckdb) = found.values()
    pd.testing.assert_frame_equal(kept(duckdb, "processed_data"), kept(arrays, "processed_data"))
    bad = [pd.read_parquet(next(state.glob("quarantine/shop/*"))) for state in (duckdb, arrays)]
    pd.testing.assert_frame_equal(*bad)
    assert len(bad[0]) > 0
    features = [kept(state, "features") for state in (duckdb, arrays)]
    pd.testing.assert_frame_equal(*features, rtol=1e-12)
    records = [TracedRows.of(file_of(state, "features")).record for state in (duckdb, arrays)]
    assert records[0].rejected == records[1].rejected
    same = ("dagster/row_count", "preview", "rejected_rows", "broken_rules", "columns")
    for stage, one, other in zip(STAGED, by_duckdb, by_arrays, strict=True):
        told = same if stage != "features" else same[:1]
        assert {n: one.get(n) for n in told} == {n: other.get(n) for n in told}, stage
    file = pq.ParquetFile(file_of(duckdb, "processed_data"))
    assert file.metadata.num_rows == by_duckdb[1]["dagster/row_count"]
    assert list((duckdb / "spill").iterdir()) == []


@pytest.mark.parametrize("script", ["pandas", "polars"])
def test_a_script_of_a_peer_computes_the_same_features_and_labels(
    script: str, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    make(str(tmp_path / "events"), "3000", "60", "int64")
    model = settings(str(tmp_path / "events"), "int64", 12)
    assert materialize(model, resources(tmp_path, "arrays"), instance, STAGED).success
    SCRIPTS[script](str(tmp_path / "events"), str(tmp_path / "script.parquet"), 12)
    ours, theirs = (
        pd.read_parquet(file).sort_values(["event_timestamp", "customer"], ignore_index=True)
        for file in (file_of(tmp_path, "features"), tmp_path / "script.parquet")
    )
    times = [frame["event_timestamp"].dt.as_unit("ns") for frame in (ours, theirs)]
    pd.testing.assert_series_equal(*times, check_names=False)
    names = ["customer", *AGGREGATES, "returns"]
    pd.testing.assert_frame_equal(ours[names], theirs[names], check_dtype=False, rtol=1e-12)


def test_rows_that_break_the_contract_leave_what_was_there(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    make(str(tmp_path / "events"), "2000", "60", "int64")
    model = settings(str(tmp_path / "events"), "int64", 4)
    told = resources(tmp_path, "duckdb://")
    assert materialize(model, told, instance, STAGED[:2]).success
    before = kept(tmp_path, "processed_data")
    strict = model.model_dump(mode="json")
    strict["contract"]["columns"]["amount"]["min"] = 1
    refused = materialize(ModelSettings.model_validate(strict), told, instance, STAGED[:2])
    assert "rows break the contract (amount.min" in failure(refused)
    pd.testing.assert_frame_equal(kept(tmp_path, "processed_data"), before)
    (quarantine,) = (tmp_path / "quarantine" / "shop").iterdir()
    assert len(pd.read_parquet(quarantine)) > 20
    assert list((tmp_path / "spill").iterdir()) == []


def test_the_events_are_never_one_frame(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(str(tmp_path / "events"), "2000", "60", "int64")
    model = settings(str(tmp_path / "events"), "int64", 4)

    made = stored_rows.StoredRows.frame

    def framed(rows: stored_rows.StoredRows, *columns: Any) -> pd.DataFrame:
        assert "processed_data" not in rows.path.name, "all events were made a frame"
        return made(rows, *columns)

    monkeypatch.setattr(stored_rows.StoredRows, "frame", framed)
    result = materialize(model, resources(tmp_path, "duckdb://"), instance, STAGED)
    assert result.success
