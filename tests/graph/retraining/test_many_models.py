"""200 models on a real instance: a look at each costs the same, and what drifted is trained."""

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from mlops_assets.cli.main import use_dagster_home
from mlops_assets.components.settings import loaded_models
from mlops_assets.definitions import build_definitions, build_resources
from mlops_assets.home import home
from mlops_assets.keys import STATUS_PAGE, asset_key
from mlops_assets.ml.data.sources import source_fingerprint
from mlops_assets.records.monitoring import DriftSummary, Window
from tests.support.runs.many_models import as_project, make_project

MODELS = 200
DRIFTED = [f"m{number:03}" for number in (0, 3, 42, 77, 101, 150, 199)]
DEFAULTS = {"monitoring": {"retrain": {"on_drift": "train", "on_new_data": "signal"}}}


@pytest.fixture(scope="module")
def location(tmp_path_factory: pytest.TempPathFactory) -> Generator[dg.RepositoryDefinition]:
    """The project as a code server loads it, and DAGSTER_HOME beside its state."""
    folder = tmp_path_factory.mktemp("many") / "project"
    make_project(folder, MODELS)
    (folder / "defs" / "defaults.yaml").write_text(json.dumps(DEFAULTS), encoding="utf-8")
    (folder / "loans.csv").write_text("id,time,amount,grade,label\n1,2026-01-01,1,1,0\n")
    with as_project(folder, pytest.MonkeyPatch()):
        use_dagster_home(folder / ".mlops")
        yield build_definitions().get_repository_def()


@pytest.fixture(scope="module")
def instance(location: dg.RepositoryDefinition) -> Generator[dg.DagsterInstance]:
    """On which each model was trained on what its source holds, and seven have drifted since."""
    with dg.DagsterInstance.get() as instance:
        for name, settings in loaded_models(build_definitions()).items():
            for stage, metadata in history(name, str(source_fingerprint(settings.source))):
                event = dg.AssetMaterialization(asset_key(name, stage), metadata=metadata)
                instance.report_runless_asset_event(event)
        yield instance


def history(name: str, fingerprint: str) -> list[tuple[Any, dict[str, Any]]]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    windows = [
        DriftSummary(
            model=name,
            model_version=1,
            window=Window(start=day, end=day + timedelta(days=1)),
            rows=500,
            reference_rows=500,
            verdict="drifted" if name in DRIFTED else "calm",
        ).model_dump(mode="json")
        for day in (start + timedelta(days=past) for past in range(3))
    ]
    return [
        ("raw_data", {"source_fingerprint": fingerprint}),
        ("drift_report", {"summary": windows[-1], "windows": windows}),
    ]


@contextmanager
def statements() -> Generator[list[str]]:
    """Every statement that Dagster asks its stores, by SQLAlchemy; not those of our own store."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    said: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if str(connection.engine.url) != "sqlite://":  # ours brings its connections
            said.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def look(
    location: dg.RepositoryDefinition, instance: dg.DagsterInstance, sensor: str
) -> list[dg.RunRequest]:
    """One evaluation, as the daemon has it made; what it asks for is launched."""
    definition, all_resources = location.get_sensor_def(sensor), build_resources(home())
    resources = {key: all_resources[key] for key in definition.required_resource_keys}
    with dg.build_sensor_context(instance, resources=resources, sensor_name=sensor) as context:
        found = definition.evaluate_tick(context)
    for request in found.run_requests or []:
        job = location.get_job(request.job_name or sensor.replace("retraining", "training"))
        instance.create_run_for_job(job, tags=request.tags, status=dg.DagsterRunStatus.STARTED)
    return list(found.run_requests or [])


def test_all_of_them_are_loaded(location: dg.RepositoryDefinition) -> None:
    trainings = [name for name in location.job_names if name.endswith("_training")]
    assert len(trainings) == MODELS
    keys = location.asset_graph.get_all_asset_keys() - {STATUS_PAGE}
    assert len(keys) == len({key.path[-1] for key in keys}) * MODELS


def test_drift_in_seven_retrains_these_seven_once(
    location: dg.RepositoryDefinition, instance: dg.DagsterInstance
) -> None:
    """And a look costs as many statements at the last model as at the first: nothing is of all."""
    names = [f"m{number:03}" for number in range(MODELS)]
    asked = {names[0]: look(location, instance, f"{names[0]}_retraining")}  # imports, makes stores
    modules, counts = {*sys.modules}, {}
    for name in names[1:]:
        with statements() as said:
            asked[name] = look(location, instance, f"{name}_retraining")
        counts[name] = len(said)
    assert sorted(name for name, requests in asked.items() if requests) == DRIFTED
    assert all(len(requests) <= 1 for requests in asked.values())
    assert {*sys.modules} == modules
    calm = {count for name, count in counts.items() if name not in DRIFTED}
    assert max(calm) == min(calm) <= 14, calm

    again = {*DRIFTED, *names[::20]}
    assert not any(look(location, instance, f"{name}_retraining") for name in again)
    assert len(instance.get_runs()) == len(DRIFTED)


def test_a_look_after_an_endpoint_that_never_was_is_a_few_statements(
    location: dg.RepositoryDefinition, instance: dg.DagsterInstance
) -> None:
    counts = set()
    for number in range(0, MODELS, 20):
        with statements() as said:
            assert not look(location, instance, f"m{number:03}_endpoint_health")
        counts.add(len(said))
    assert max(counts) == min(counts) <= 6
