"""A model whose rows stay in their file, to its endpoint: as if they were in memory."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.ml import stored_rows
from mlops_assets.model_versions.provenance import read_record
from mlops_assets.records.evaluation import ModelCard
from mlops_assets.records.files import CARD_FILE
from tests.support.loans import fake_resources
from tests.support.pipeline_runs import checks, materialize, materialized, metadata

TREES = {"n_estimators": 10, "n_jobs": 1}
XGBOOST = {"estimator": "xgboost.XGBClassifier", "params": TREES, "scale": False}


def test_a_version_is_the_one_that_memory_gives(
    loans: dict[str, Any],
    tmp_path: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stored_rows, "VALUES", 200)
    loans["evaluation"]["slices"] = ["grade"]
    found = {}
    for external in (False, True):
        loans["training"] = {**loans["training"], **XGBOOST, "external_memory": external}
        settings = ModelSettings.model_validate(loans)
        resources = fake_resources(tmp_path / str(external))
        runs = [materialize(settings, resources, instance) for _ in range(2)]
        tracking = resources["tracking"]
        versions = [tracking.registry.version("loans", number) for number in (1, 2)]
        cards = [
            ModelCard.model_validate_json(tracking.run_of(one).read_text(CARD_FILE))
            for one in versions
        ]
        assert "deployed_endpoint" in materialized(runs[0])
        found[external] = runs, [read_record(one, tracking) for one in versions], cards
    (memory, recorded, in_memory), (file, read, by_file) = found.values()
    for one, other in zip(memory, file, strict=True):
        assert checks(one) == checks(other)
        for stage in materialized(one)[3:6]:
            mine, its = (metadata(run, "loans", stage) for run in (one, other))
            apart = {"external_memory", "model_card", "value", "model_uri", "run_id", "size_bytes"}
            assert {k for k in mine.keys() | its.keys() if mine.get(k) != its.get(k)} <= apart
    assert [one.prediction_sha256 for one in recorded] == [one.prediction_sha256 for one in read]
    for one, other in zip(in_memory, by_file, strict=True):
        assert one.evaluation.decision == other.evaluation.decision
        assert one.evaluation.comparison == other.evaluation.comparison
        assert (one.external_memory, other.external_memory) == (False, True)
    text = metadata(file[0], "loans", "evaluation_report")["model_card"]
    assert "read from their file, batch by batch" in text
