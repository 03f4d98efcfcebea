"""What Airflow's tasks make of a run's events: whose they are, how they end, when to run again."""

from typing import Any

import pytest

from deploy.airflow.plugins.dagster_steps import Attempt, Event, Reason, Steps, is_over, line

ASSETS = ("m/evaluation_report",)
STEP, CHECK, OTHER = "m__evaluation_report", "m__evaluation_report_gate", "m__features"


def event(kind: str, step: str | None, message: str = "", **more: Any) -> dict[str, Any]:
    told = {"__typename": kind, "stepKey": step, "message": message, "level": "DEBUG"}
    return {**told, **more}


def planned() -> list[Event]:
    of = {"path": ["m", "evaluation_report"]}
    return [
        event("AssetMaterializationPlannedEvent", STEP, asset=of),
        event("AssetMaterializationPlannedEvent", OTHER, asset={"path": ["m", "features"]}),
        event("AssetCheckEvaluationPlannedEvent", CHECK, checked=of),
    ]


def ended(step: str, how: str = "Success", **more: Any) -> Event:
    return event(f"ExecutionStep{how}Event", step, f"{step} ended", **more)


def error(class_name: str, message: str, *causes: str) -> dict[str, Any]:
    found = [{"message": cause} for cause in causes]
    return {"className": class_name, "message": message, "causes": found}


def failed(step: str, problem: dict[str, Any] | None = None, said: str | None = None) -> Event:
    about = {"description": said} if said else None
    return ended(step, "Failure", error=problem, failureMetadata=about)


def test_steps_are_done_when_the_asset_and_its_checks_are() -> None:
    steps = Steps.of(ASSETS, [*planned(), ended(STEP)])
    assert (steps.done, steps.failed, steps.begun) == (False, False, True)
    assert Steps.of(ASSETS, [*planned(), ended(STEP), ended(CHECK)]).done


def test_what_other_steps_do_is_not_told() -> None:
    steps = Steps.of(ASSETS, [*planned(), failed(OTHER)])
    assert not steps.failed
    assert not steps.begun
    assert steps.tell(ended(STEP))
    assert not steps.tell(ended(OTHER))
    assert not steps.tell(event("RunStartEvent", None))


def test_a_step_that_dagster_tries_again_has_not_failed() -> None:
    events = [*planned(), ended(STEP, "UpForRetry", error=None)]
    assert not Steps.of(ASSETS, events).failed
    assert Steps.of(ASSETS, [*events, failed(STEP)]).failed


def test_an_asset_that_the_run_has_not_is_never_done() -> None:
    steps = Steps.of(("m/deployed_endpoint",), planned())
    assert not steps.states
    assert not steps.done


def test_without_assets_it_is_the_whole_run() -> None:
    assert set(Steps.of((), planned()).states) == {STEP, OTHER, CHECK}


def test_a_blocking_check_speaks_for_its_step() -> None:
    refused = {"success": False, "description": "version 2 is refused: roc_auc 0.5"}
    problem = error("DagsterAssetCheckFailedError", "1 blocking asset check failed")
    events = [
        *planned(),
        event("AssetCheckEvaluationEvent", CHECK, evaluation=refused),
        failed(CHECK, problem),
    ]
    expected = Reason(f"{CHECK}: version 2 is refused: roc_auc 0.5", final=True)
    assert Steps.of(ASSETS, events).reason(events) == expected


def test_a_check_that_warns_does_not_speak_for_another_failure() -> None:
    warned = {"success": False, "description": "two features are constant"}
    crash = error("DagsterExecutionStepExecutionError", "x", "MemoryError: 3 GB")
    events = [
        *planned(),
        event("AssetCheckEvaluationEvent", STEP, evaluation=warned),
        failed(STEP, crash),
    ]
    assert Steps.of(ASSETS, events).reason(events) == Reason(f"{STEP}: MemoryError: 3 GB", False)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (
            [failed("a", error("DagsterExecutionStepExecutionError", "", "x", "KeyError: 1\n"))],
            Reason("a: KeyError: 1", final=False),
        ),
        (
            [failed("a"), failed("b", error("Failure", "Error occurred while executing op\n"))],
            Reason("a: a ended; b: Error occurred while executing op", final=True),
        ),
        ([failed("a", said="the disk is full")], Reason("a: the disk is full", final=False)),
        ([event("RunFailureEvent", None, "gone")], Reason("gone", final=False)),
        ([event("RunCanceledEvent", None, "canceled")], Reason("canceled", final=True)),
        ([], Reason("Dagster gives no reason", final=False)),
    ],
    ids=["innermost cause", "final", "its author's words", "no step", "canceled", "nothing"],
)
def test_the_reason_is_that_of_the_steps_or_of_the_run(
    events: list[Event], expected: Reason
) -> None:
    assert Steps().reason(events) == expected


def test_its_own_failure_is_told_and_not_one_beside_it() -> None:
    events = [*planned(), failed(OTHER, said="of another task"), failed(STEP, said="of this one")]
    assert Steps.of(ASSETS, events).reason(events).text == f"{STEP}: of this one"


DONE = [*planned(), ended(STEP), ended(CHECK)]
FAILED = [*planned(), ended(STEP), failed(CHECK)]
RETRY, CLEARED = Attempt(is_retry=True), Attempt(cleared_since=True)


@pytest.mark.parametrize(
    ("status", "events", "attempt", "again"),
    [
        ("STARTED", planned(), Attempt(), False),
        ("STARTED", planned(), RETRY, False),  # the worker was lost, the webserver away
        ("STARTED", DONE, Attempt(), False),
        ("FAILURE", DONE, RETRY, False),  # a later stage failed
        ("FAILURE", FAILED, Attempt(), False),  # the first try says why
        ("FAILURE", FAILED, RETRY, True),
        ("STARTED", FAILED, RETRY, True),
        ("CANCELED", planned(), Attempt(), False),  # the first try says so
        ("CANCELED", planned(), RETRY, True),
        ("CANCELING", planned(), RETRY, True),
        ("FAILURE", planned(), Attempt(), True),  # an earlier task was marked as successful
        ("SUCCESS", DONE, CLEARED, True),
        ("STARTED", planned(), CLEARED, True),  # what is going is being canceled
    ],
)
def test_steps_run_again_when_their_run_has_nothing_more_to_give(
    status: str, events: list[Event], attempt: Attempt, again: bool
) -> None:
    assert is_over(status, Steps.of(ASSETS, events), attempt) is again


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (event("LogMessageEvent", "a", "loud", level="INFO"), "a: loud"),
        (event("LogMessageEvent", "a", "quiet"), ""),
        (event("HandledOutputEvent", "a", "Handled output"), ""),
        (ended("a"), "a ended"),
        (failed("a", said="the disk is full"), "a ended"),
        (failed("a", error("E", "x", "KeyError: 1")), "a ended KeyError: 1"),
        (
            event(
                "AssetCheckEvaluationEvent", "a", "did not pass.", evaluation={"description": "w"}
            ),
            "did not pass. w",
        ),
    ],
)
def test_the_log_has_what_a_person_reads(told: Event, said: str) -> None:
    assert line(told) == said
