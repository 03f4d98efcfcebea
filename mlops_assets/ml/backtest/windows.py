"""Into which windows a history is cut, and which rows a version trained at a moment could know.

The windows are counted back from the newest labelled moment. What is fitted on them is in
`ml.backtest.replay`.
"""

from collections.abc import Iterator, Sequence
from itertools import dropwhile
from typing import NamedTuple

import pandas as pd

from mlops_assets.blocks.base import spelled_days
from mlops_assets.config import ModelSettings
from mlops_assets.errors import BacktestError
from mlops_assets.ml.features.snapshots import calendar_step
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.summary import spelled_period

FEWEST = 3
"""Windows of which a spread can be told."""
_ENOUGH = 6
_SHARE = 0.75
"""Of all windows, the newest; what is before is for the first version to be trained on."""
_DAYS = {"second": 1 / 86400, "minute": 1 / 1440, "hour": 1 / 24}
_DAYS |= {"day": 1.0, "week": 7.0, "month": 30.5, "year": 366.0}
_USUAL = ("6 months", "3 months", "1 month", "2 weeks", "1 week", "1 day")


class Window(NamedTuple):
    """A stretch of event time, without its start and with its end."""

    start: pd.Timestamp
    end: pd.Timestamp

    def rows(self, labelled: pd.DataFrame) -> pd.DataFrame:
        """Those that lie in it."""
        moments = labelled[TIMESTAMP]
        return labelled[(moments > self.start) & (moments <= self.end)]


def labelled_rows(rows: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    """The rows whose target is known today, by time and entity.

    Raises:
        BacktestError: The model has no timestamp, or no row a target.
    """
    if settings.timestamp is None:
        raise BacktestError(
            f"{settings.name} has no timestamp, so nothing says what was known when; name the "
            "column of each row's moment as `timestamp`"
        )
    labelled = rows[rows[settings.target.name].notna()]
    if labelled.empty:
        raise BacktestError(
            f"none of the {len(rows)} rows of {settings.name} has a target "
            f"{settings.target.name!r} yet; wait for labels"
        )
    return labelled.sort_values([TIMESTAMP, settings.key.name], ignore_index=True)


def known_at(labelled: pd.DataFrame, moment: pd.Timestamp, settings: ModelSettings) -> pd.DataFrame:
    """The rows whose label was known at a moment.

    Over an event log a label is known at the end of its window, so none that a version is trained
    on is made of events later than `moment`: the purging of `ml.training.fit.split`.
    """
    return labelled[labelled[TIMESTAMP] <= moment - settings.label_delay]


def chosen_windows(
    labelled: pd.DataFrame, settings: ModelSettings, most: int, wanted: str | None = None
) -> tuple[str, list[Window]]:
    """Length and windows, the oldest first: at most `most`, all with labelled rows.

    Without a wanted length it is that of `training.split.test`, or the next shorter one of which
    the history has six; of a random split a usual one.

    Raises:
        BacktestError: The history is too short, or a window has no labelled row.
    """
    lengths = [wanted] if wanted else list(_lengths(settings))
    cut = {length: _cut(labelled, settings, most, length) for length in lengths}
    enough = [length for length in lengths if len(cut[length]) >= min(_ENOUGH, most)]
    length = enough[0] if enough else max(lengths, key=lambda each: len(cut[each]))
    windows = cut[length]
    first, last = labelled[TIMESTAMP].iloc[[0, -1]]
    if len(windows) < FEWEST:
        raise BacktestError(
            f"the labelled rows of {settings.name}, from {spelled_period(first, last)}, "
            f"allow {len(windows)} windows of {length} after a first training, with labels that "
            f"come {spelled_days(settings.label_delay)} late, and a backtest needs "
            f"{FEWEST}; "
            + ("give a shorter --window" if wanted else "come back with a longer history")
        )
    for window in windows:
        if window.rows(labelled).empty:
            raise BacktestError(
                f"{settings.name} has no labelled row from "
                f"{spelled_period(window.start, window.end)}; "
                f"give a --window longer than {length}, or fewer --windows"
            )
    return length, windows


def require_known_classes(
    labelled: pd.DataFrame, settings: ModelSettings, length: str, windows: Sequence[Window]
) -> None:
    """Refuse windows whose first version is trained before each class had a label.

    Raises:
        BacktestError: Some class was unknown then.
    """
    if settings.target.task == "regression":
        return
    known = labelled.groupby(settings.target.name)[TIMESTAMP].min() + settings.label_delay
    late = known[known > windows[0].start]
    if late.empty:
        return
    since = late.max()
    raise BacktestError(
        f"the version of {windows[0].start:%Y-%m-%d} of {settings.name}, the first, does not know "
        f"the classes {late.index.tolist()}, whose labels are there from {since:%Y-%m-%d %H:%M} "
        f"on; {_later_windows(labelled, settings, length, windows, since)}"
    )


def _later_windows(
    labelled: pd.DataFrame,
    settings: ModelSettings,
    length: str,
    windows: Sequence[Window],
    since: pd.Timestamp,
) -> str:
    """Which options let the first window begin at that moment or later."""
    later = [window for window in windows if window.start >= since]
    if len(later) >= FEWEST:
        return f"give --window '{length}' --windows {len(later)}"
    most = (labelled[TIMESTAMP].iloc[-1] - since) / FEWEST
    for unit in ("day", "hour", "minute"):
        count = int(most / pd.Timedelta(1, unit))
        if count > 0 and _are_labelled(labelled, settings, shorter := times(f"1 {unit}", count)):
            return f"give --window '{shorter}' --windows {FEWEST}"
    return f"come back when {FEWEST} windows lie after that"


def _are_labelled(labelled: pd.DataFrame, settings: ModelSettings, length: str) -> bool:
    windows = _cut(labelled, settings, FEWEST, length)
    return len(windows) == FEWEST and all(len(each.rows(labelled)) for each in windows)


def _cut(labelled: pd.DataFrame, settings: ModelSettings, most: int, length: str) -> list[Window]:
    """The newest windows that leave something to train on before the first."""
    moments, step = labelled[TIMESTAMP], calendar_step(length)
    ends = [moments.iloc[-1]]
    while (count := int((len(ends) - 1) * _SHARE)) < most and ends[-1] - step >= moments.iloc[0]:
        ends.append(moments.iloc[-1] - len(ends) * step)
    windows = [Window(ends[i + 1], ends[i]) for i in reversed(range(count))]

    def known_too_little(window: Window) -> bool:
        known = len(known_at(labelled, window.start, settings))
        return known < max(1, len(window.rows(labelled)) / 2)

    return list(dropwhile(known_too_little, windows))


def _lengths(settings: ModelSettings) -> Iterator[str]:
    test = settings.split.test
    if test is None:
        yield from _USUAL
        return
    number, unit = parts(test)
    yield from (times(f"1 {unit}", n) for n in range(number, 0, -1))
    yield from (each for each in _USUAL[2:] if days(each) < days(f"1 {unit}"))


def parts(length: str) -> tuple[int, str]:
    """`3 months` -> 3, `month`."""
    number, unit = length.split()
    return int(number), unit.removesuffix("s")


def times(length: str, factor: int) -> str:
    """`2 months` three times -> `6 months`."""
    number, unit = parts(length)
    return f"{number * factor} {unit}{'s' * (number * factor > 1)}"


def days(length: str) -> float:
    """About how many."""
    number, unit = parts(length)
    return number * _DAYS[unit]
