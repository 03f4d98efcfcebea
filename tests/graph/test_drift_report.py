"""Drift through the assets: calm, drifted, broken upstream; and what a drift sets in motion."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.assets.live_window import PROFILE_FILE, stored_profile
from mlops_assets.config import ModelSettings
from mlops_assets.errors import TrackingError
from mlops_assets.keys import asset_key
from resources.decisions import DecisionStore
from sensors.retraining import tick
from tests.graph.test_outcomes import predictions
from tests.graph.test_pipeline import build, materialize, metadata

DAY = pd.Timedelta(days=1)


@pytest.fixture
def watched(loans: dict[str, Any]) -> ModelSettings:
    retrain = {
        "drift": {"windows": 2, "enter": 2, "leave": 0},
        "on_drift": "train",
        "on_new_data": "signal",
        "cooldown": "1s",
    }
    monitoring = {"window": "1d", "drift": {"min_rows": 50}, "retrain": retrain}
    return ModelSettings.model_validate({**loans, "monitoring": monitoring})


@pytest.fixture
def held_out(
    watched: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> pd.DataFrame:
    """A deployed model, and the rows that its reference profile is made of."""
    assert materialize(watched, resources, instance).success
    key = dg.AssetKey(["loans", "features"])
    frame = pd.read_parquet(resources["io_manager"].path(key, pd.DataFrame))
    return frame[frame["event_timestamp"] > frame["event_timestamp"].max() - 90 * DAY]


def log(resources: dict[str, Any], rows: pd.DataFrame, day: int, *, shift: Any = 0.0) -> None:
    """A day of requests like `rows`, answered as the reference was, but for a shifted amount."""
    logit = (rows["amount"] - 50) / 8 + (rows["grade"] == "c")
    logged = predictions(rows, 1 / (1 + np.exp(-logit.to_numpy())))
    moment = pd.Timestamp("2025-01-01", tz="UTC") + day * DAY
    logged["event_time"] = logged["features_as_of"] = logged["logged_at"] = moment
    logged["request_id"] = [f"{day}-{i}" for i in range(len(logged))]
    logged["feature_amount"] += shift
    resources["predictions"].add("loans", logged)


def watch(
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    **config: bool,
) -> dict[str, Any]:
    job = build(settings, resources).resolve_job_def("loans_monitoring")
    selected = [asset_key("loans", stage) for stage in ("prediction_log", "drift_report")]
    result = job.execute_in_process(
        instance=instance,
        asset_selection=selected,
        run_config={"ops": {"loans__drift_report": {"config": config}}},
    )
    (found,) = (
        e
        for e in result.get_asset_check_evaluations()
        if e.check_name == "features_have_not_drifted"
    )
    return {**metadata(result, "loans", "drift_report"), "passed": found.passed}


def page_of(found: dict[str, Any], resources: dict[str, Any]) -> str:
    """Evidently's page behind the link that the UI shows, as the version's run keeps it."""
    run, page = found["evidently"].split("/artifacts/")
    version = resources["tracking"].version("loans", 1)
    assert run == resources["tracking"].links(version)["mlflow_run"]
    return resources["tracking"].read_text(version, page)


def test_the_reference_itself_is_calm(
    watched: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    held_out: pd.DataFrame,
) -> None:
    log(resources, held_out, 0)
    found = watch(watched, resources, instance)
    assert (found["verdict"], found["passed"]) == ("calm", True)
    assert "evidently" not in found
    assert "data:image/png" in found["plots"]


def test_a_shift_is_reported_drawn_and_measured(
    watched: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    held_out: pd.DataFrame,
) -> None:
    log(resources, held_out, 0, shift=40.0)
    found = watch(watched, resources, instance)
    assert (found["verdict"], found["passed"]) == ("drifted", False)
    assert found["drifted_columns"] == "amount"
    assert "amount" in page_of(found, resources)
    gauges = Path(resources["metrics"].root, "loans", "metrics", "drift.prom")
    text = gauges.read_text(encoding="utf-8")
    assert 'model_feature_drift{feature="amount"' in text
    for method in ("jensen_shannon", "kolmogorov_smirnov", "wasserstein", "p_value"):
        assert f'feature="amount",method="{method}"' in text
        assert method in found["columns"]
    assert "| amount | drifted |" in found["columns"]
    assert "| grade | calm |" in found["columns"]
    assert 'model_drift_alarm{model_name="loans"} 1.0' in text


def test_every_column_is_drawn_on_demand(
    watched: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    held_out: pd.DataFrame,
) -> None:
    log(resources, held_out, 0)
    found = watch(watched, resources, instance, all_columns=True)
    assert found["verdict"] == "calm"
    page = page_of(found, resources)
    assert all(name in page for name in ("amount", "grade", "prediction"))


def test_what_cannot_be_drawn_costs_no_verdict(
    watched: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    held_out: pd.DataFrame,
) -> None:
    log(resources, held_out, 0, shift=np.where(np.arange(len(held_out)) % 2, np.inf, -np.inf))
    found = watch(watched, resources, instance)
    assert found["verdict"] == "drifted"
    assert found["evidently"].startswith("Evidently cannot draw")


def test_a_profile_of_another_release_says_what_to_do(
    watched: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    assert materialize(watched, resources, instance).success
    tracking = resources["tracking"]
    version = tracking.version("loans", 1)
    tracking.log_text(version, PROFILE_FILE, '{"rows": 1, "columns": {"amount": {}}}')
    with pytest.raises(TrackingError, match=r"another release .* train loans anew"):
        stored_profile(version, tracking)


def test_a_column_that_went_missing_is_a_fault_and_trains_nothing(
    watched: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    held_out: pd.DataFrame,
    tmp_path: Path,
) -> None:
    decisions = DecisionStore(path=str(tmp_path / "decisions.db"))
    for day in range(3):
        log(resources, held_out, day, shift=float("nan"))
        found = watch(watched, resources, instance)
        assert found["broken_columns"] == "amount"
        decided = tick(instance, watched, decisions, datetime.now(UTC))
        assert not decided.run_requests


def test_drift_that_stays_requests_one_training(
    watched: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    held_out: pd.DataFrame,
    tmp_path: Path,
) -> None:
    decisions = DecisionStore(path=str(tmp_path / "decisions.db"))
    later = datetime.now(UTC).replace(year=datetime.now(UTC).year + 1)
    requested = []
    for day in range(3):
        log(resources, held_out, day, shift=40.0)
        watch(watched, resources, instance)
        decided = tick(instance, watched, decisions, later)
        requested += decided.run_requests or []
        again = tick(instance, watched, decisions, later)
        requested += again.run_requests or []
    keys = {request.run_key for request in requested}
    assert len(keys) == 1
    assert requested[0].tags["mlops/trigger"] == "drift"


def test_a_season_is_compared_with_itself_once_it_was_seen_often_enough(
    watched: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    held_out: pd.DataFrame,
) -> None:
    values = watched.model_dump()
    values["monitoring"]["drift"] |= {"reference": "same_weekday", "history": 2}
    seasonal = ModelSettings.model_validate(values)
    found = []
    for week in range(3):
        log(resources, held_out, 7 * week, shift=40.0)
        found.append(watch(seasonal, resources, instance))
    assert [one["verdict"] for one in found] == ["drifted", "drifted", "calm"]
    assert [one["reference"] for one in found] == ["training", "training", "same_weekday"]
    assert "training: 1 earlier windows with" in found[1]["notes"]
    assert found[2]["notes"] == "none"

    log(resources, held_out, 21, shift=90.0)
    moved = watch(seasonal, resources, instance)
    assert moved["drifted_columns"] == "amount"
    assert "amount" in page_of(moved, resources)


def test_a_column_that_ages_is_compared_at_the_same_age(
    watched: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    values = watched.model_dump()
    values["monitoring"]["drift"]["ageing"] = {"amount": "1d"}
    ageing = ModelSettings.model_validate(values)
    assert materialize(ageing, resources, instance).success
    key = dg.AssetKey(["loans", "features"])
    rows = pd.read_parquet(resources["io_manager"].path(key, pd.DataFrame))
    rows = rows[rows["event_timestamp"] > rows["event_timestamp"].max() - 90 * DAY]
    moment = pd.Timestamp("2025-01-01", tz="UTC")
    log(resources, rows, 0, shift=((moment - rows["event_timestamp"]) / DAY).to_numpy())

    aged = watch(ageing, resources, instance)
    assert (aged["verdict"], aged["notes"]) == ("calm", "none")
    plain = watch(watched, resources, instance)
    assert plain["notes"].startswith("columns counted as ageing: amount")
