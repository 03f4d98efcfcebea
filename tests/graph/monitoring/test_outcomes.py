"""The loop after the prediction: labels arrive late, performance is judged, skew is found."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key
from mlops_assets.ml.monitoring.prediction_log import combine
from mlops_assets.ml.rows import from_row
from mlops_assets.monitoring.answers import judged_answers, learnt_until
from mlops_assets.monitoring.performance import calibrated
from mlops_assets.records.monitoring import PerformanceSummary
from tests.support.fakes.deployment import FakeDeployment
from tests.support.runs.pipeline_runs import build, materialize, metadata
from tests.support.served.live_rows import chances, predictions, stored_features

STAGES = ["prediction_log", "labels", "performance_report", "skew_report"]


@pytest.fixture
def watched(loans: dict[str, Any]) -> ModelSettings:
    monitoring = {"window": "200d", "performance": {"min_rows": 50, "tolerance": 0.3}}
    return ModelSettings.model_validate({**loans, "monitoring": monitoring})


@pytest.fixture
def live(
    watched: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> pd.DataFrame:
    """A deployed model; its features, each with a probability like the data's own."""
    assert materialize(watched, resources, instance).success
    frame = stored_features(resources)
    return frame.assign(chance=chances(frame))


def watch(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> dg.ExecuteInProcessResult:
    job = build(settings, resources).resolve_job_def("loans_monitoring")
    return job.execute_in_process(
        instance=instance,
        asset_selection=[asset_key("loans", stage) for stage in STAGES],
        raise_on_error=False,
    )


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


@pytest.mark.usefixtures("drawn")
def test_a_sound_model_is_good_and_without_skew(
    watched: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    live: pd.DataFrame,
) -> None:
    resources["predictions"].add("loans", predictions(live, live["chance"].to_numpy()))
    result = watch(watched, resources, instance)

    assert result.success
    assert metadata(result, "loans", "labels")["dagster/row_count"] == len(live)
    facts = metadata(result, "loans", "performance_report")
    assert facts["verdict"] == "good"
    assert facts["roc_auc"] > 0.7
    assert "data:image/png" in facts["plots"]
    assert {name: found.passed for name, found in evaluations(result).items()} == {
        "performance_has_not_degraded": True,
        "served_features_equal_offline": True,
    }
    written = Path(resources["metrics"].root, "loans", "metrics", "performance.prom")
    measured = 'model_performance{kind="measured",metric="roc_auc",model_name="loans"}'
    gauges = written.read_text(encoding="utf-8")
    assert measured in gauges
    # The estimate before the labels came, held against what they said.
    error = from_row(facts["final"][-1], PerformanceSummary).estimate_error["log_loss"]
    name = 'model_performance_estimate_error{metric="log_loss",model_name="loans"} '
    assert float(gauges.split(name)[1].split()[0]) == pytest.approx(error)
    assert round(error, 4) in [row["estimate less measured"] for row in facts["by_window"]]
    skew = written.with_name("skew.prom").read_text(encoding="utf-8")
    assert "model_skew_last_run_timestamp_seconds" in skew


def test_the_estimate_takes_scores_for_what_they_were_worth_on_held_out_rows(
    watched: ModelSettings, resources: dict[str, Any], live: pd.DataFrame
) -> None:
    logged = predictions(live.head(200), np.linspace(0, 1, 200))
    found = calibrated(logged, lambda: live, watched, resources["tracking"])
    assert (np.diff(found) >= 0).all()
    assert len(np.unique(found)) < 50  # the steps of the map, not the scores themselves


def test_scores_that_promise_the_contrary_are_degraded(
    watched: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    live: pd.DataFrame,
) -> None:
    resources["predictions"].add("loans", predictions(live, 1 - live["chance"].to_numpy()))
    result = watch(watched, resources, instance)

    found = evaluations(result)["performance_has_not_degraded"]
    assert not found.passed
    assert "log loss" in found.metadata["reasons"].value
    assert result.success  # a verdict about the model, not a failure of the run


def test_a_final_verdict_does_not_change_with_what_comes_later(
    watched: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    live: pd.DataFrame,
) -> None:
    """Late lines of the log here, which say the contrary of what was judged."""
    early, late = live.iloc[::2], live.iloc[1::2]
    resources["predictions"].add("loans", predictions(early, early["chance"].to_numpy()))
    before = final_windows(watch(watched, resources, instance))
    good = {start: one for start, one in before.items() if one.verdict == "good"}
    assert good

    contrary = predictions(late, 1 - late["chance"].to_numpy())
    contrary["request_id"] = [f"late-{i}" for i in range(len(late))]
    resources["predictions"].add("loans", contrary)
    after = final_windows(watch(watched, resources, instance))
    assert {start: after[start] for start in good} == good


def final_windows(result: dg.ExecuteInProcessResult) -> dict[datetime, PerformanceSummary]:
    rows = metadata(result, "loans", "performance_report")["final"]
    final = [from_row(row, PerformanceSummary) for row in rows]
    return {one.window.start: one for one in final}


def test_a_version_is_judged_from_its_first_day_by_what_another_was_asked(
    watched: ModelSettings, resources: dict[str, Any], live: pd.DataFrame
) -> None:
    history = resources["ledger"].history("loans")
    until = learnt_until(history)
    assert until is not None
    logged = predictions(live.head(40), np.full(40, 0.5)).assign(model_version=7)
    since = pd.Series(pd.date_range(until, periods=21, freq="D")[1:].as_unit("us"))
    newer = logged.tail(20).assign(features_as_of=since.to_numpy(), event_time=since.to_numpy())
    newer = newer.astype({name: logged[name].dtype for name in ("features_as_of", "event_time")})

    judged = judged_answers(
        combine([logged.head(20), newer]), history, watched, resources["tracking"]
    )
    assert len(judged) == 20, "what it has learnt from is no evidence"
    assert set(judged["model_version"]) == {1}
    assert judged["score"].nunique() > 5
    without = combine([logged.head(20), newer.drop(columns="feature_grade")])
    assert judged_answers(without, history, watched, resources["tracking"]).empty, "another model"


def test_a_feature_served_otherwise_fails_its_check_by_name(
    watched: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    live: pd.DataFrame,
) -> None:
    logged = predictions(live, live["chance"].to_numpy())
    resources["predictions"].add("loans", logged.assign(feature_amount=0.0))
    result = watch(watched, resources, instance)
    found = evaluations(result)["served_features_equal_offline"]
    assert not found.passed
    assert not result.success  # it blocks
    assert "served 0.0, offline" in found.metadata["skewed"].value
    assert "feature_grade" not in found.metadata["skewed"].value


def test_nothing_was_predicted_yet(
    watched: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    assert materialize(watched, resources, instance).success
    resources["predictions"].add("loans", combine([]))
    result = watch(watched, resources, instance)
    assert result.success
    found = evaluations(result)["performance_has_not_degraded"]
    assert found.metadata["verdict"].value == "unknown"


def test_the_deployed_endpoint_answers_as_the_offline_features_say(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    found = evaluations(materialize(settings, resources, instance))["live_equals_offline"]
    assert found.metadata["entities"].value == 20
    assert found.metadata["different"].value == "none"


class OtherFeatures(FakeDeployment):
    """Answers by entity id as if the online store held other features than the offline store."""

    def predict(
        self, name: str, entities: Sequence[int | str], *, logged: bool = True
    ) -> list[dict[str, Any]]:
        answers = super().predict(name, entities, logged=logged)
        return [{**answer, "prediction": answer["prediction"] / 2} for answer in answers]


def test_an_endpoint_that_reads_other_features_fails_the_deployment(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    other = OtherFeatures(root=resources["deployment"].root)
    result = materialize(settings, {**resources, "deployment": other}, instance)
    found = evaluations(result)["live_equals_offline"]
    assert not found.passed
    assert len(found.metadata["different"].value.split(", ")) == 20
    assert not result.success


def test_a_model_that_is_asked_in_batches_only_is_watched_by_these(
    watched: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    live: pd.DataFrame,
) -> None:
    logged = predictions(live, live["chance"].to_numpy()).assign(role="batch", source="table")
    resources["predictions"].add("loans", logged)
    result = watch(watched, resources, instance)
    assert metadata(result, "loans", "labels")["dagster/row_count"] == len(live)
    facts = metadata(result, "loans", "performance_report")
    assert facts["verdict"] == "good"
    assert metadata(result, "loans", "skew_report")["requests"] == 0, "none was read online"


def test_a_batch_hides_nothing_of_what_clients_are_told(
    watched: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    live: pd.DataFrame,
) -> None:
    clients = predictions(live, 1 - live["chance"].to_numpy())
    batch = predictions(live, live["chance"].to_numpy()).assign(role="batch", source="table")
    resources["predictions"].add("loans", combine([clients, batch]))
    found = evaluations(watch(watched, resources, instance))
    assert not found["performance_has_not_degraded"].passed
