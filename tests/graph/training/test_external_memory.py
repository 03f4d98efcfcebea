"""A model whose rows stay in their file, to its endpoint: as if they were in memory."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from benchmarks.beyond_memory.parts import make, settings
from mlops_assets.config import ModelSettings
from mlops_assets.ml import stored_rows
from mlops_assets.ml.data import batches
from mlops_assets.model_versions.provenance import read_record
from mlops_assets.records.evaluation import ModelCard
from mlops_assets.records.files import CARD_FILE
from resources.engine import FeatureEngine
from tests.support.loans import fake_resources
from tests.support.runs.pipeline_runs import STAGES, checks, materialize, materialized, metadata

TREES = {"n_estimators": 10, "n_jobs": 1}
PATHS = {name: f"assets/loans/{name}.parquet" for name in ("processed_data", "features")}
XGBOOST = {"estimator": "xgboost.XGBClassifier", "params": TREES, "scale": False}


def test_a_version_is_the_one_that_memory_gives(
    loans: dict[str, Any],
    tmp_path: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stored_rows, "VALUES", 200)
    loans["evaluation"]["slices"] = ["grade"]
    found, kept = {}, defaultdict[str, list[pd.DataFrame]](list)
    for external in (False, True):
        loans["training"] = {**loans["training"], **XGBOOST, "external_memory": external}
        model = ModelSettings.model_validate(loans)
        resources = fake_resources(tmp_path / str(external))
        runs = [materialize(model, resources, instance) for _ in range(2)]
        tracking = resources["tracking"]
        versions = [tracking.registry.version("loans", number) for number in (1, 2)]
        cards = [
            ModelCard.model_validate_json(tracking.run_of(one).read_text(CARD_FILE))
            for one in versions
        ]
        assert "deployed_endpoint" in materialized(runs[0])
        for stage in ("processed_data", "features"):
            kept[stage].append(pd.read_parquet(tmp_path / str(external) / PATHS[stage]))
        found[external] = runs, [read_record(one, tracking) for one in versions], cards
    for frames in kept.values():
        pd.testing.assert_frame_equal(*frames)
    (memory, recorded, in_memory), (file, read, by_file) = found.values()
    for one, other in zip(memory, file, strict=True):
        assert checks(one) == checks(other)
        for stage in materialized(one)[1:6]:
            mine, its = (metadata(run, "loans", stage) for run in (one, other))
            apart = {"external_memory", "model_card", "value", "model_uri", "run_id", "size_bytes"}
            apart |= {"profiled_rows", "quarantine"}
            assert {k for k in mine.keys() | its.keys() if mine.get(k) != its.get(k)} <= apart
    assert [one.prediction_sha256 for one in recorded] == [one.prediction_sha256 for one in read]
    for one, other in zip(in_memory, by_file, strict=True):
        assert one.evaluation.decision == other.evaluation.decision
        assert one.evaluation.comparison == other.evaluation.comparison
        assert (one.external_memory, other.external_memory) == (False, True)
    text = metadata(file[0], "loans", "evaluation_report")["model_card"]
    assert "read from their file, batch by batch" in text


def without_keys(loans: dict[str, Any]) -> dict[str, Any]:
    """Rows that nothing tells apart but what they say, as of their delivery."""
    split = {"split": {"by": "random", "fraction": 0.3}}
    rest = {name: block for name, block in loans.items() if name not in ("entity", "timestamp")}
    return {**rest, "features": {"columns": ["amount", "grade"]}, "training": {**XGBOOST, **split}}


def a_log(folder: Path) -> dict[str, Any]:
    """Purchases of customers, whose features are aggregates."""
    make(str(folder / "events"), "3000", "60", "string")
    told = settings(str(folder / "events"), "string", 5).model_dump(mode="json")
    return {**told, "training": {**told["training"], **XGBOOST}}


@pytest.mark.parametrize(
    ("kind", "url"), [("table", "arrays"), ("log", "arrays"), ("log", "duckdb://")]
)
def test_rows_are_stored_as_memory_stores_them(
    kind: str,
    url: str,
    loans: dict[str, Any],
    tmp_path: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stored_rows, "VALUES", 200)
    monkeypatch.setattr(batches, "ROWS", 70 if kind == "table" else 500)
    yaml = without_keys(loans) if kind == "table" else a_log(tmp_path)
    engine = FeatureEngine(url=url, spill=str(tmp_path / "spill"))
    resources, found = fake_resources(tmp_path) | {"engine": engine}, []
    for external in (False, True):
        yaml["training"]["external_memory"] = external
        model = ModelSettings.model_validate(yaml)
        stages = STAGES[external:4]  # of one delivery
        result = materialize(model, resources, instance, stages)
        assert materialized(result) == stages
        assert all(checks(result).values())
        version = resources["tracking"].registry.version(model.name, 1 + external)
        folder = tmp_path / "assets" / model.name
        frames = [pd.read_parquet(folder / f"{stage}.parquet") for stage in STAGES[1:3]]
        record = read_record(version, resources["tracking"])
        found.append((frames, record.prediction_sha256, metadata(result, model.name, "features")))
    assert [*(tmp_path / "spill").iterdir()] == []
    (memory, said, told), (file, repeated, described) = found
    for one, other in zip(memory, file, strict=True):
        pd.testing.assert_frame_equal(other, one)
    assert said == repeated
    same = ("dagster/row_count", "labelled_rows", "newest", "newest_entity", "preview", "columns")
    assert [told.get(name) for name in same] == [described.get(name) for name in same]
