"""What the retrain policy knows, remembers and decides: plain values, stored as JSON."""

from typing import Literal

from pydantic import AwareDatetime, Field

from mlops_assets.blocks.base import Record
from mlops_assets.records.monitoring import DriftSummary, PerformanceSummary, Window

Trigger = Literal["performance", "drift", "new_data"]
Result = Literal["running", "promoted", "refused", "failed"]
Action = Literal["train", "wait", "paused", "running", "alert", "idle"]


class Outcome(Record):
    """What became of the training that was asked for last."""

    decision: str = Field(description="Id of the decision that asked for it.")
    result: Result
    run_id: str
    reason: str = ""


class Pause(Record):
    """An operator's order to start no training until a moment."""

    until: AwareDatetime
    why: str
    who: str


class Signals(Record):
    """The world as one tick of the sensor finds it; nothing here is remembered."""

    drift: tuple[DriftSummary, ...] = Field((), description="Newest reports, the oldest first.")
    performance: tuple[PerformanceSummary, ...] = Field((), description="Final windows, likewise.")
    estimate: PerformanceSummary | None = Field(None, description="The newest window, unlabelled.")
    fingerprint: str | None = Field(None, description="Of the source's content; None: not known.")
    source_note: str = Field("", description="Why there is no fingerprint.")
    trained_at: AwareDatetime | None = Field(None, description="Last training, by whomever.")
    trained_on: str | None = Field(
        None,
        description="Fingerprint of what the last training read that ended with a verdict; before "
        "any verdict, of what the last run read, if that succeeded.",
    )
    new_labels: int | None = Field(
        None, description="Labelled predictions that it has not seen; None: not known."
    )
    in_flight: tuple[str, ...] = Field((), description="Unfinished runs of the training job.")
    outcome: Outcome | None = None
    pause: Pause | None = None


class Judged(Record):
    """The verdict on one window of one model version."""

    start: AwareDatetime
    bad: bool


class Alarm(Record):
    """K-of-N memory of one kind of report."""

    version: int = 0
    windows: tuple[Judged, ...] = ()
    on: bool = False
    counted: AwareDatetime | None = Field(
        None, description="Windows that start no later have caused a training already."
    )


class Pending(Record):
    """A training that was decided and whose outcome is not known yet."""

    id: str
    trigger: Trigger
    why: str
    at: AwareDatetime
    run_id: str | None = None
    fingerprint: str | None = Field(None, description="Of the source's content when decided.")
    drift: Alarm | None = Field(None, description="Before it was used up: for the next attempt.")
    performance: Alarm | None = None


class RetrainState(Record):
    """What the policy remembers of one model between two ticks."""

    drift: Alarm = Alarm()
    performance: Alarm = Alarm()
    broken: tuple[Window, ...] = Field((), description="Windows with a fault upstream.")
    launches: tuple[AwareDatetime, ...] = Field((), description="Trainings of the last 30 days.")
    trainings: int = Field(0, description="Trainings ever asked for; numbers the decisions.")
    refusals: int = Field(0, description="Refused or failed trainings since one was promoted.")
    refused_at: AwareDatetime | None = Field(None, description="When the last of them was asked.")
    trained_at: AwareDatetime | None = Field(None, description="The last training that was seen.")
    trained_on: str | None = Field(None, description="What `Signals.trained_on` said last.")
    fingerprint: str | None = Field(
        None, description="Content on which a training has ended with a verdict; no other is old."
    )
    pending: Pending | None = None


class Decision(Record):
    """What one tick decided, by which rule, and what is remembered from now on."""

    action: Action
    rule: str
    reason: str
    state: RetrainState


class Recorded(Record):
    """One row of what `mlops why` shows: a decision, and how long it was the same."""

    number: int
    time: AwareDatetime
    last_seen: AwareDatetime
    ticks: int
    action: Action
    rule: str
    reason: str
    run_id: str | None = Field(None, description="Of a training: the run that was started for it.")
    outcome: str | None = Field(None, description="What became of it.")
