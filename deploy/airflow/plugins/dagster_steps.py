"""What a Dagster run tells of some of its assets; imports neither Dagster nor Airflow."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Event = Mapping[str, Any]

_END_EVENTS = ("RunFailureEvent", "RunCanceledEvent")
_CHECK_FAILED = "DagsterAssetCheckFailedError"  # of one that is blocking
_FINAL_ERRORS = ("Failure", _CHECK_FAILED)  # the first is `dg.Failure`
_STATES: Mapping[str, Literal["started", "done", "failed"]] = {
    "ExecutionStepStartEvent": "started",
    "ExecutionStepUpForRetryEvent": "started",
    "ExecutionStepSuccessEvent": "done",
    "ExecutionStepFailureEvent": "failed",
}
_SHOWN = (*_STATES, "MaterializationEvent", "AssetCheckEvaluationEvent")
_LOUD = ("INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True)
class Reason:
    """Why steps did not succeed; `final` if the same ones again would end the same way."""

    text: str
    final: bool


@dataclass
class Steps:
    """The steps that make some assets and check them, told by the events of their run in order.

    A run tells first, while it is made, which step is for which asset.
    """

    assets: Collection[str] = ()
    """E.g. `customers/features`; empty: all of the run."""
    states: dict[str, Literal["planned", "started", "done", "failed"]] = field(default_factory=dict)

    @classmethod
    def of(cls, assets: Collection[str], events: Iterable[Event]) -> "Steps":
        """What all of these events say."""
        steps = cls(assets)
        for event in events:
            steps.tell(event)
        return steps

    def tell(self, event: Event) -> bool:
        """Take an event in; returns whether it is of one of the steps."""
        key = event.get("asset") or event.get("checked")
        if key and (not self.assets or "/".join(key["path"]) in self.assets):
            self.states.setdefault(event["stepKey"], "planned")
        if event["stepKey"] not in self.states:
            return False
        if state := _STATES.get(event["__typename"]):
            self.states[event["stepKey"]] = state
        return True

    @property
    def done(self) -> bool:
        """Whether there are some and all of them have succeeded."""
        return bool(self.states) and set(self.states.values()) == {"done"}

    @property
    def failed(self) -> bool:
        """Whether one has failed for good."""
        return "failed" in self.states.values()

    @property
    def begun(self) -> bool:
        """Whether one was tried."""
        return bool(set(self.states.values()) - {"planned"})

    def reason(self, events: Iterable[Event]) -> Reason:
        """Why they did not succeed: what their own steps say, else any step, else the run."""
        events = list(events)
        failures = [e for e in events if e["__typename"] == "ExecutionStepFailureEvent"]
        own = [failure for failure in failures if failure["stepKey"] in self.states] or failures
        if own:
            checks = _failed_checks(events)
            text = "; ".join(f"{e['stepKey']}: {_cause(e, checks)}" for e in own)
            classes = {e["error"]["className"] for e in own if e["error"]}
            return Reason(text, final=not classes.isdisjoint(_FINAL_ERRORS))
        ends = [event for event in events if event["__typename"] in _END_EVENTS]
        if not ends:
            return Reason("Dagster gives no reason", final=False)
        return Reason(ends[-1]["message"], final=ends[-1]["__typename"] == "RunCanceledEvent")


class Attempt(NamedTuple):
    """A try of a task that follows steps, and what it knows of the tries before it."""

    is_retry: bool = False
    """Whether one has failed since the task was cleared last, if it was."""
    cleared_since: bool = False
    """Whether the task was cleared after it had followed this very run."""


def is_over(status: str, steps: Steps, attempt: Attempt) -> bool:
    """Whether the steps must run again: their run has nothing more to give, and that was told.

    A first try tells it, of a run in which its steps have failed or which somebody canceled. Of a
    run that ended before it came to them there is nothing to tell: an earlier task was let pass.
    """
    if attempt.cleared_since:
        return True
    if steps.done:
        return False
    canceled = status in ("CANCELING", "CANCELED")
    lost = steps.failed or canceled or status in ("FAILURE", "SUCCESS")
    told = attempt.is_retry or not (steps.begun or canceled)
    return lost and told


def line(event: Event) -> str:
    """What a person wants to read of an event; empty for most."""
    kind, said = event["__typename"], event["message"]
    if kind == "LogMessageEvent":
        return f"{event['stepKey']}: {said}" if event["level"] in _LOUD else ""
    if kind not in _SHOWN:
        return ""
    if event.get("error"):
        return f"{said} {_cause(event)}"
    evaluation = event.get("evaluation") or {}
    return f"{said} {evaluation.get('description') or ''}".strip()


def _failed_checks(events: Iterable[Event]) -> dict[str, str]:
    """Step -> what the check in it says that failed, if it says something."""
    told = [(event["stepKey"], event.get("evaluation") or {}) for event in events]
    return {key: e["description"] for key, e in told if e.get("success") is False}


def _cause(step: Event, checks: Mapping[str, str] | None = None) -> str:
    """The message that the step's author wrote, without Dagster's words around it."""
    about = step.get("failureMetadata") or {}
    if about.get("description"):
        return about["description"]
    error = step["error"] or step
    of_check = (
        (checks or {}).get(step["stepKey"]) if error.get("className") == _CHECK_FAILED else ""
    )
    return of_check or (error.get("causes") or [error])[-1]["message"].strip()
