"""Tracking and registry: the same assertions on MLflow itself and on the fake."""

import json
import os
import socket
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.errors import TrackingError, TrackingUnavailableError, UnsafeModelError
from mlops_assets.ml.inference.model_files import load_estimator
from mlops_assets.records.evaluation import ModelVersion
from resources.tracking.outcome import this_process
from resources.tracking.run import schema_sample
from resources.tracking.tracking import MLflowTracking
from tests.support.fakes.tracking import FakeTracking
from tests.worlds.effort import worlds
from tests.worlds.tables import World, tables

pytestmark = pytest.mark.e2e

EXAMPLE = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})


def build(kind: type[MLflowTracking], folder: Path) -> MLflowTracking:
    return kind(
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}", artifacts=str(folder / "artifacts")
    )


@pytest.fixture(params=[MLflowTracking, FakeTracking])
def tracking(request: pytest.FixtureRequest, tmp_path: Path) -> MLflowTracking:
    return build(request.param, tmp_path)


def fitted() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(EXAMPLE, [0, 0, 1, 1])


def log(tracking: MLflowTracking) -> ModelVersion:
    with tracking.run("shop", {"dvc/md5": "0" * 32}) as run:
        run.log_params({"C": 1.0})
        run.log_dataset(EXAMPLE, name="shop", digest="0" * 32, target="x")
        return run.log_model(
            fitted(), registered_name="shop", example=EXAMPLE, beside={"model.onnx": b"a graph"}
        )


def test_a_registered_model_comes_back_as_it_was(tracking: MLflowTracking, tmp_path: Path) -> None:
    first, second = log(tracking), log(tracking)
    assert (first.version, second.version) == (1, 2)
    assert second.uri == "models:/shop/2"

    tracking.run_of(second).log_metrics({"roc_auc": 0.8})
    tracking.run_of(second).log_plots({"roc": b"png"})
    (tmp_path / "out").mkdir()
    file = tracking.registry.download_model(second, tmp_path / "out")

    assert file.with_name("model.onnx").read_bytes() == b"a graph"
    restored = load_estimator(file.read_bytes())
    assert restored.predict_proba(EXAMPLE).tolist() == fitted().predict_proba(EXAMPLE).tolist()


@given(tables(keyed=True, rows=60), st.integers(1, 20))
@worlds(20)
def test_a_sample_has_the_schema_of_all_rows(world: World, at_most: int) -> None:
    """MLflow infers it from each cell: its type, and whether one is missing."""
    import mlflow

    sample = schema_sample(world.frame, at_most)
    assert len(sample) <= at_most + world.frame.shape[1]
    known, whole = (
        mlflow.data.from_pandas(rows, digest="a").schema for rows in (sample, world.frame)
    )
    assert known == whole


def test_the_rows_of_a_training_are_logged_by_their_number(tmp_path: Path) -> None:
    import mlflow

    tracking, rows = build(MLflowTracking, tmp_path), 2_500
    table = pd.DataFrame({"x": np.arange(rows, dtype=float), "y": 1.0})
    table.loc[1_777, "x"] = np.nan
    with tracking.run("shop", {}) as run:
        run.log_dataset(table, name="shop", digest="a" * 36 + ".dir", target="y")
    with tracking.store.connected():
        (logged,) = mlflow.get_run(run.id).inputs.dataset_inputs
    assert (logged.dataset.name, logged.dataset.digest) == ("shop", "a" * 36)
    assert json.loads(logged.dataset.profile) == {
        "num_rows": rows, "num_elements": 2 * rows, "schema_of": 835
    }  # fmt: skip
    required = {
        c["name"]: c["required"] for c in json.loads(logged.dataset.schema)["mlflow_colspec"]
    }
    assert required == {"x": False, "y": True}
    assert [(tag.key, tag.value) for tag in logged.tags] == [("mlflow.data.context", "training")]


def test_aliases_move(tracking: MLflowTracking) -> None:
    assert tracking.registry.version_by_alias("shop", "champion") is None
    first, second = log(tracking), log(tracking)
    tracking.registry.set_alias(first, "champion")
    tracking.registry.set_alias(second, "champion")
    found = tracking.registry.version_by_alias("shop", "champion")
    assert found is not None
    assert found.version == 2


def test_a_version_is_found_by_its_number(tracking: MLflowTracking) -> None:
    assert tracking.registry.version("shop", 1) is None
    first = log(tracking)
    assert tracking.registry.version("shop", 1) == first
    assert tracking.registry.version("shop", 2) is None
    assert tracking.run_of(first).tags()["dvc/md5"] == "0" * 32


def test_nothing_is_exported_to_children(
    tracking: MLflowTracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    log(tracking)
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_a_run_goes_on_where_the_same_dagster_run_left_it(tracking: MLflowTracking) -> None:
    tags = {"dagster/run_id": "d1", "dagster/asset_key": "shop/a"}
    with pytest.raises(KeyError), tracking.run("shop", tags) as failed:
        raise KeyError
    with tracking.run("shop", {**tags, "dagster/asset_key": "shop/b"}) as retried:
        retried.log_metrics({"loss": 0.5})
        version = retried.log_model(fitted(), registered_name="shop", example=EXAMPLE)
    with tracking.run("shop", {"dagster/run_id": "d2"}) as other:
        pass
    with tracking.run("elsewhere", tags) as of_another_model:
        pass
    assert retried == failed
    assert len({retried, other, of_another_model}) == 3
    assert version.run_id == retried.id
    assert tracking.run_of(version).tags()["dagster/asset_key"] == "shop/a, shop/b"


def test_children_get_what_is_logged_while_they_are_open(tracking: MLflowTracking) -> None:
    with tracking.run("shop", {"dagster/run_id": "d1"}) as parent:
        with parent.child("trial 1", {"trial": "1"}) as child:
            child.log_params({"C": 1.0})
            in_child = child.log_model(fitted(), registered_name="shop", example=EXAMPLE)
        with pytest.raises(KeyError), parent.child("trial 2"):
            raise KeyError
        parent.add_tags({"predictions": "abc"})
        version = parent.log_model(fitted(), registered_name="shop", example=EXAMPLE)
    assert tracking.run_of(version).read_text("model_card.md") is None
    tracking.run_of(version).log_text("model_card.md", "# shop")
    assert tracking.run_of(version).read_text("model_card.md") == "# shop"
    assert (in_child.run_id, version.run_id) == (child.id, parent.id)
    assert tracking.run_of(in_child).tags()["mlflow.parentRunId"] == parent.id
    assert tracking.run_of(in_child).tags()["trial"] == "1"
    assert tracking.run_of(version).tags()["predictions"] == "abc"
    assert "predictions" not in tracking.run_of(in_child).tags()


def test_what_a_dagster_run_left_open_is_closed_with_its_status(tracking: MLflowTracking) -> None:
    with tracking.run("shop", {"dagster/run_id": "d1"}) as first:
        pass
    with tracking.run("elsewhere", {"dagster/run_id": "d1"}) as of_another_model:
        pass
    with tracking.run("shop", {"dagster/run_id": "d2"}) as other:
        pass
    runs = (first, of_another_model, other)
    assert [status(tracking, run.id) for run in runs] == ["RUNNING"] * 3
    tracking.runs.close("d1", "FAILED")
    tracking.runs.close("d1", "FINISHED")  # nothing is open any more
    tracking.runs.close("d3", "FAILED")
    assert [status(tracking, run.id) for run in runs] == ["FAILED", "FAILED", "RUNNING"]


def status(tracking: MLflowTracking, run_id: str) -> str:
    if isinstance(tracking, FakeTracking):
        return tracking.server.runs[run_id]["status"]
    from mlflow import MlflowClient

    return MlflowClient(tracking.tracking_uri).get_run(run_id).info.status


def test_runs_of_dead_processes_of_this_machine_are_found(tracking: MLflowTracking) -> None:
    here = socket.gethostname()
    for run_id, process in {
        "dead": f"{here}/{os.getpid()}@0",
        "alive": this_process(),
        "elsewhere": "elsewhere/1@0",
    }.items():
        with tracking.run("shop", {"dagster/run_id": run_id, "mlops/process": process}):
            pass
    assert tracking.runs.left_by_the_dead() == {"dead"}
    tracking.runs.close("dead", "KILLED")
    assert tracking.runs.left_by_the_dead() == set()


def test_links_lead_to_the_version_and_its_run(tracking: MLflowTracking) -> None:
    version = log(tracking)
    links = tracking.links(version)
    assert links["mlflow_run"].startswith("http://127.0.0.1:5000/")
    assert links["mlflow_run"].endswith(f"/{version.run_id}?workflowType=machine_learning")
    assert links["mlflow_version"].endswith("/1?workflowType=machine_learning")


def test_a_missing_version_is_an_error(tracking: MLflowTracking, tmp_path: Path) -> None:
    missing = log(tracking).model_copy(update={"version": 9, "uri": "models:/shop/9"})
    with pytest.raises(TrackingError, match="9"):
        tracking.registry.download_model(missing, tmp_path)


def test_a_type_outside_the_allow_list_is_never_logged(tracking: MLflowTracking) -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    model = make_pipeline(FunctionTransformer(_double), fitted()).fit(EXAMPLE, [0, 0, 1, 1])
    with (
        pytest.raises(UnsafeModelError, match="_double"),
        tracking.run("shop", {}) as run,
    ):
        run.log_model(model, registered_name="shop", example=EXAMPLE)


def _double(values: Any) -> Any:
    return values * 2


def test_mlflow_says_what_happened(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    tracking = build(MLflowTracking, tmp_path)
    version = log(tracking)
    tracking.run_of(version).log_metrics({"roc_auc": 0.8})
    tracking.run_of(version).log_plots({"roc": b"png"})
    tracking.run_of(version).rename("shop 1, 2026-03-01, the first")
    tracking.registry.describe(version, "Passed the gate.", "A shop.")
    for place in ("passed the gate", "champion"):
        tracking.registry.tag(version, {"mlops/place": place})
    with pytest.raises(KeyError), tracking.run("shop", {"attempt": "2"}):
        raise KeyError

    client = MlflowClient(tracking.tracking_uri)
    experiment = client.get_experiment_by_name("shop")
    assert experiment is not None
    assert experiment.artifact_location.startswith((tmp_path / "artifacts").as_uri())
    finished = client.get_run(version.run_id)
    assert finished.info.status == "FINISHED"
    assert finished.info.run_name == "shop 1, 2026-03-01, the first"
    registered = client.get_model_version("shop", "1")
    assert (registered.description, registered.tags) == (
        "Passed the gate.",
        {"mlops/place": "champion"},
    )
    assert client.get_registered_model("shop").description == "A shop."
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert finished.data.params == {"C": "1.0"}
    assert finished.data.metrics == {"roc_auc": 0.8}
    assert finished.inputs.dataset_inputs[0].dataset.digest == "0" * 32
    assert [f.path for f in client.list_artifacts(version.run_id, "plots")] == ["plots/roc.png"]
    (failed,) = client.search_runs([experiment.experiment_id], "tags.attempt = '2'")
    assert failed.info.status == "FAILED"


def test_a_killed_child_ends_with_its_parent_but_never_as_finished(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    tracking = build(MLflowTracking, tmp_path)
    with tracking.run("shop", {"dagster/run_id": "d1"}) as parent:
        with parent.child("done") as done:
            pass
        client = MlflowClient(tracking.tracking_uri)
        experiment_id = client.get_run(parent.id).info.experiment_id
        killed = client.create_run(experiment_id, tags={"mlflow.parentRunId": parent.id})
    tracking.runs.close("d1", "FINISHED")
    found = [status(tracking, run) for run in (parent.id, done.id, killed.info.run_id)]
    assert found == ["FINISHED", "FINISHED", "FAILED"]


def test_an_unreachable_server_is_said_at_once(tmp_path: Path) -> None:
    tracking = MLflowTracking(
        tracking_uri="http://127.0.0.1:9", artifacts=str(tmp_path), timeout_seconds=1
    )
    started = time.monotonic()
    with pytest.raises(TrackingUnavailableError, match=r"127\.0\.0\.1:9.*MLFLOW_TRACKING_URI"):
        tracking.registry.version_by_alias("shop", "champion")
    assert time.monotonic() - started < 10, "MLflow alone takes 261 s"


def _log(folder: Path) -> int:
    return log(build(MLflowTracking, folder)).version


def test_processes_that_create_the_store_at_once_all_succeed(tmp_path: Path) -> None:
    with ProcessPoolExecutor(3) as pool:
        versions = list(pool.map(_log, [tmp_path] * 3))
    assert sorted(versions) == [1, 2, 3]
