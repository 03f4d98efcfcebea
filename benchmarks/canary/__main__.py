"""How often a trial rolls back an equal version, and how soon it catches a bad one: a simulation.

Requests come one after another; a share of them, drawn by chance, goes to the candidate. The
verdict is asked for every ten requests at first, later each time that there are 2 % more, until the
trial is over: by the very `ml.evaluation.canary.objection` that a trial runs, and by the fixed
thresholds that stood in its place before, which judged errors from the fifth on, and the 99th
percentiles and scores of the latest 1,000 answers from `min_requests` on.

    python -m benchmarks.canary        # writes results/canary.md and results/canary.png
"""

import time
from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.canary.trials import Outcome, When, looks, trial
from benchmarks.canary.worlds import BAD, EQUAL, REQUESTS, RUNS, Draw, of_errors
from benchmarks.page import place, publish, sized
from mlops_assets.blocks.rollout import RolloutSettings

BAD_RUNS, POWER_RUNS = sized((100, 60), (1, 1))
WEIGHTS = (0.05, 0.2, 0.5)
RATES = (0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0)
BASE = 0.01
COLORS = ("#93c5fd", "#3b82f6", "#1e3a8a")


class Line(NamedTuple):
    """Many trials of one kind at one share: what the thresholds made of them, and the test."""

    what: str
    weight: float
    thresholds: list[Outcome]
    test: list[Outcome]
    promised: bool = True


def main() -> None:
    """Run every case and write table and picture."""
    start, rng = time.perf_counter(), np.random.default_rng(20261129)
    equal = [
        line(rng, what, draw, weight, runs)._replace(promised=promised)
        for what, draw, runs, promised in EQUAL
        for weight in WEIGHTS
    ]
    bad = [line(rng, what, draw, weight, BAD_RUNS) for what, draw in BAD for weight in WEIGHTS]
    power = [
        [line(rng, "", of_errors(BASE, rate), weight, POWER_RUNS) for rate in RATES]
        for weight in WEIGHTS
    ]
    publish("canary", _page(equal, bad))
    _draw(equal, power)
    print(f"{time.perf_counter() - start:.0f} s")
    _require(equal)


def settings_of(weight: float) -> RolloutSettings:
    """The defaults, with one long step."""
    return RolloutSettings(strategy="canary", weights=(weight,))


def line(rng: np.random.Generator, what: str, draw: Draw, weight: float, runs: int) -> Line:
    """So many trials."""
    settings = settings_of(weight)
    before, now = zip(*(trial(draw(rng, weight), settings) for _ in range(runs)), strict=True)
    return Line(what, weight, [*before], [*now])


def _caught(outcomes: list[Outcome]) -> list[When]:
    return [one.caught for one in outcomes if one.caught is not None]


def _passed(outcomes: list[Outcome]) -> list[When]:
    return [one.passed for one in outcomes if one.passed is not None]


def _require(equal: list[Line]) -> None:
    """Fail if the test breaks its promise by more than chance explains."""
    alpha = settings_of(0.5).false_alarm_rate
    for one in equal:
        runs, alarms = len(one.test), len(_caught(one.test))
        if one.promised and alarms / runs > alpha + 3 * (alpha * (1 - alpha) / runs) ** 0.5:
            raise SystemExit(f"{one.what}, {one.weight:.0%}: {alarms} of {runs}")


def _draw(equal: list[Line], power: list[list[Line]]) -> None:
    figure = Figure(figsize=(9, 3.8), dpi=100, layout="constrained")
    alarms, found = figure.subplots(1, 2)
    shown = [one for one in equal if one.what == EQUAL[1][0]]
    for color, one in zip(COLORS, shown, strict=True):
        for outcomes, style in ((one.thresholds, "--"), (one.test, "-")):
            ends = _caught(outcomes)
            times = [10, *sorted(end.requests for end in ends), REQUESTS]
            heights = [100 * min(n, len(ends)) / len(outcomes) for n in range(len(times))]
            alarms.step(times, heights, where="post", color=color, linestyle=style)
    alarms.set(title="equal versions, 2 % of both fail", xscale="log", ylim=(-2, 102))
    alarms.set(xlabel="requests to both", ylabel="rolled back until then, % of trials")
    for color, weight, lines in zip(COLORS, WEIGHTS, power, strict=True):
        rules = (
            ("fixed thresholds", "--", [one.thresholds for one in lines]),
            ("test", "-", [one.test for one in lines]),
        )
        for rule, style, points in rules:
            reached = [
                (100 * rate, np.median([end.candidate for end in _caught(outcomes)]))
                for rate, outcomes in zip(RATES, points, strict=True)
                if len(_caught(outcomes)) > len(outcomes) / 2
            ]
            if reached:
                label = f"{rule}, {weight:.0%} of requests"
                found.plot(*zip(*reached, strict=True), style, color=color, label=label)
    found.set(title=f"{BASE:.0%} of the incumbent's requests fail", xscale="log", yscale="log")
    found.set(xlabel="% of the canary's requests that fail", ylabel="its requests until caught")
    found.legend(frameon=False, fontsize=8)
    for axes in (alarms, found):
        axes.grid(color="#e2e8f0")
        axes.spines[["top", "right"]].set_visible(False)
    with place("canary.png").open("wb") as file:
        FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})


def _page(equal: list[Line], bad: list[Line]) -> str:
    alpha = settings_of(0.5).false_alarm_rate
    lines = [
        "# The verdict of a canary, simulated\n",
        f"Trials of {REQUESTS:,} requests with the default limits, looked at {len(looks()) - 1} "
        f"times; `false_alarm_rate` {alpha:g} for a trial of one step. Chance alone moves a share "
        f"of {alpha:.0%} in {RUNS:,} trials by +- {3 * (alpha * (1 - alpha) / RUNS) ** 0.5:.1%} "
        "(three standard errors).\n",
        "Rolled back though equal, or within what is tolerated. What the test promises is of "
        "requests that fail independently of each other: not where they come from few entities, "
        "each of which stays with one version; nor, in the letter, where the rate of both changes "
        "with time.\n",
        "| both versions | canary's share | trials | fixed thresholds | test | promised | its "
        "requests until a step passes by the test (median; 95 of 100) |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in equal:
        promised = f"at most {alpha:.0%}" if one.promised else "nothing"
        runs, passes = len(one.test), [end.candidate for end in _passed(one.test)]
        shares = (f"{len(_caught(of)) / runs:.1%}" for of in (one.thresholds, one.test))
        lines.append(
            f"| {one.what} | {one.weight:.0%} | {runs:,} | {' | '.join(shares)} | {promised} | "
            f"{_quantiles(passes)} |"
        )
    lines += [
        f"\nA bad canary, {BAD_RUNS} trials a line: share of the trials in which it was caught; "
        "share in which a step without a length of its own would have passed before; requests to "
        "both versions until it was caught (median; 95 of 100), and those of them that the canary "
        "answered: who was harmed.\n",
        "| canary | its share | thresholds: caught | passed before | requests | harmed | test: "
        "caught | passed before | requests | harmed |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in bad:
        cells = (_cells(outcomes) for outcomes in (one.thresholds, one.test))
        lines.append(f"| {one.what} | {one.weight:.0%} | {' | '.join(cells)} |")
    return "\n".join([*lines, "\n![False alarms, and requests until caught](canary.png)\n"])


def _cells(outcomes: list[Outcome]) -> str:
    caught, passed = _caught(outcomes), _passed(outcomes)
    shares = (f"{len(ends) / len(outcomes):.0%}" for ends in (caught, passed))
    numbers = ([end.requests for end in caught], [end.candidate for end in caught])
    return " | ".join([*shares, *map(_quantiles, numbers)])


def _quantiles(numbers: list[int]) -> str:
    """The median, and what 95 of 100 are not above."""
    if not numbers:
        return "never"
    return "; ".join(f"{np.quantile(numbers, q, method='lower'):,.0f}" for q in (0.5, 0.95))


if __name__ == "__main__":
    main()
