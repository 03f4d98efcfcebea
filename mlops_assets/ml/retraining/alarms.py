"""K of N windows with hysteresis: what raises an alarm, keeps it on and ends it.

Whether an alarm leads to a training is `ml.retraining.policy`.
"""

from collections.abc import Sequence
from datetime import datetime

from mlops_assets.blocks.monitoring import AlarmSettings
from mlops_assets.records.monitoring import DriftSummary, PerformanceSummary, Window
from mlops_assets.records.retraining import Alarm, Judged


def served(alarm: Alarm, reports: Sequence[DriftSummary | PerformanceSummary]) -> int:
    """The version that the newest report is about; without any, as before.

    The newest, not the largest: after a rollback an older version is the one to judge.
    """
    return reports[-1].model_version if reports else alarm.version


def of_reference(alarm: Alarm, reports: Sequence[DriftSummary]) -> Alarm:
    """Drift is a distance from a version's reference: with another one it is measured anew."""
    return alarm if served(alarm, reports) == alarm.version else Alarm(counted=alarm.counted)


def take_in(
    settings: AlarmSettings,
    alarm: Alarm,
    reports: Sequence[DriftSummary | PerformanceSummary],
    broken: Sequence[Window],
) -> Alarm:
    """Take each window in once, by the served version's verdict, but those of a fault upstream.

    `reports` are in the order in which they were made, the newest last.
    """
    version = served(alarm, reports)
    verdicts = {judged.start: judged.bad for judged in alarm.windows}
    for report in reports:
        start = report.window.start
        counted = alarm.counted is not None and start <= alarm.counted
        if counted or report.model_version != version or report.verdict == "unknown":
            continue
        verdicts[start] = report.verdict in ("drifted", "degraded")
        if any(fault.start < report.window.end and start < fault.end for fault in broken):
            del verdicts[start]
    kept = sorted(verdicts)[-settings.windows :]
    bad = sum(verdicts[start] for start in kept)
    return Alarm(
        version=version,
        windows=tuple(Judged(start=start, bad=verdicts[start]) for start in kept),
        on=bad >= settings.enter or (alarm.on and bad > settings.leave),
        counted=alarm.counted,
    )


def newest(alarm: Alarm) -> datetime | None:
    """Start of the newest window that was taken in."""
    return alarm.windows[-1].start if alarm.windows else alarm.counted


def is_news(alarm: Alarm) -> bool:
    """Whether a window has come that has caused no training yet."""
    last = newest(alarm)
    return last is not None and (alarm.counted is None or last > alarm.counted)


def count(alarm: Alarm, word: str) -> str:
    """E.g. `2 of 3 windows degraded`."""
    bad = sum(judged.bad for judged in alarm.windows)
    return f"{bad} of {len(alarm.windows)} windows {word}"
