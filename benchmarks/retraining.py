"""When to retrain, replayed: ours beside a threshold sensor and the 2-of-5 rule of mlops-stacks.

Two years of days; labels come three days late. Every day's rows are drawn, scored by the live
model, and judged: PSI of each feature against the rows it was trained on, log loss against its
held-out one, and an estimate of the loss from the scores alone. A rule that asks for a training
gets one: a logistic regression on the newest labelled days, promoted by one gate for all rules.

- naive: retrain on every day whose drift flag is on.
- mlops-stacks: retrain when 2 of the newest 5 windows violate the metric, the newest among them.
- ours: `mlops_assets.ml.retraining.decide`, with the defaults of `monitoring.retrain`.

A retraining is wrong when the model it made is less than 2 % better, in expected log loss on the
distribution of that day, than the one that was live: the compute bought nothing. Recovery is the
number of days, from the onset of a lasting change, until the live model's expected loss is closer
to the best possible one than half of what the change had cost at its worst.

    python benchmarks/retraining.py     # writes results/retraining.md and results/retraining.png
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

from mlops_assets.blocks.monitoring import RetrainSettings
from mlops_assets.ml.retraining import decide
from mlops_assets.records.monitoring import DriftSummary, PerformanceSummary, Window
from mlops_assets.records.retraining import Outcome, RetrainState, Signals

RESULTS = Path(__file__).parent / "results"
DAYS, ROWS, FEATURES = 730, 400, 4
LABEL_DELAY, TRAIN_DAYS, TEST_SHARE = 3, 21, 0.25
PSI_LIMIT, TOLERANCE, MARGIN = 0.1, 0.1, 0.02
SEEDS = (1, 2)
START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
BASE = np.array([1.5, -1.0, 0.8, 0.0])


Rows = tuple[np.ndarray, np.ndarray]
"""Features and labels."""


class Phase(NamedTuple):
    """A stretch of the two years."""

    name: str
    first: int
    last: int
    lasting: bool


PHASES = (
    Phase("calm", 0, 60, lasting=False),
    Phase("flapping", 60, 160, lasting=False),
    Phase("seasonal", 160, 290, lasting=False),
    Phase("gradual", 290, 410, lasting=True),
    Phase("sudden", 410, 500, lasting=True),
    Phase("concept only", 500, 590, lasting=True),
    Phase("broken upstream", 590, 650, lasting=False),
    Phase("calm again", 650, 730, lasting=False),
)
BROKEN = {*range(600, 604), *range(618, 622), *range(636, 640)}
"""Three outages of four days: one feature arrives as zero for every row."""


def world(day: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Means of the features, the true weights and intercept of a day."""
    mean, weights, intercept = np.zeros(FEATURES), BASE.copy(), 0.0
    if 60 <= day < 160 and day % 4 == 0:
        mean[3] = 0.8  # one day in four, in a feature without weight
    if 160 <= day < 290:
        mean[3] = 0.7 * np.sin(2 * np.pi * (day - 160) / 65)
    if day >= 290:
        share = min(1.0, (day - 290) / 90)
        mean[0] += 1.2 * share
        weights[0] -= 2.0 * share  # what was learnt of it does not hold out there
    if day >= 410:
        mean[1] += 1.5
        weights[1] += 2.2
    if day >= 500:
        weights[2] -= 2.0  # the features look as before
    return mean, weights, intercept


def draw(rng: np.random.Generator, day: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Features as the model is fed them, and the true probabilities."""
    mean, weights, intercept = world(day)
    x = rng.normal(mean, 1.0, (rows, FEATURES))
    chance = 1 / (1 + np.exp(-(x @ weights + intercept)))
    if day in BROKEN:
        x = x.copy()
        x[:, 0] = 0.0
    return x, chance


@dataclass
class Model:
    """A fitted model, and what its day of birth knew."""

    version: int
    fitted: LogisticRegression
    reference: np.ndarray
    held_out: float

    def chance(self, x: np.ndarray) -> np.ndarray:
        """Probability of a positive, away from 0 and 1."""
        return np.clip(self.fitted.predict_proba(x)[:, 1], 1e-6, 1 - 1e-6)


@dataclass
class Stream:
    """The same days for every rule."""

    x: list[np.ndarray]
    y: list[np.ndarray]
    probe: list[tuple[np.ndarray, np.ndarray]]

    @classmethod
    def of(cls, seed: int) -> "Stream":
        """Draw two years and a large sample of each day's distribution to judge models by."""
        rng = np.random.default_rng(seed)
        days = [draw(rng, day, ROWS) for day in range(DAYS)]
        labels = [(rng.uniform(size=ROWS) < chance).astype(int) for _, chance in days]
        # Judged by what the day is without the outage: a model must not be fitted to a fault.
        probe = [draw(rng, day + 1000 if day in BROKEN else day, 1500) for day in range(DAYS)]
        return cls([x for x, _ in days], labels, probe)

    def _rows(
        self, day: int
    ) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """The newest labelled days of `day`, as rows to train on and rows that are held out."""
        last = day - LABEL_DELAY
        days = range(max(0, last - TRAIN_DAYS + 1), last + 1)
        x, y = np.concatenate([self.x[d] for d in days]), np.concatenate([self.y[d] for d in days])
        order = np.random.default_rng(day).permutation(len(x))
        test, train = np.split(order, [int(TEST_SHARE * len(x))])
        return (x[train], y[train]), (x[test], y[test])

    def fit(self, day: int, version: int) -> Model:
        """Train on what is labelled at the end of `day`."""
        (x, y), (test_x, test_y) = self._rows(day)
        model = Model(version, LogisticRegression().fit(x, y), x, 0.0)
        model.held_out = log_loss(model.chance(test_x), test_y)
        return model

    def gate(self, day: int, champion: Model, challenger: Model) -> bool:
        """Whether the challenger loses less on the held-out rows of its training."""
        x, y = self._rows(day)[1]
        return log_loss(challenger.chance(x), y) <= log_loss(champion.chance(x), y)

    def expected_loss(self, model: Model, day: int) -> float:
        """Of a model on a day's distribution, from the true probabilities."""
        x, chance = self.probe[day]
        return log_loss(model.chance(x), chance)

    def best_loss(self, day: int) -> float:
        """Of somebody who knows the true probabilities."""
        chance = np.clip(self.probe[day][1], 1e-9, 1 - 1e-9)
        return log_loss(chance, chance)


def log_loss(predicted: np.ndarray, actual: np.ndarray) -> float:
    """Mean log loss; `actual` may be probabilities."""
    return float(-np.mean(actual * np.log(predicted) + (1 - actual) * np.log(1 - predicted)))


def psi(reference: np.ndarray, current: np.ndarray) -> float:
    """Of one feature, in ten bins of equal reference mass."""
    edges = np.quantile(reference, np.linspace(0.1, 0.9, 9))
    shares = [np.bincount(np.searchsorted(edges, v), minlength=10) for v in (reference, current)]
    p, q = ((share + 0.5) / (share.sum() + 5) for share in shares)
    return float(np.sum((q - p) * np.log(q / p)))


class Day(NamedTuple):
    """What monitoring knows at the end of a day."""

    number: int
    drift: DriftSummary
    final: PerformanceSummary | None
    estimate: PerformanceSummary


Rule = Callable[[Day, Outcome | None], bool]


def naive() -> Rule:
    """Retrain whenever the drift flag is on."""
    return lambda day, _: day.drift.verdict == "drifted"


def two_of_five() -> Rule:
    """Retrain when 2 of the newest 5 windows violate the metric, the newest among them."""
    seen: list[bool] = []

    def asks(day: Day, _: Outcome | None) -> bool:
        if day.final is None:
            return False
        seen.append(day.final.verdict == "degraded")
        return seen[-1] and sum(seen[-5:]) >= 2

    return asks


@dataclass
class Ours:
    """The policy of this project; its pending training was started the day before."""

    policy: RetrainSettings = field(default_factory=RetrainSettings)
    state: RetrainState = field(default_factory=RetrainState)

    def __call__(self, day: Day, outcome: Outcome | None) -> bool:
        """One tick a day."""
        pending = self.state.pending
        if outcome is not None and pending is not None:
            outcome = outcome.model_copy(update={"decision": pending.id})
        final = (day.final,) if day.final else ()
        signals = Signals(
            drift=(day.drift,), performance=final, estimate=day.estimate, outcome=outcome
        )
        now = START + (day.number + 1) * DAY
        decision = decide(self.policy, self.state, signals, now)
        self.state = decision.state
        return decision.action == "train"


@dataclass
class Replay:
    """What one rule did with one stream."""

    trained: list[int] = field(default_factory=list)
    wrong: list[int] = field(default_factory=list)
    excess: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def unrecovered(self, stream_cost: dict[str, float], phase: Phase) -> int:
        """Days of a lasting change on which more than half of its cost was still there."""
        days = self.excess[phase.first : phase.last]
        return sum(excess > stream_cost[phase.name] / 2 for excess in days)


def replay(stream: Stream, rule: Rule) -> Replay:
    """Two years of one rule."""
    found, live, outcome = Replay(), stream.fit(LABEL_DELAY + TRAIN_DAYS, 1), None
    served: dict[int, Model] = {}
    for number in range(DAYS):
        served[number] = live
        found.excess.append(stream.expected_loss(live, number) - stream.best_loss(number))
        if number < LABEL_DELAY + TRAIN_DAYS:
            continue
        asked = rule(report(stream, served, number), outcome)
        outcome = None
        if not asked:
            continue
        start = time.perf_counter()
        challenger = stream.fit(number, live.version + 1)
        promoted = stream.gate(number, live, challenger)
        found.seconds += time.perf_counter() - start
        found.trained.append(number)
        gain = 1 - stream.expected_loss(challenger, number) / stream.expected_loss(live, number)
        if gain < MARGIN:
            found.wrong.append(number)
        result = "promoted" if promoted else "refused"
        outcome = Outcome(decision="", result=result, run_id=str(number))
        live = challenger if promoted else live
    return found


def report(stream: Stream, served: dict[int, Model], number: int) -> Day:
    """The three reports of a day, by the defaults of this module."""
    live, x = served[number], stream.x[number]
    scores = [psi(live.reference[:, i], x[:, i]) for i in range(FEATURES)]
    constant = [i for i in range(FEATURES) if np.ptp(x[:, i]) == 0 < np.ptp(live.reference[:, i])]
    drift = DriftSummary(
        **_common(number, live),
        reference_rows=len(live.reference),
        verdict="drifted" if max(scores) > PSI_LIMIT else "calm",
        broken_columns=tuple(f"x{i}" for i in constant),
    )
    chance = live.chance(x)
    estimate = PerformanceSummary(
        **_common(number, live),
        labelled_rows=0,
        final=False,
        verdict="unknown",
        estimated={"log_loss": log_loss(chance, chance)},
        reference={"log_loss": live.held_out},
    )
    then = number - LABEL_DELAY
    model = served[then]
    loss = log_loss(model.chance(stream.x[then]), stream.y[then])
    final = PerformanceSummary(
        **_common(then, model),
        labelled_rows=ROWS,
        final=True,
        verdict="degraded" if loss > model.held_out * (1 + TOLERANCE) else "good",
        metrics={"log_loss": loss},
        reference={"log_loss": model.held_out},
    )
    return Day(number, drift, final, estimate)


def _common(day: int, model: Model) -> dict[str, Any]:
    window = Window(start=START + day * DAY, end=START + (day + 1) * DAY)
    return {"model": "m", "model_version": model.version, "window": window, "rows": ROWS}


RULES: dict[str, Callable[[], Rule]] = {
    "naive threshold": naive,
    "mlops-stacks 2 of 5": two_of_five,
    "ours": Ours,
}


def main() -> None:
    """Replay every seed by every rule; write table and picture; require what is promised."""
    streams = [Stream.of(seed) for seed in SEEDS]
    found = {name: [replay(stream, make()) for stream in streams] for name, make in RULES.items()}
    never = [replay(stream, lambda *_: False) for stream in streams]
    costs = [_costs(stream) for stream in streams]
    page = "\n".join([*_table(found, costs), *_phases(found, costs)])
    draw_picture({name: runs[0] for name, runs in found.items()}, never[0])
    page += "\n\n![replay](retraining.png)\n\n" + NOT_REACHED
    (RESULTS / "retraining.md").write_text(page + "\n", encoding="utf-8")
    print(page)
    wrong = {name: sum(len(r.wrong) for r in runs) for name, runs in found.items()}
    days = {name: _unrecovered(runs, costs) for name, runs in found.items()}
    if wrong["ours"] >= min(wrong["naive threshold"], wrong["mlops-stacks 2 of 5"]):
        raise SystemExit(f"not fewer wrong retrainings: {wrong}")
    if days["ours"] > days["mlops-stacks 2 of 5"]:
        raise SystemExit(f"recovers later: {days}")


NOT_REACHED = """Not reached: after the change of the concept ours recovers a day later than the
2-of-5 rule, which retrains daily while the windows of the version before are still bad; ours asks
for as many new bad windows as for the first alarm."""


def _costs(stream: Stream) -> dict[str, float]:
    """Expected loss, above the best, that a lasting change costs whoever does not retrain."""
    lasting = [phase for phase in PHASES if phase.lasting]
    costs = {}
    for phase in lasting:
        before = stream.fit(phase.first, 0)
        end = phase.last - 1
        costs[phase.name] = stream.expected_loss(before, end) - stream.best_loss(end)
    return costs


def _unrecovered(runs: list[Replay], costs: list[dict[str, float]]) -> int:
    lasting = [phase for phase in PHASES if phase.lasting]
    pairs = zip(runs, costs, strict=True)
    return sum(run.unrecovered(cost, phase) for run, cost in pairs for phase in lasting)


def _table(found: dict[str, list[Replay]], costs: list[dict[str, float]]) -> Iterator[str]:
    yield "# When to retrain, replayed\n"
    yield (__doc__ or "").split("\n\n", 1)[1].split("    python")[0].strip() + "\n"
    yield f"Means of {len(SEEDS)} streams of {DAYS} days (`python benchmarks/retraining.py`).\n"
    yield "| rule | retrainings | wrong | training CPU s | days unrecovered |"
    yield "|---|---|---|---|---|"
    for name, runs in found.items():
        n = len(runs)
        trained, wrong = sum(len(r.trained) for r in runs) / n, sum(len(r.wrong) for r in runs) / n
        seconds, days = sum(r.seconds for r in runs) / n, _unrecovered(runs, costs) / n
        yield f"| {name} | {trained:.1f} | {wrong:.1f} | {seconds:.2f} | {days:.1f} |"


def _phases(found: dict[str, list[Replay]], costs: list[dict[str, float]]) -> Iterator[str]:
    yield "\nBy phase: retrainings (of them wrong); days unrecovered where the change lasts.\n"
    yield "| phase | days | " + " | ".join(found) + " |"
    yield "|---|---|" + "---|" * len(found)
    for phase in PHASES:
        cells = []
        for runs in found.values():
            inside = [sum(phase.first <= d < phase.last for d in r.trained) for r in runs]
            wrong = [sum(phase.first <= d < phase.last for d in r.wrong) for r in runs]
            cell = f"{np.mean(inside):.1f} ({np.mean(wrong):.1f})"
            if phase.lasting:
                pairs = zip(runs, costs, strict=True)
                late = float(np.mean([r.unrecovered(c, phase) for r, c in pairs]))
                cell += f"; {late:.1f} d"
            cells.append(cell)
        yield f"| {phase.name} | {phase.first}-{phase.last} | " + " | ".join(cells) + " |"


def draw_picture(found: dict[str, Replay], never: Replay) -> None:
    """Excess loss of the live model by day, and a mark for each retraining, of one stream."""
    figure = Figure(figsize=(11, 7), layout="constrained")
    axes = figure.subplots(len(found), 1, sharex=True, sharey=True)
    for axis, (name, run) in zip(axes, found.items(), strict=True):
        axis.plot(never.excess, color="#d1d5db", linewidth=1, label="never retrained")
        axis.plot(run.excess, color="#1e3a8a", linewidth=1, label="live model")
        good = [day for day in run.trained if day not in run.wrong]
        axis.plot(good, [-0.04] * len(good), "|", color="#16a34a", label="retrained")
        axis.plot(run.wrong, [-0.08] * len(run.wrong), "|", color="#dc2626", label="wrongly")
        for phase in PHASES:
            axis.axvline(phase.first, color="#9ca3af", linewidth=0.5)
            if axis is axes[0]:
                axis.annotate(phase.name, (phase.first + 2, 0.62), fontsize=7)
        axis.set_ylim(-0.12, 0.7)
        axis.set_title(
            f"{name}: {len(run.trained)} retrainings, {len(run.wrong)} wrong", loc="left"
        )
        axis.set_ylabel("excess log loss")
    axes[0].legend(loc="center left", fontsize=7)
    axes[-1].set_xlabel("day")
    with (RESULTS / "retraining.png").open("wb") as file:
        FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})


if __name__ == "__main__":
    main()
