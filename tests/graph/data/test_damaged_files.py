"""Every damaged file to a run of a model that had data: one sentence, and the data stay."""

from pathlib import Path
from typing import Any

import dagster as dg

from mlops_assets.config import ModelSettings
from tests.graph.data.test_bad_input import values
from tests.support.loans import loans_yaml
from tests.support.runs.pipeline_runs import failure, materialize
from tests.support.tables.damaged_files import COLUMNS, DAMAGED, GOOD


def ages(source: dict[str, Any]) -> ModelSettings:
    """A model of the two columns that the damaged files would have."""
    changed = {
        "source": source,
        "entity": None,
        "timestamp": None,
        "contract": {"columns": {key: {"dtype": "int64", "nullable": True} for key in COLUMNS}},
        "processing": {},
        "features": {"columns": ["id"]},
        "target": {"name": "old", "task": "regression", "column": "age"},
        "training": {"estimator": "sklearn.linear_model.Ridge"},
        "evaluation": {"primary": "mae"},
    }
    return ModelSettings.model_validate(loans_yaml(Path("x")) | changed)


def test_a_damaged_file_ends_in_one_sentence_and_the_data_stay(
    tmp_path: Path, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    good = tmp_path / "good.csv"
    good.write_bytes(GOOD)
    assert materialize(ages({"uri": str(good)}), resources, instance, ["raw_data"]).success
    before = values(str(tmp_path / "state"))

    wrong: dict[str, str] = {}
    for case, (data, options, words) in DAMAGED.items():
        file = tmp_path / options.get("name", "a.csv")
        file.write_bytes(data)
        source = {"uri": str(file)} | {k: v for k, v in options.items() if k != "name"}
        result = materialize(ages(source), resources, instance, ["raw_data"])
        said = failure(result) if not result.success else "it succeeded"
        lines = said.strip().splitlines()
        if len(lines) != 1 or "SourceError" not in said or not all(word in said for word in words):
            wrong[case] = said
        if values(str(tmp_path / "state")) != before:
            wrong[case] = "it left something behind"
    assert wrong == {}
    assert len(DAMAGED) >= 40
