"""The retraining sensor and the source: each change of its content is a reason to train, once."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.errors import DeploymentError, TrackingError
from mlops_assets.keys import asset_key
from sensors.retraining import build_retraining_sensor
from tests.support.fakes.deployment import FakeDeployment
from tests.support.fakes.tracking import FakeRun, FakeTracking
from tests.support.retraining.loop import DAY, Loop, requested
from tests.support.runs.pipeline_runs import STAGES, build, materialize


@pytest.fixture
def trainer(loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance) -> Loop:
    """The default: each change of the source's content trains."""
    loans["monitoring"] = {"retrain": {"cooldown": "1s"}}
    return Loop(ModelSettings.model_validate(loans), resources, instance)


def test_each_change_of_content_requests_one_run(trainer: Loop, loans_csv: Path) -> None:
    first = requested(trainer.tick())
    assert len(first) == 1, "never materialized"
    trainer.tick()
    trainer.end_run(promoted=True)
    assert "content unchanged" in str(trainer.tick().skip_reason)

    os.utime(loans_csv, (1, 1))
    assert not requested(trainer.tick()), "touched, not changed"

    original = loans_csv.read_text()
    loans_csv.write_text(original + "400,2025-02-04,3.5,a,0\n")
    changed = requested(trainer.tick())
    trainer.end_run(promoted=True)
    trainer.tick()
    loans_csv.write_text(original)
    back = requested(trainer.tick())

    assert len({*first, *changed, *back}) == 3, "changing back is a change too"


def test_new_content_waits_for_the_cooldown_of_a_training_by_hand(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    loans["monitoring"] = {"retrain": {"cooldown": "1d"}}
    loop = Loop(ModelSettings.model_validate(loans), resources, instance)
    assert materialize(loop.settings, resources, instance, STAGES[:4]).success
    loop.now = datetime.now(UTC)
    assert "content unchanged" in str(loop.tick().skip_reason), "the run by hand has read it"

    file = Path(str(loop.settings.source.uri))
    file.write_text(file.read_text() + "400,2025-02-04,3.5,a,0\n")
    assert "wait (cooldown): the source has new content" in str(loop.tick().skip_reason)
    loop.now += DAY
    assert requested(loop.tick())


def test_a_source_that_was_materialized_by_hand_is_not_trained_again(
    trainer: Loop, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    materialize(trainer.settings, resources, instance, ["raw_data"])
    result = trainer.tick()
    assert not requested(result)
    assert "unchanged" in str(result.skip_reason)


def test_a_missing_source_is_a_reason_to_wait(trainer: Loop, loans_csv: Path) -> None:
    loans_csv.unlink()
    result = trainer.tick()
    assert not requested(result)
    assert "loans.csv" in str(result.skip_reason)


def test_the_sensor_itself_decides_and_records(trainer: Loop) -> None:
    sensor = build_retraining_sensor(trainer.settings)
    context = dg.build_sensor_context(
        instance=trainer.instance, resources={"decisions": trainer.decisions}
    )
    result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    assert len(requested(result)) == 1
    assert trainer.decisions.history("loans", 1)[0].rule == "new_data"


def test_new_data_whose_training_fails_is_trained_again_after_the_back_off(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    loans["monitoring"] = {"retrain": {"cooldown": "1s", "backoff": "2d"}}
    loop = Loop(ModelSettings.model_validate(loans), resources, instance)
    assert len(requested(loop.tick())) == 1
    loop.end_run(promoted=None)
    assert "back-off until 2026-01-03" in str(loop.tick().skip_reason)
    loop.now += 2 * DAY
    assert len(requested(loop.tick())) == 1, "a failure is no verdict"
    loop.end_run(promoted=False)
    loop.now += 9 * DAY
    assert "content unchanged" in str(loop.tick().skip_reason), "a refusal is one"


class NoModels(FakeRun):
    def log_model(self, *_: Any, **__: Any) -> Any:
        raise TrackingError


class NoTraining(FakeTracking):
    run_class = NoModels


class NoPlots(FakeRun):
    def log_plots(self, *_: Any) -> None:
        raise TrackingError


class NoEvaluation(FakeTracking):
    run_class = NoPlots


class NoDeployment(FakeDeployment):
    def deploy(self, *_: Any) -> Any:
        raise DeploymentError


@pytest.mark.parametrize(
    ("role", "broken"),
    [("tracking", NoTraining), ("tracking", NoEvaluation), ("deployment", NoDeployment)],
)
def test_content_on_which_a_run_by_hand_failed_is_still_new(
    trainer: Loop,
    role: str,
    broken: type[Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    """As `mlops run` does it: the source in a run of its own, which succeeds, then the rest."""
    assert materialize(trainer.settings, resources, instance, ["raw_data"]).success
    failing = {**resources, role: broken(**resources[role].model_dump())}
    assert not materialize(trainer.settings, failing, instance, STAGES[1:]).success
    trainer.now = datetime.now(UTC) + DAY
    assert requested(trainer.tick()), "no verdict, so it is asked for"


def test_content_that_was_refused_by_hand_is_not_asked_for_again(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    loans["evaluation"]["gate"]["limits"]["roc_auc"]["min"] = 0.9999
    loop = Loop(ModelSettings.model_validate(loans), resources, instance)
    assert not materialize(loop.settings, resources, instance).success
    loop.now = datetime.now(UTC) + 9 * DAY
    assert "content unchanged" in str(loop.tick().skip_reason)


def test_assets_that_somebody_materializes_in_the_ui_are_a_training_in_flight(
    trainer: Loop, instance: dg.DagsterInstance
) -> None:
    job = build(trainer.settings, trainer.resources).resolve_implicit_global_asset_job_def()
    chosen = {asset_key("loans", "trained_model")}
    for status in (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED):
        run = instance.create_run_for_job(job, asset_selection=chosen, status=status)
        assert f"run {run.run_id} " in str(trainer.tick().skip_reason)
        instance.report_run_canceled(run)
    assert requested(trainer.tick())
