"""`mlops init` over tables that strangers have, then a run of what it wrote, with 0 edits."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.cli.init.writing import write_model
from mlops_assets.components.model_files import read_parts
from mlops_assets.config import ModelSettings
from mlops_assets.init.questions import Answers
from tests.support.own_tables import TABLES
from tests.support.pipeline_runs import STAGES, checks, failure, materialize, materialized, metadata


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "mlops.yaml").touch()
    monkeypatch.setenv("MLOPS_PROJECT", str(folder))
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(folder)
    return folder


def settings_of(file: Path) -> ModelSettings:
    (part,) = read_parts(file.parents[1])
    return part.models[0].settings


@pytest.mark.parametrize("name", TABLES)
def test_a_stranger_s_table_is_served_as_it_was_trained(
    name: str, project: Path, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    table = TABLES[name]
    file, _ = write_model(str(table.write(project)), table.target, name, Answers(table.options))
    settings = settings_of(file)

    result = materialize(settings, resources, instance)

    assert result.success, failure(result)
    assert materialized(result) == STAGES
    assert all(checks(result).values())
    assert metadata(result, name, "processed_data")["rejected_rows"] == 0
    if settings.entity is not None:
        assert checks(result)["online_equals_offline"]
    assert checks(result)["live_equals_offline"]
