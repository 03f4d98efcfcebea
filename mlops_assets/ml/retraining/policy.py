"""When to train again: one pure function over reports, memory and the clock.

`decide` is level-triggered on purpose, so that a tick that is lost or repeated changes nothing:
what has caused a training once is remembered in the state and never counts again. The rules:

- A reason is used up by a verdict of the gate, promoted or refused. A training that failed, was
  canceled or killed gives its reason back: it is asked for again, after the back-off.
- At most one training is in flight, whoever started it, and the limits (cooldown, back-off, budget,
  new labels) hold for every reason, whatever became of the trainings before.
- Reports are those of the version that serves, be its number larger or smaller than before.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from mlops_assets.blocks.monitoring import RetrainSettings
from mlops_assets.ml.retraining.alarms import count, is_news, newest, of_reference, take_in
from mlops_assets.records.monitoring import PerformanceSummary
from mlops_assets.records.retraining import (
    Action,
    Alarm,
    Decision,
    Pending,
    RetrainState,
    Signals,
    Trigger,
)

MONTH = timedelta(days=30)
_REMEMBERED_FAULTS = 100
"""Broken windows kept, so that the labels that come for them later do not count."""


class _Wish(NamedTuple):
    """A reason to train, before any limit was asked."""

    trigger: Trigger
    why: str


class _Limit(NamedTuple):
    """A reason not to train now."""

    action: Action
    rule: str
    reason: str


def decide(
    policy: RetrainSettings, state: RetrainState, signals: Signals, now: datetime
) -> Decision:
    """Whether to train at `now`, by which rule, and what to remember.

    The same arguments give the same decision. A reason holds moments, not spans until them, so it
    stays the same text while nothing changes. Rule `repeated` is the pending training of `state`,
    whose run was never seen: the process that asked for it was killed.
    """
    state = observe(policy, state, signals, now)
    if busy := _busy(state, signals, now):
        return busy
    wish = _wish(policy, state, signals)
    if wish is None:
        return _calm(policy, state, signals)
    if limit := _limit(policy, state, signals, wish, now):
        reason = f"{wish.why}; {limit.reason}"
        return Decision(action=limit.action, rule=limit.rule, reason=reason, state=state)
    return _train(state, signals, wish, now)


def observe(
    policy: RetrainSettings, state: RetrainState, signals: Signals, now: datetime
) -> RetrainState:
    """The state after taking in what is new in the signals; a repeated report changes nothing."""
    state = _handled(_settled(state, signals), signals)
    faults = [report.window for report in signals.drift if report.broken_columns]
    broken = {window.start: window for window in [*state.broken, *faults]}
    kept = tuple(broken[start] for start in sorted(broken))[-_REMEMBERED_FAULTS:]
    return state.model_copy(
        update={
            "drift": take_in(
                policy.drift, of_reference(state.drift, signals.drift), signals.drift, kept
            ),
            "performance": take_in(
                policy.performance, state.performance, signals.performance, kept
            ),
            "broken": kept,
            "launches": tuple(at for at in state.launches if at > now - MONTH),
        }
    )


def _handled(state: RetrainState, signals: Signals) -> RetrainState:
    """Content on which a training had a verdict, whoever started it, is no new data any more."""
    seen = {"trained_at": signals.trained_at, "trained_on": signals.trained_on}
    if seen == {name: getattr(state, name) for name in seen}:
        return state
    return state.model_copy(update={**seen, "fingerprint": signals.trained_on or state.fingerprint})


def _settled(state: RetrainState, signals: Signals) -> RetrainState:
    """What the outcome of the pending training leaves behind."""
    pending, outcome = state.pending, signals.outcome
    if pending is None:
        return state
    if outcome is None:
        # Never seen, and somebody else has trained since: it is not needed any more.
        replaced = signals.trained_at is not None and signals.trained_at > pending.at
        return state.model_copy(update={"pending": None}) if replaced else state
    if outcome.result == "running":
        seen = pending.model_copy(update={"run_id": outcome.run_id})
        return state.model_copy(update={"pending": seen})
    read = signals.trained_on or pending.fingerprint or state.fingerprint
    if outcome.result == "promoted":
        return state.model_copy(update={"pending": None, "refusals": 0, "fingerprint": read})
    again = {"pending": None, "refusals": state.refusals + 1, "refused_at": pending.at}
    if outcome.result == "refused":
        return state.model_copy(update={**again, "fingerprint": read})
    used_up = {"drift": pending.drift, "performance": pending.performance}  # without a verdict
    given_back = {name: alarm for name, alarm in used_up.items() if alarm is not None}
    return state.model_copy(update={**again, **given_back})


def _busy(state: RetrainState, signals: Signals, now: datetime) -> Decision | None:
    """At most one run in flight; a training that was decided is asked for until it is seen."""
    if signals.in_flight:
        reason = f"run {signals.in_flight[0]} of the training job is unfinished"
        return Decision(action="running", rule="one_in_flight", reason=reason, state=state)
    if state.pending is None:
        return None
    if state.pending.run_id is not None:
        reason = f"run {state.pending.run_id} for decision {state.pending.id} is not settled"
        return Decision(action="running", rule="one_in_flight", reason=reason, state=state)
    if paused := _pause(signals, now):
        return Decision(action="paused", rule="paused", reason=paused.reason, state=state)
    reason = f"{state.pending.why} (decided {_said(state.pending.at)}, no run seen)"
    return Decision(action="train", rule="repeated", reason=reason, state=state)


def _wish(policy: RetrainSettings, state: RetrainState, signals: Signals) -> _Wish | None:
    """The most urgent reason to train; a fault upstream leaves new data only."""
    if not _broken(signals):
        if state.performance.on and is_news(state.performance):
            return _Wish("performance", count(state.performance, "degraded"))
        if state.drift.on and (why := _confirmed(policy, signals)):
            return _Wish("drift", f"{count(state.drift, 'drifted')}, {why}")
    if policy.on_new_data == "train" and _source_changed(state, signals):
        return _Wish("new_data", f"the source has new content {signals.fingerprint}")
    return None


def _confirmed(policy: RetrainSettings, signals: Signals) -> str:
    """Why drift is enough to train; empty if it is not."""
    if policy.on_drift == "train":
        return "which is enough (on_drift: train)"
    rise = loss_rise(signals.estimate)
    if policy.on_drift == "alert" or rise is None or rise <= policy.estimate_tolerance:
        return ""
    return f"and the estimated loss is {rise:+.1%} (tolerance {policy.estimate_tolerance:.0%})"


def loss_rise(estimate: PerformanceSummary | None) -> float | None:
    """Estimated log loss over that of the held-out rows, less 1; None without both."""
    if estimate is None:
        return None
    now, before = estimate.estimated.get("log_loss"), estimate.reference.get("log_loss")
    return None if now is None or not before else now / before - 1


def _calm(policy: RetrainSettings, state: RetrainState, signals: Signals) -> Decision:
    """No reason to train; what a person should look at all the same is an alert."""
    counts = ", ".join(
        f"{count(alarm, word)} (alarm at {rule.enter} of {rule.windows})"
        for alarm, word, rule in (
            (state.performance, "degraded", policy.performance),
            (state.drift, "drifted", policy.drift),
        )
    )
    if broken := _broken(signals):
        reason = f"{list(broken)} broke upstream: mend the data, a training would learn the fault"
        return Decision(action="alert", rule="broken_upstream", reason=reason, state=state)
    if state.performance.on:
        reason = f"{counts}; trained since, the next labelled window decides"
        return Decision(action="wait", rule="labels", reason=reason, state=state)
    if state.drift.on:
        rule = "drift_only_alerts" if policy.on_drift == "alert" else "drift_is_not_confirmed"
        rise = loss_rise(signals.estimate)
        seen = f"{rise:+.0%}" if rise is not None else "not known (binary models have one)"
        reason = (
            f"{counts}; the estimated loss is {seen} (tolerance {policy.estimate_tolerance:.0%})"
        )
        return Decision(action="alert", rule=rule, reason=reason, state=state)
    source = f"content unchanged: {signals.fingerprint}"
    if signals.fingerprint is None:
        source = signals.source_note or "no source to look at"
    elif _source_changed(state, signals):
        source = f"the source has new content {signals.fingerprint} (on_new_data: signal)"
    return Decision(action="idle", rule="calm", reason=f"{counts}; {source}", state=state)


def _limit(
    policy: RetrainSettings, state: RetrainState, signals: Signals, wish: _Wish, now: datetime
) -> _Limit | None:
    """The first limit that forbids a training now; None if none does."""
    if paused := _pause(signals, now):
        return paused
    if policy.budget_per_month == 0:
        return _Limit("wait", "budget", "budget_per_month is 0: it is trained by hand only")
    last = max((at for at in (signals.trained_at, *state.launches) if at), default=None)
    if last and now < (until := _later(last, policy.cooldown)):
        return _Limit("wait", "cooldown", f"trained {_said(last)}, cooldown until {_said(until)}")
    wait = back_off(policy, state.refusals)
    if state.refused_at and now < (until := _later(state.refused_at, wait)):
        said = f"{state.refusals} refused or failed in a row, back-off until {_said(until)}"
        return _Limit("wait", "backoff", said)
    if len(state.launches) >= policy.budget_per_month:
        free = f"next on {_said(state.launches[-policy.budget_per_month] + MONTH)}"
        spent = f"{len(state.launches)} of {policy.budget_per_month} trainings in 30 days"
        return _Limit("wait", "budget", f"{spent}, {free}")
    gained = signals.new_labels
    if wish.trigger != "new_data" and gained is not None and gained < policy.min_new_labels:
        said = f"{gained} of {policy.min_new_labels} new labels since the last training"
        return _Limit("wait", "min_new_labels", said)
    return None


def back_off(policy: RetrainSettings, refusals: int) -> timedelta:
    """How long to wait after so many refusals in a row; doubled by each, up to `backoff_most`."""
    if refusals == 0:
        return timedelta(0)
    factor = 2 ** min(refusals - 1, 100)
    if policy.backoff > policy.backoff_most / factor:  # the product may not exist
        return policy.backoff_most
    return policy.backoff * factor


def _train(state: RetrainState, signals: Signals, wish: _Wish, now: datetime) -> Decision:
    """Decide a training; all that spoke for it is used up, unless it ends without a verdict.

    Drift is forgotten, for the training moves its reference. Degraded performance is not: it may
    have been trained on few rows of the new world yet, so while the alarm is on, each window that
    is labelled since is a reason to train again, by whatever version it was answered.
    """
    number = state.trainings + 1
    # With the moment, since a deleted store would count anew, and a run key is honoured only once.
    pending = Pending(
        id=f"{number}-{int(now.timestamp())}",
        trigger=wish.trigger,
        why=wish.why,
        at=now,
        fingerprint=signals.fingerprint,
        drift=state.drift,
        performance=state.performance,
    )
    after = state.model_copy(
        update={
            "drift": Alarm(version=state.drift.version, counted=newest(state.drift)),
            "performance": state.performance.model_copy(
                update={"counted": newest(state.performance)}
            ),
            "launches": (*state.launches, now),
            "trainings": number,
            "pending": pending,
        }
    )
    return Decision(action="train", rule=wish.trigger, reason=wish.why, state=after)


def _pause(signals: Signals, now: datetime) -> _Limit | None:
    pause = signals.pause
    if pause is None or now >= pause.until:
        return None
    said = f"paused until {_said(pause.until)} by {pause.who}: {pause.why}"
    return _Limit("paused", "paused", said)


def _broken(signals: Signals) -> tuple[str, ...]:
    """The columns that the newest window found broken."""
    last = max(signals.drift, key=lambda report: report.window.start, default=None)
    return last.broken_columns if last else ()


def _source_changed(state: RetrainState, signals: Signals) -> bool:
    return signals.fingerprint is not None and signals.fingerprint != state.fingerprint


def _later(time: datetime, span: timedelta) -> datetime:
    """`time + span`; the end of all time where there is no such moment."""
    last = datetime.max.replace(tzinfo=UTC)
    return time + span if span < last - time else last


def _said(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
