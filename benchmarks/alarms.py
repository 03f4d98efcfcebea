"""False alarms of a year without drift, and how late a changed concept is caught.

Each simulated model is trained once, on 6,000 rows and tested on 2,000, and then answers 400 rows a
day for a year. Nothing here is simplified but the rows: `ml.monitoring.profiles`,
`ml.monitoring.drift`, `ml.monitoring.performance` and `ml.retraining.policy` judge them with the
defaults of `monitoring`. All three signals are on: drift (confirmed by the estimated loss),
degraded performance, new data; the source's content does not change. Labels come three days late.

In the other half of the models the concept changes on day 120: the label of a row depends on two
features otherwise than before, the features themselves are drawn as ever.

    nice python -m benchmarks.alarms [MODELS]    # default 40; writes results/alarms.md
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from benchmarks.page import publish, sized
from mlops_assets.blocks.monitoring import LabelSettings, MonitoringSettings
from mlops_assets.ml.evaluation.metrics import metrics_of
from mlops_assets.ml.monitoring import drift, performance
from mlops_assets.ml.monitoring.profiles import PREDICTION, profile, profile_reference
from mlops_assets.ml.retraining.policy import decide
from mlops_assets.records.monitoring import PerformanceSummary, Window
from mlops_assets.records.profile import Profile
from mlops_assets.records.retraining import RetrainState, Signals
from tests.support.toy_models import flat_table

YEAR, CHANGE = sized((365, 120), (40, 20))
ROWS, DELAY = 400, 3
NAMES = [f"x{i}" for i in range(6)]
WEIGHTS = np.array([1.5, -1.0, 0.8, 0.5, 0.0, 0.0])
AFTER = np.array([1.5, 1.0, -0.8, 0.5, 0.0, 0.0])
START, DAY = datetime(2024, 1, 1, tzinfo=UTC), timedelta(days=1)
MATURITY = MonitoringSettings(labels=LabelSettings(maturity=timedelta(days=DELAY)))
SETTINGS = flat_table({**dict.fromkeys(NAMES, "float64"), "y": "int64"}).model_copy(
    update={"monitoring": MATURITY}
)


class Year(NamedTuple):
    """What one model's year looked like; days on which each of these was so."""

    drifted: list[int]
    degraded: list[int]
    trained: list[int]
    alerts: list[int]


class Live(NamedTuple):
    """A trained model as monitoring knows it."""

    fitted: LogisticRegression
    reference: Profile
    metrics: dict[str, float]
    held_out: tuple[np.ndarray, np.ndarray]
    """Scores and outcomes."""


def rows(
    rng: np.random.Generator, number: int, weights: np.ndarray
) -> tuple[pd.DataFrame, np.ndarray]:
    """Features and outcomes: four normal features, a skewed one and a count."""
    x = rng.normal(size=(number, 6))
    x[:, 4], x[:, 5] = np.exp(x[:, 4]), rng.poisson(2.0, number)
    chance = 1 / (1 + np.exp(-(x @ weights)))
    return pd.DataFrame(dict(zip(NAMES, x.T, strict=True))), (
        rng.uniform(size=number) < chance
    ).astype(int)


def train(rng: np.random.Generator) -> Live:
    """A model and its reference profile."""
    features, outcomes = rows(rng, 6000, WEIGHTS)
    fitted = LogisticRegression().fit(features.to_numpy(), outcomes)
    features, outcomes = rows(rng, 2000, WEIGHTS)
    scores = fitted.predict_proba(features.to_numpy())[:, 1]
    reference = profile_reference(features.assign(**{PREDICTION: scores}), SETTINGS.feature_dtypes)
    metrics = metrics_of(outcomes, scores[:, None], "binary")
    return Live(fitted, reference, metrics, (scores, outcomes))


def year(seed: int, *, changes: bool) -> Year:
    """Live through 365 days with the sensor's decision at the end of each."""
    rng = np.random.default_rng(seed)
    live, state, found = train(rng), RetrainState(), Year([], [], [], [])
    waiting: list[tuple[pd.DataFrame, np.ndarray]] = []
    bins = {name: column.bins for name, column in live.reference.columns.items()}
    for day in range(YEAR):
        features, outcomes = rows(rng, ROWS, AFTER if changes and day >= CHANGE else WEIGHTS)
        scores = live.fitted.predict_proba(features.to_numpy())[:, 1]
        waiting.append((pd.DataFrame({"score": scores}), outcomes))
        current = profile(features.assign(**{PREDICTION: scores}), bins)
        drifts = drift.summarize(live.reference, current, SETTINGS, 1, window(day))
        estimate = judged(live, *waiting[-1], day, known=day)
        final = (
            judged(live, *waiting[day - DELAY], day - DELAY, known=day) if day >= DELAY else None
        )
        signals = Signals(drift=(drifts,), performance=(final,) if final else (), estimate=estimate)
        policy = SETTINGS.monitoring.retrain
        decision = decide(policy, state, signals, START + (day + 1) * DAY)
        # The model stays as it is, so that the year goes on to be one without a retraining.
        state = decision.state.model_copy(update={"pending": None})
        seen = (
            (found.drifted, drifts.verdict == "drifted"),
            (found.degraded, final is not None and final.verdict == "degraded"),
            (found.trained, decision.action == "train"),
            (found.alerts, decision.action == "alert"),
        )
        for days, it_is in seen:
            if it_is:
                days.append(day)
    return found


def window(day: int) -> Window:
    """A day."""
    return Window(start=START + day * DAY, end=START + (day + 1) * DAY)


def judged(
    live: Live, answers: pd.DataFrame, outcomes: np.ndarray, day: int, *, known: int
) -> PerformanceSummary:
    """As `performance_report` does: with labels once they are known, an estimate at once."""
    arrived = known >= day + DELAY
    scores = answers["score"].to_numpy()
    calibrated = performance.calibration_map(*live.held_out, scores)
    answered = answers.assign(
        label=outcomes if arrived else np.nan,
        features_as_of=pd.Timestamp(START + day * DAY),
        model_version=1,
    )
    return performance.summarize(
        answered.assign(calibrated=calibrated),
        window(day),
        SETTINGS,
        reference=live.metrics,
        known_until=START + known * DAY,
    )


def calm(seed: int) -> Year:
    """A year in which nothing changes."""
    return year(seed, changes=False)


def changed(seed: int) -> Year:
    """A year in which the concept does."""
    return year(seed, changes=True)


def main() -> None:
    """Simulate, write the page, and require at most one false alarm a year and model."""
    models = int(sys.argv[1]) if len(sys.argv) > 1 else sized(40, 2)
    with ProcessPoolExecutor(2) as pool:
        quiet = list(pool.map(calm, range(models)))
        concept = list(pool.map(changed, range(1000, 1000 + models // 2)))
    false = [len(one.trained) for one in quiet]
    first = [next(d for d in [*one.trained, YEAR] if d >= CHANGE) - CHANGE for one in concept]
    before = [sum(d < CHANGE for d in one.trained) for one in concept]
    page = PAGE.format(
        doc=(__doc__ or "").split("    nice")[0].split("\n\n", 1)[1].strip(),
        models=models,
        false=np.mean(false),
        most=max(false),
        drifted=np.mean([len(one.drifted) for one in quiet]),
        degraded=np.mean([len(one.degraded) for one in quiet]),
        alerts=np.mean([len(one.alerts) for one in quiet]),
        concept=len(concept),
        median=np.median(first),
        latest=max(first),
        soonest=DELAY + 1,
        before=np.mean(before),
        silent=np.mean([sum(d >= CHANGE for d in one.drifted) for one in concept]),
        days=YEAR - CHANGE,
        year=YEAR,
        labelled=YEAR - DELAY,
        change=CHANGE,
    )
    publish("alarms", page)
    if max(false) > 1:
        raise SystemExit(f"a model was trained {max(false)} times in a year without drift")
    if max(first) >= YEAR - CHANGE:
        raise SystemExit("a change of the concept was not caught")


PAGE = """# Alarms: none without a cause, and concept drift by its labels

{doc}

It fails when a model of the quiet years is
trained more than once, or a changed concept is not caught.

| a year without drift, {models} models | |
|---|---|
| trainings asked for, mean per model and year (most) | {false:.2f} ({most}) |
| windows `drifted` of {year}, mean | {drifted:.2f} |
| windows `degraded` of {labelled}, mean | {degraded:.2f} |
| days with an alert that trains nothing, mean | {alerts:.2f} |

| the concept changes on day {change}, {concept} models | |
|---|---|
| days from the change to the training, median (latest) | {median:.0f} ({latest}) |
| the soonest possible: two windows and their labels | {soonest} |
| trainings before the change, mean | {before:.2f} |
| windows `drifted` of the {days} since the change, mean: the feature detectors | {silent:.2f} |
"""


if __name__ == "__main__":
    main()
