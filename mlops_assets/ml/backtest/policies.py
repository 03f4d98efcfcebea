"""Which `monitoring.retrain` would have been best: some of them replayed over one's own history.

Each is compared with training at every window, on the same rows and by the same errors as the
cadences (`ml.backtest.advice`). The one of the fewest trainings is taken that is shown to lose at
most the gate's margin against that, by the gate's `alpha` divided by the number of those that are
tried; and if it trains at all, never to train has to be shown to lose against it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import yaml

from mlops_assets.blocks.base import spelled_days
from mlops_assets.blocks.monitoring import RetrainSettings
from mlops_assets.config import ModelSettings
from mlops_assets.ml.backtest.advice import Judged, compared, newest
from mlops_assets.ml.backtest.history import History
from mlops_assets.ml.backtest.past import OwnPast
from mlops_assets.ml.backtest.reports import Reports
from mlops_assets.ml.backtest.ticks import PolicyRule, replay
from mlops_assets.ml.backtest.windows import FEWEST
from mlops_assets.ml.evaluation.paired import Moments
from mlops_assets.records.backtest import LossByPolicy, PolicyReport

AS_SET = "as set"
_BUDGET = 10
_ALONE = {"on_new_data": "signal", "on_drift": "alert"}
TRIED: tuple[dict[str, Any], ...] = (
    {"on_new_data": "signal"},
    {"on_new_data": "signal", "on_drift": "train"},
    *(
        {**_ALONE, "performance": {"windows": windows, "enter": enter}}
        for windows, enter in ((5, 3), (3, 2), (2, 2), (1, 1))
    ),
    {"on_new_data": "train"},
    {"budget_per_month": 0},
)
"""Changes of `monitoring.retrain` as it is set, whose limits stay; of equals the first is taken."""


class Tried(NamedTuple):
    """One policy, and what it did."""

    changes: dict[str, Any] | None
    """None: as it is set."""
    served: list[int]
    """The version of each window that was replayed."""
    trainings: int
    refused: int


def replayed(history: History, judged: Sequence[Judged]) -> PolicyReport:
    """Every policy over the history, the one with the fewest trainings first."""
    settings, windows = history.settings, len(history.windows)
    first = history.first
    if first is None or windows - first < FEWEST:
        return PolicyReport(windows=0, said=_too_short(history, first))
    past = OwnPast(history, judged, first, Reports(history))
    tried = sorted(
        (_tried(past, policy, changes) for changes, policy in policies(settings)),
        key=lambda one: one.trainings,
    )
    report = judge(tried, judged, first, settings)
    return report.model_copy(update={"said": f"{report.said}{_unjudged(past)}"})


def policies(settings: ModelSettings) -> list[tuple[dict[str, Any] | None, RetrainSettings]]:
    """As it is set, and as it may be changed; none twice."""
    as_set = settings.monitoring.retrain
    found: list[tuple[dict[str, Any] | None, RetrainSettings]] = [(None, as_set)]
    for changes in TRIED:
        if as_set.budget_per_month == 0 and "budget_per_month" not in changes:
            changes = {**changes, "budget_per_month": _BUDGET}
        values = {**as_set.model_dump(mode="json"), **changes}
        policy = RetrainSettings.model_validate(values)
        if policy not in [known for _, known in found]:
            found.append((changes, policy))
    return found


def judge(
    tried: Sequence[Tried], judged: Sequence[Judged], first: int, settings: ModelSettings
) -> PolicyReport:
    """Compare policies, the one with the fewest trainings first, and take one if it is shown."""
    gate, windows = settings.evaluation.gate, len(judged) - first
    moments = [_against_newest(judged, one, first) for one in tried]
    shown = [one.p_below(gate.margin) <= gate.alpha / len(tried) for one in moments]
    rows = tuple(
        LossByPolicy(
            retrain=_spelled(one.changes),
            trainings=one.trainings,
            refused=one.refused,
            loss=found.champion + found.difference,
            excess=found.difference,
            standard_error=found.standard_error,
            shown=enough,
        )
        for one, found, enough in zip(tried, moments, shown, strict=True)
    )
    taken = shown.index(True) if any(shown) else None
    if taken is not None and not _pays(judged, tried[taken], first, gate.alpha):
        taken = None
    said = _said(rows, taken, windows, f"{gate.margin:.0%}")
    if taken is None:
        return PolicyReport(windows=windows, policies=rows, said=said)
    changes = tried[taken].changes
    return PolicyReport(
        windows=windows,
        policies=rows,
        best=rows[taken],
        said=said,
        yaml=yaml.safe_dump({"monitoring": {"retrain": changes}}, sort_keys=False)
        if changes
        else "",
    )


def _tried(past: OwnPast, policy: RetrainSettings, changes: dict[str, Any] | None) -> Tried:
    found = replay(past, PolicyRule(policy))
    refused = sum(not training.promoted for _, training in found.asked)
    return Tried(changes, past.by_window(found), len(found.asked), refused)


def _against_newest(judged: Sequence[Judged], one: Tried, first: int) -> Moments:
    numbers = range(first, len(judged))
    return compared(judged, numbers, lambda number: one.served[number - first], newest)


def _pays(judged: Sequence[Judged], one: Tried, first: int, alpha: float) -> bool:
    """Whether never to train is shown to lose against a policy; one that does not train is it."""
    if not one.trainings:
        return True
    numbers = range(first, len(judged))
    never = compared(judged, numbers, lambda _: first, lambda number: one.served[number - first])
    return never.p_above(0) <= alpha


def _spelled(changes: dict[str, Any] | None) -> str:
    """In one line, as YAML."""
    if changes is None:
        return AS_SET
    return yaml.safe_dump(changes, default_flow_style=True, sort_keys=False, width=1000).strip()


def _said(rows: Sequence[LossByPolicy], taken: int | None, windows: int, margin: str) -> str:
    known = next(row for row in rows if row.retrain == AS_SET)
    as_set = f"as set it trains {_times(known)} and loses {known.excess:+.4g}"
    if taken is None:
        return (
            f"of {len(rows)} ways to set monitoring.retrain, replayed over {windows} windows, none "
            f"is shown to lose less than {margin} against training at every window and to gain "
            f"against none; {as_set}"
        )
    best = rows[taken]
    what = "monitoring.retrain as set" if best is known else f"monitoring.retrain {best.retrain}"
    return (
        f"{what} trains {_times(best)} in {windows} windows, the fewest of {len(rows)} ways that "
        f"is shown to lose less than {margin} against training at every window"
        + ("" if best is known else f"; {as_set}")
    )


def _unjudged(past: OwnPast) -> str:
    """Of how many windows of monitoring no report says anything."""
    watched = past.history.settings.monitoring
    least = watched.performance.min_rows
    few = sum(part.rows.stop - part.rows.start < least for part in past.parts)
    if not few:
        return ""
    return (
        f"; {few} of {len(past.parts)} windows of monitoring.window, "
        f"{spelled_days(watched.window)}, have fewer than the {least} rows that "
        "performance.min_rows asks for, so nothing is said of them"
    )


def _times(row: LossByPolicy) -> str:
    refused = f", {row.refused} refused" if row.refused else ""
    return f"{row.trainings} times{refused}"


def _too_short(history: History, first: int | None) -> str:
    windows, delay = len(history.windows), history.settings.label_delay
    with_one = 0 if first is None else windows - first
    return (
        "monitoring.retrain is not replayed: a version needs a window that was labelled when it "
        f"was trained, labels come after {spelled_days(delay)}, and {with_one} of {windows} "
        f"windows have such a version, of {FEWEST} that are needed; give more --windows, or wait "
        "for more labels"
    )
