"""What the executor hears of a run that another process began: all of it at once, and first."""

import dagster as dg
import pytest

from resources.cluster.runs.steps import _Pods
from resources.dagster.internals import SerializableErrorInfo
from tests.support.runs.dagster_internals import StepRetryData

RUN = "a run"


class Handler:
    """Of dagster-k8s, as far as it is not asked."""


@pytest.fixture
def pods() -> _Pods:
    return _Pods(Handler())


def event(kind: dg.DagsterEventType, step: str, data: object = None) -> dg.DagsterEvent:
    return dg.DagsterEvent(kind.value, "job", step_key=step, event_specific_data=data)


def retry(step: str) -> dg.DagsterEvent:
    error = SerializableErrorInfo("away", [], "ConnectionError")
    return event(dg.DagsterEventType.STEP_UP_FOR_RETRY, step, StepRetryData(error, 30.0))


def delays(events: list[dg.DagsterEvent]) -> list[float | None]:
    return [one.step_retry_data.seconds_to_wait for one in events if one.is_step_up_for_retry]


def test_a_delay_is_over_once_the_step_was_tried_again(pods: _Pods) -> None:
    """Else Dagster waits for it once more, and takes the success in between for a fault."""
    again = event(dg.DagsterEventType.STEP_RESTARTED, "made")
    told = [retry("made"), again, retry("used")]
    with dg.DagsterInstance.ephemeral() as instance:
        known = pods.sift(instance, RUN, told)
    assert delays(known) == [None, 30.0]
    assert [one.event_type for one in known] == [one.event_type for one in told]


def test_what_was_skipped_dagster_finds_out_itself(pods: _Pods) -> None:
    """Told of it, it takes it for a fault."""
    skipped = event(dg.DagsterEventType.STEP_SKIPPED, "made")
    with dg.DagsterInstance.ephemeral() as instance:
        assert pods.sift(instance, RUN, [skipped]) == []
