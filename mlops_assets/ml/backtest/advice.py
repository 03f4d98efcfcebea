"""From the losses of versions by window to what staleness costs and how often to train.

All comparisons are of losses on the same rows. Their standard error is the larger of two: rows
clustered by entity, and by window, because what happened to all rows of a window happened once
(`ml.evaluation.paired`). The rarest cadence is taken that is shown, by the gate's own `alpha` and
`margin`, to lose at most that margin against training at every window (alpha divided by the number
of cadences that are tried); to train regularly is advised if, besides, never to train again is
shown to lose more than it. What is not shown is not advised.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import yaml

from mlops_assets.config import ModelSettings
from mlops_assets.ml.backtest.windows import days, times
from mlops_assets.ml.evaluation.gate import LOSSES
from mlops_assets.ml.evaluation.paired import Moments
from mlops_assets.records.backtest import (
    Advice,
    BacktestReport,
    LossByAge,
    LossByCadence,
    PolicyReport,
    TestedWindow,
)

NEVER = "never"
_CLOCKS = (
    (365, "0 0 1 1 *"),
    (183, "0 0 1 1,7 *"),
    (91, "0 0 1 */3 *"),
    (61, "0 0 1 */2 *"),
    (28, "0 0 1 * *"),
    (7, "0 0 * * 0"),
    (1, "0 0 * * *"),
    (0, "0 * * * *"),
)
"""Days, and the cron expression that comes about that often or more often."""


class Judged(NamedTuple):
    """One window: whose its rows are, and the losses of the versions trained before, by row."""

    entities: np.ndarray
    losses: np.ndarray
    """Of shape (versions, rows); the last version was trained at the window's start."""


Cadence = int | None
"""Trained at the start of every so many windows; None: of the first alone."""


class Shown(NamedTuple):
    """What is advised, by which comparison."""

    advice: Advice
    taken: Cadence
    against: Moments
    """Of never to train again with what is taken, or with every window if that is never."""


def advised(
    judged: Sequence[Judged],
    windows: tuple[TestedWindow, ...],
    length: str,
    settings: ModelSettings,
    policy: PolicyReport,
) -> BacktestReport:
    """The report of a backtest whose versions were judged, the oldest window first."""
    shown = judge(judged, settings)
    return BacktestReport(
        model=settings.name,
        estimator=settings.training.estimator,
        loss_name=LOSSES[settings.target.task],
        window=length,
        windows=windows,
        ages=tuple(loss_by_age(judged, length)),
        cadences=tuple(loss_by_cadence(judged, length)),
        policy=policy,
        advice=shown.advice,
        said=_said(shown, judged, length, settings),
        yaml=_lines(shown, length, policy),
    )


def loss_by_age(judged: Sequence[Judged], length: str) -> Iterable[LossByAge]:
    """From just trained on, as long as two windows have a version of that age."""
    for age in range(len(judged) - 1):
        numbers = range(age, len(judged))
        moments = compared(judged, numbers, lambda number, age=age: number - age, newest)
        yield LossByAge(
            age=times(length, age) if age else "new",
            windows=len(numbers),
            rows=moments.rows,
            loss=moments.champion + moments.difference,
            new_loss=moments.champion,
            excess=moments.difference,
            standard_error=moments.standard_error,
        )


def loss_by_cadence(judged: Sequence[Judged], length: str) -> Iterable[LossByCadence]:
    """The rarest first, beside training at every window."""
    for cadence in cadences(len(judged)):
        moments = _of_cadence(judged, cadence, 1)
        yield LossByCadence(
            every=_spelled(cadence, length),
            trainings=len({_version(cadence, number) for number in range(len(judged))}),
            loss=moments.champion + moments.difference,
            excess=moments.difference,
            standard_error=moments.standard_error,
        )


def cadences(windows: int) -> list[Cadence]:
    """Never, and every 2**n windows, as long as that is more than once; the rarest first."""
    powers = [2**n for n in range(windows.bit_length()) if 2**n < windows]
    return [None, *reversed(powers)]


def judge(judged: Sequence[Judged], settings: ModelSettings) -> Shown:
    """What is shown of the cadences."""
    alpha, margin = settings.evaluation.gate.alpha, settings.evaluation.gate.margin
    tried = cadences(len(judged))
    level = alpha / (len(tried) - 1)
    taken = next(c for c in tried if _of_cadence(judged, c, 1).p_below(margin) <= level)
    if taken is None:
        return Shown("new data need not train", None, _of_cadence(judged, None, 1))
    never = _of_cadence(judged, None, taken)
    if never.p_above(0) <= alpha:
        return Shown("train regularly", taken, never)
    return Shown("not shown", taken, never)


def compared(
    judged: Sequence[Judged],
    numbers: Iterable[int],
    version: Callable[[int], int],
    base: Callable[[int], int],
) -> Moments:
    """Losses less those of the base, on the same rows of the windows, by the less certain error.

    `version` and `base` say which version answers in a window.
    """
    chosen = list(numbers)
    based = np.concatenate([judged[n].losses[base(n)] for n in chosen])
    losses = np.concatenate([judged[n].losses[version(n)] for n in chosen])
    entities = pd.factorize(np.concatenate([judged[n].entities for n in chosen]))[0]
    windows = np.repeat(np.arange(len(chosen)), [judged[n].losses.shape[1] for n in chosen])
    found = [Moments.of(based, losses - based, codes) for codes in (entities, windows)]
    return max(found, key=lambda moments: moments.covariance[0, 0])


def _of_cadence(judged: Sequence[Judged], cadence: Cadence, base: Cadence) -> Moments:
    return compared(
        judged,
        range(len(judged)),
        lambda number: _version(cadence, number),
        lambda number: _version(base, number),
    )


def _version(cadence: Cadence, number: int) -> int:
    return 0 if cadence is None else number // cadence * cadence


def newest(number: int) -> int:
    """The version that was trained at a window's start."""
    return number


def _spelled(cadence: Cadence, length: str) -> str:
    return NEVER if cadence is None else times(length, cadence)


def _said(shown: Shown, judged: Sequence[Judged], length: str, settings: ModelSettings) -> str:
    margin = f"{settings.evaluation.gate.margin:.0%}"
    taken = shown.taken or 1
    lost = sum(
        each.losses[0].mean() > each.losses[_version(taken, number)].mean()
        for number, each in enumerate(judged)
    )
    told = (
        f"never to train again changes the {LOSSES[settings.target.task]} by "
        f"{_figures(shown.against)} against training every {times(length, taken)}, and loses in "
        f"{lost} of {len(judged)} windows of {length}"
    )
    if shown.advice == "new data need not train":
        return f"{told}: shown to cost less than {margin}"
    if shown.advice == "not shown":
        return (
            f"{told}: shown neither to cost something nor to cost less than {margin}, so keep what "
            "is set; a longer history, or more windows, may tell"
        )
    rarer = "" if shown.taken == 1 else f"; more often is shown to gain less than {margin}"
    return f"{told}: shown to cost{rarer}"


def _figures(against: Moments) -> str:
    share = f", {against.difference / against.champion:+.1%}" if against.champion > 0 else ""
    error = against.standard_error
    return f"{against.difference:+.4g}{share}" + (
        f" (standard error {error:.2g})" if error is not None else ""
    )


def _rarer(shown: Shown, trainings: int, windows: int) -> bool:
    """Whether so many trainings in the newest windows are fewer than by the clock."""
    if shown.advice == "not shown":
        return True
    return shown.taken is not None and trainings < math.ceil(windows / shown.taken) - 1


def _lines(shown: Shown, length: str, policy: PolicyReport) -> str:
    if policy.best and policy.yaml and _rarer(shown, policy.best.trainings, policy.windows):
        return policy.yaml
    if shown.advice == "not shown":
        return ""
    lines: dict[str, object] = {}
    if shown.taken != 1:  # more often than every window was not tried
        lines["monitoring"] = {"retrain": {"on_new_data": "signal"}}
    if shown.taken is not None:
        span = days(times(length, shown.taken))
        lines["schedule"] = {"train": next(cron for least, cron in _CLOCKS if span >= least)}
    return yaml.safe_dump(lines, sort_keys=False)
