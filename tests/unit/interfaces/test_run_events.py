"""What `mlops dev` says of runs, each thing once."""

from datetime import UTC, datetime

import dagster as dg

from mlops_assets.interfaces.run_events import RunEvents


@dg.op
def sound() -> None:
    """Do nothing."""


@dg.op
def broken() -> None:
    """Fail."""
    raise ValueError


@dg.job
def loans_training() -> None:
    """Succeed."""
    sound()


@dg.job
def shop_training() -> None:
    """Fail."""
    broken()


def test_a_run_is_told_once_and_a_failed_one_with_the_command_that_says_why() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        before = loans_training.execute_in_process(instance=instance)
        events, said = RunEvents(instance, datetime.now(UTC)), list[str]()
        events.tell(said.append)
        assert said == [], f"{before.run_id} ended before"

        good = loans_training.execute_in_process(instance=instance).run_id[:8]
        bad = shop_training.execute_in_process(instance=instance, raise_on_error=False).run_id[:8]
        for _ in range(2):
            events.tell(said.append)

        assert said == [
            f"run {good} of loans_training succeeded after 0 s",
            f"run {bad} of shop_training failed after 0 s; `mlops logs shop --run {bad}` says why",
        ]


def test_a_run_that_goes_on_is_told_with_who_asked_for_it() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        events, said = RunEvents(instance, datetime.now(UTC)), list[str]()
        tags = {"dagster/sensor_name": "loans_retraining"}
        run = instance.create_run_for_job(loans_training, tags=tags)
        instance.report_engine_event("waits", run)
        events.tell(said.append)
        assert said == []
        started = dg.DagsterEvent(
            event_type_value=dg.DagsterEventType.PIPELINE_START.value, job_name="loans_training"
        )
        instance.report_dagster_event(started, run_id=run.run_id)
        events.tell(said.append)
        assert said == [f"run {run.run_id[:8]} of loans_training began, by loans_retraining"]
