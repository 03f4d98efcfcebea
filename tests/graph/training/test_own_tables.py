"""`mlops init` over tables that strangers have, then a run of what it wrote, with 0 edits."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.cli.init.writing import write_model
from mlops_assets.components.model_files import read_parts
from mlops_assets.config import ModelSettings
from mlops_assets.init.questions import Answers
from mlops_assets.keys import asset_key
from mlops_assets.ml.frames import feature_rows, select_features
from mlops_assets.ml.training.fit import split
from tests.support.runs.pipeline_runs import (
    STAGES,
    build,
    checks,
    failure,
    materialize,
    materialized,
    metadata,
)
from tests.support.served.live_rows import predictions, stored_features
from tests.support.tables.own_tables import TABLES
from tests.worlds.effort import few_in_the_gate

REQUESTS = 1000


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


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("name", few_in_the_gate(TABLES, "events", "dirty", "nested", "weeks"))
def test_a_stranger_s_table_is_served_as_it_was_trained_and_watched_calmly(
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
    answer_a_day_like_the_held_out_rows(settings, resources)
    seen = monitored(settings, resources, instance)
    enough = (
        settings.monitoring.drift.min_rows <= metadata(result, name, "reference_profile")["rows"]
    )
    assert seen["verdict"] == ("calm" if enough else "unknown"), seen["reasons"]


def answer_a_day_like_the_held_out_rows(settings: ModelSettings, resources: dict[str, Any]) -> None:
    """Requests of one day, drawn from the rows that the reference was made of; nothing moved."""
    held_out = split(stored_features(resources, settings.name), settings).test
    asked = held_out.sample(REQUESTS, replace=True, random_state=0, ignore_index=True)
    sent = feature_rows(select_features(asked, settings.feature_dtypes))
    answers = resources["deployment"].predict_features(settings.name, sent)
    likeliest = [max(one.get("probabilities", {"": one["prediction"]}).values()) for one in answers]
    names = settings.features.names
    logged = predictions(asked, np.array(likeliest), entity=settings.key.name, names=names)
    if settings.target.task == "multiclass":
        logged["predicted"] = [answer["prediction"] for answer in answers]
    # What is asked for has the age of its row, whenever it is asked for.
    # A table without moments is of now, and the window of now is not complete.
    complete = pd.Timestamp.now("UTC") - pd.Timedelta(days=3)
    asked_at = min(held_out["event_timestamp"].max(), complete)
    logged["event_time"] = logged["logged_at"] = asked_at
    resources["predictions"].add(settings.name, logged)


def monitored(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> dict[str, Any]:
    """What the drift report says of that day."""
    stages = ("prediction_log", "drift_report")
    job = build(settings, resources).resolve_job_def(f"{settings.name}_monitoring")
    result = job.execute_in_process(
        instance=instance, asset_selection=[asset_key(settings.name, stage) for stage in stages]
    )
    return metadata(result, settings.name, "drift_report")
