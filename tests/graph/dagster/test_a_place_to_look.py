"""What a colleague finds in the Dagster UI: tables that say their columns, and no blob anywhere."""

from typing import Any

import dagster as dg
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key
from mlops_assets.ml.columns import TABLES
from mlops_assets.ml.monitoring.prediction_log import COLUMNS
from tests.support.runs.pipeline_runs import STAGES, build, metadata

pytestmark = pytest.mark.usefixtures("drawn")

MODEL = "loans"
MONITORING = ["prediction_log", "labels", "drift_report", "performance_report", "skew_report"]
MOST_BYTES = 120_000
LINEAGE, SCHEMA = "dagster/column_lineage", "dagster/column_schema"


@pytest.fixture
def trained(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> dg.ExecuteInProcessResult:
    job = build(settings, resources).resolve_job_def(f"{MODEL}_training")
    return job.execute_in_process(instance=instance)


@pytest.fixture
def specs(settings: ModelSettings, resources: dict[str, Any]) -> dict[str, dg.AssetSpec]:
    definitions = build(settings, resources)
    return {spec.key.path[-1]: spec for spec in definitions.resolve_all_asset_specs()}


def test_every_table_says_its_columns_and_what_they_are_made_of_before_it_ever_ran(
    specs: dict[str, dg.AssetSpec],
) -> None:
    schemas = {stage: [c.name for c in specs[stage].metadata[SCHEMA].columns] for stage in TABLES}
    made = {stage for stage in TABLES if LINEAGE in specs[stage].metadata}
    assert made == {*TABLES} - {"raw_data"}, "the source is no asset"
    for stage in made:
        for name, cells in specs[stage].metadata[LINEAGE].deps_by_column.items():
            assert name in schemas[stage]
            for cell in cells:
                assert cell.column_name in schemas[cell.asset_key.path[-1]]


def test_the_columns_that_are_said_are_those_that_are_there(
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    specs: dict[str, dg.AssetSpec],
) -> None:
    result = (
        build(settings, resources)
        .resolve_job_def(f"{MODEL}_training")
        .execute_in_process(instance=instance)
    )
    for stage in ("processed_data", "features"):
        said = [column.name for column in specs[stage].metadata[SCHEMA].columns]
        rows = result.asset_value(asset_key(MODEL, stage)).rows
        assert sorted(said) == sorted(rows.columns)
    said = [column.name for column in specs["prediction_log"].metadata[SCHEMA].columns]
    assert said == [*COLUMNS, *(f"feature_{name}" for name in settings.features.names)]


def test_no_asset_and_no_check_states_a_blob(
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    trained: dg.ExecuteInProcessResult,
) -> None:
    job = build(settings, resources).resolve_job_def(f"{MODEL}_monitoring")
    watched = job.execute_in_process(
        instance=instance, asset_selection=[asset_key(MODEL, stage) for stage in MONITORING]
    )
    said = {
        (event.asset_key.path[-1], name): entry
        for result in (trained, watched)
        for event in result.get_asset_materialization_events()
        if event.asset_key
        for name, entry in event.step_materialization_data.materialization.metadata.items()
    }
    checked = {
        (each.check_name, name): entry
        for result in (trained, watched)
        for each in result.get_asset_check_evaluations()
        for name, entry in each.metadata.items()
    }
    assert {stage for stage, _ in said} == {*STAGES, *MONITORING}
    assert [
        place
        for place, entry in (said | checked).items()
        if isinstance(entry, dg.JsonMetadataValue | dg.PythonArtifactMetadataValue)
    ] == []


def test_a_training_leaves_little_in_the_event_log(trained: dg.ExecuteInProcessResult) -> None:
    """It is kept for ever; without pictures it was 40 kB."""
    said = {
        event.asset_key.path[-1]: len(dg.serialize_value(event.step_materialization_data))
        for event in trained.get_asset_materialization_events()
        if event.asset_key
    }
    assert max(said.values()) < MOST_BYTES, said


def test_what_is_drawn_is_also_there_as_figures(trained: dg.ExecuteInProcessResult) -> None:
    report = metadata(trained, MODEL, "evaluation_report")
    assert report["plots"].count("data:image/png;base64,") == 5
    first = report["importance"][0]
    assert first["column"] == "amount", "of which the outcome is made"
    sizes = [row["rows"] for row in report["learning"]]
    assert sizes == sorted(sizes)
    for stage in ("processed_data", "features", "reference_profile"):
        said = metadata(trained, MODEL, stage)
        assert "data:image/png" in said["plots"]
        assert {"amount", "grade"} <= {row["column"] for row in said["columns"]}


def test_assets_can_be_filtered_and_whatever_launches_runs_says_when(
    specs: dict[str, dg.AssetSpec], settings: ModelSettings, resources: dict[str, Any]
) -> None:
    assert {spec.tags["mlops/part"] for spec in specs.values()} == {
        *("data", "training", "serving", "monitoring")
    }
    assert all(spec.tags["mlops/model"] == MODEL and spec.kinds for spec in specs.values())
    definitions = build(settings, resources)
    repository = definitions.get_repository_def()
    launching = [*repository.get_all_jobs(), *repository.sensor_defs]
    silent = [
        one.name
        for one in launching
        if one.name != "__ASSET_JOB"
        and not any(word in str(one.description) for word in ("Launch it", "Switch it", "Leave it"))
    ]
    assert silent == []
