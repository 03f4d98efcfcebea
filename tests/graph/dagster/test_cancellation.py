"""A run that is canceled ends canceled: no later step, no retry, whatever is under way."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any

import dagster as dg
import pytest

from mlops_assets.errors import DatasetLockedError
from mlops_assets.failures import RETRIES, reported
from resources.dagster.cancellation import Cancellation
from resources.dagster.executors import execute_here, followed
from resources.dagster.internals import InMemoryJob, execute_run
from resources.tracking.outcome import mark_open
from tests.support.fakes.tracking import FakeRuns, FakeTracking


@dg.job
def nothing() -> None: ...


Way = Callable[[dg.AssetExecutionContext], None]


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Generator[dg.DagsterInstance]:
    """One that other processes could read; its tables are made once."""
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as stored:
        yield stored


@pytest.fixture
def tracking(resources: dict[str, Any]) -> FakeTracking:
    return resources["tracking"]


def ctrl_c(_: dg.AssetExecutionContext) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def ctrl_c_and_wait(context: dg.AssetExecutionContext) -> None:
    ctrl_c(context)
    time.sleep(30)


def sigterm(_: dg.AssetExecutionContext) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def terminated(context: dg.AssetExecutionContext) -> None:
    context.instance.report_run_canceling(context.run)
    os.kill(os.getpid(), signal.SIGINT)


def terminated_by_force(context: dg.AssetExecutionContext) -> None:
    context.instance.report_run_canceled(context.run)
    os.kill(os.getpid(), signal.SIGINT)


def asked_from_elsewhere(context: dg.AssetExecutionContext) -> None:
    context.instance.report_run_canceling(context.run)


def canceled_in(
    step: Callable[[dg.AssetExecutionContext], None],
    instance: dg.DagsterInstance,
    tracking: FakeTracking,
    policy: dg.RetryPolicy | None,
    loggers: Mapping[str, Any] | None = None,
) -> list[dg.DagsterEvent]:
    """The events of a run whose first step is canceled while its MLflow run is open."""

    @dg.asset(retry_policy=policy)
    def first(context: dg.AssetExecutionContext, tracking: dg.ResourceParam[Any]) -> None:
        with reported(), tracking.run("loans", tracking.run_tags(context)):
            step(context)

    @dg.asset(deps=[first])
    def later() -> None: ...

    definitions = dg.Definitions(
        assets=[first, later],
        loggers={"interrupting": interrupting},
        jobs=[dg.define_asset_job("training")],
        resources={"tracking": tracking},
    )
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        execute_here(
            definitions.resolve_job_def("training"),
            instance,
            tracking,
            assets=[first.key, later.key],
            tags={},
            run_config={"loggers": loggers or {}},
        )
    assert time.monotonic() - started < 15
    (run,) = instance.get_runs(limit=1)
    assert run.status == dg.DagsterRunStatus.CANCELED
    assert [logged["status"] for logged in tracking.server.runs.values()] == ["KILLED"]
    return [one.dagster_event for one in instance.all_logs(run.run_id) if one.dagster_event]


def require_nothing_later(events: list[dg.DagsterEvent]) -> None:
    assert [event.step_key for event in events if event.is_step_start] == ["first"]
    assert not [event for event in events if event.is_step_restarted]


WAYS = [ctrl_c, sigterm, terminated, terminated_by_force, asked_from_elsewhere]


@pytest.mark.parametrize("way", WAYS)
def test_a_step_of_ours_ends_and_is_not_tried_again(
    instance: dg.DagsterInstance, tracking: FakeTracking, way: Way
) -> None:
    def step(context: dg.AssetExecutionContext) -> None:
        way(context)
        time.sleep(30)

    events = canceled_in(step, instance, tracking, RETRIES)

    require_nothing_later(events)
    assert not [event for event in events if event.is_step_up_for_retry]


@pytest.mark.parametrize("way", [ctrl_c, terminated])
def test_nor_is_one_with_a_policy_of_its_own(
    instance: dg.DagsterInstance, tracking: FakeTracking, way: Way
) -> None:
    def step(context: dg.AssetExecutionContext) -> None:
        way(context)
        time.sleep(30)

    policy = dg.RetryPolicy(max_retries=3)
    require_nothing_later(canceled_in(step, instance, tracking, policy))


def test_nor_is_one_before_anybody_could_record_the_interrupt(tracking: FakeTracking) -> None:
    """What ended the step is enough, so no race with whoever writes down that it was asked for."""
    with dg.DagsterInstance.ephemeral() as unrecorded:
        policy = dg.RetryPolicy(max_retries=3)
        require_nothing_later(canceled_in(ctrl_c_and_wait, unrecorded, tracking, policy))


@pytest.mark.parametrize("way", [ctrl_c, terminated_by_force])
@pytest.mark.parametrize("becomes", [None, ValueError("unrelated")])
def test_a_library_that_swallows_the_interrupt_ends_the_run_with_its_step(
    instance: dg.DagsterInstance, tracking: FakeTracking, way: Way, becomes: ValueError | None
) -> None:
    def step(context: dg.AssetExecutionContext) -> None:
        try:
            way(context)
            time.sleep(30)
        except BaseException:
            time.sleep(0.3)
            if becomes:
                raise becomes from None

    require_nothing_later(canceled_in(step, instance, tracking, RETRIES))


@pytest.mark.parametrize("way", [ctrl_c, terminated])
def test_an_interrupt_that_python_ignores_ends_the_step_all_the_same(
    instance: dg.DagsterInstance, tracking: FakeTracking, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    ignored: list[type] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: ignored.append(told.exc_type))

    class Collected:
        def __del__(self) -> None:
            way(self.context)

    def step(context: dg.AssetExecutionContext) -> None:
        collected = Collected()
        collected.context = context
        del collected
        assert ignored
        time.sleep(30)

    events = canceled_in(step, instance, tracking, RETRIES)

    require_nothing_later(events)
    assert not [event for event in events if event.is_step_success]


class InterruptsAfterTheStep(logging.Handler):
    """Where Dagster does not let itself be interrupted: while it writes its events down."""

    def emit(self, record: logging.LogRecord) -> None:
        if 'Finished execution of step "first"' in record.getMessage():
            os.kill(os.getpid(), signal.SIGINT)


@dg.logger
def interrupting(_: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("interrupting")
    logger.addHandler(InterruptsAfterTheStep())
    return logger


def test_an_interrupt_between_two_steps_lets_no_other_do_anything(
    instance: dg.DagsterInstance, tracking: FakeTracking
) -> None:
    loggers = {"interrupting": {}}
    events = canceled_in(lambda _: None, instance, tracking, None, loggers)
    assert [event.step_key for event in events if event.is_step_success] == ["first"]
    assert [event.step_key for event in events if event.is_step_materialization] == ["first"]


def test_a_transient_error_is_tried_again_and_a_run_that_nobody_canceled_goes_on(
    instance: dg.DagsterInstance, tracking: FakeTracking
) -> None:
    tries: list[int] = []

    @dg.asset(retry_policy=RETRIES)
    def first(context: dg.AssetExecutionContext) -> None:
        tries.append(context.retry_number)
        with reported():
            if not context.retry_number:
                raise DatasetLockedError("another process holds it")

    job = dg.Definitions(assets=[first], jobs=[dg.define_asset_job("training")])
    result = execute_here(
        job.resolve_job_def("training"),
        instance,
        tracking,
        assets=[first.key],
        tags={},
        run_config={},
    )
    assert result.success
    assert tries == [0, 1]


def test_a_run_that_a_launcher_started_fails_when_its_process_is_interrupted_unasked(
    instance: dg.DagsterInstance,
) -> None:
    """As by the drain of a node: nobody canceled, so it is a failure that somebody hears of."""
    here, launched = (instance.create_run_for_job(nothing).run_id for _ in range(2))
    for kind, run_ids in (("RUN_STARTING", [launched]), ("RUN_START", [here, launched])):
        event = dg.DagsterEvent(dg.DagsterEventType[kind].value, nothing.name)
        for run_id in run_ids:
            instance.report_dagster_event(event, run_id)
    for run_id in (here, launched):
        Cancellation(instance, run_id).record()
    runs = instance.get_runs(dg.RunsFilter(run_ids=[here, launched]))
    stored = {run.run_id: run.status.value for run in runs}
    assert stored == {here: "CANCELING", launched: "STARTED"}


@pytest.mark.parametrize("kind", ["RUN_CANCELING", "RUN_CANCELED"])
def test_a_run_that_is_canceled_while_mlflow_is_told_of_its_end_is_canceled_there_too(
    instance: dg.DagsterInstance,
    tracking: FakeTracking,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    close, asked = FakeRuns.close, []

    def slowly(runs: FakeRuns, run_id: str, *what: str, **said: str) -> None:
        close(runs, run_id, *what, **said)
        if not asked:
            asked.append(run_id)
            event = dg.DagsterEvent(dg.DagsterEventType[kind].value, working.name)
            instance.report_dagster_event(event, run_id)

    monkeypatch.setattr(FakeRuns, "close", slowly)

    @dg.op
    def work(context: dg.OpExecutionContext) -> None:
        mark_open(context.instance, context.run_id)
        with tracking.run("loans", {"dagster/run_id": context.run_id}):
            pass

    @dg.job(executor_def=followed(dg.in_process_executor, tracking))
    def working() -> None:
        work()

    run = instance.create_run_for_job(working)
    result = execute_run(InMemoryJob(working), run, instance)

    assert asked == [run.run_id]
    assert result.dagster_run.status == dg.DagsterRunStatus.CANCELED
    assert [logged["status"] for logged in tracking.server.runs.values()] == ["KILLED"]


@pytest.mark.parametrize("kind", ["RUN_CANCELING", "RUN_CANCELED"])
def test_a_run_that_was_canceled_while_it_was_starting_does_nothing(
    instance: dg.DagsterInstance, tracking: FakeTracking, kind: str
) -> None:
    """Its process may have read its status before, and then says that it has started."""

    @dg.op
    def work() -> None: ...

    @dg.job(executor_def=followed(dg.in_process_executor, tracking))
    def working() -> None:
        work()

    run = instance.create_run_for_job(working)
    canceled = dg.DagsterEvent(dg.DagsterEventType[kind].value, working.name)
    instance.report_dagster_event(canceled, run.run_id)
    result = execute_run(InMemoryJob(working), run, instance)

    assert result.dagster_run.status == dg.DagsterRunStatus.CANCELED
    assert not [event for event in result.all_events if event.is_step_start]


@dg.op
def asks_for_the_end(context: dg.OpExecutionContext) -> int:
    """And nobody interrupts anything, as if the next step could not hear it yet."""
    context.instance.report_run_canceling(context.run)
    return 1


@dg.op
def starts_all_the_same(number: int) -> None:
    time.sleep(20 * number)


def two_processes() -> dg.JobDefinition:
    executor = followed(
        dg.multiprocess_executor, FakeTracking(tracking_uri="memory:", artifacts="unused")
    )

    @dg.job(executor_def=executor)
    def two_steps() -> None:
        starts_all_the_same(asks_for_the_end())

    return two_steps


def test_a_step_that_starts_though_the_run_must_end_is_interrupted(
    instance: dg.DagsterInstance,
) -> None:
    run = instance.create_run_for_job(two_processes())
    launched = dg.DagsterEvent(dg.DagsterEventType.RUN_STARTING.value, run.job_name)
    instance.report_dagster_event(launched, run.run_id)  # so that we ask nobody but its launcher
    result = execute_run(dg.reconstructable(two_processes), run, instance)

    assert result.dagster_run.status == dg.DagsterRunStatus.CANCELED
    starts = [event.step_key for event in result.all_events if event.is_step_start]
    assert starts == ["asks_for_the_end", "starts_all_the_same"]
    done = [event.step_key for event in result.all_events if event.is_step_success]
    assert done == ["asks_for_the_end"]
