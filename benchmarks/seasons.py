"""False alarms and detection of drift in a seasonal year: against training, against the season.

20 columns; half of them are higher at weekends. The model was trained on 5,000 rows of working
days; a daily window has 2,000 rows. In the years with a shift a column moves for good by one
standard deviation on day 250.

    python -m benchmarks.seasons              # writes results/seasons.md and .png
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from benchmarks.page import place, publish, sized
from mlops_assets.blocks.monitoring import Reference
from mlops_assets.config import ModelSettings
from mlops_assets.ml.monitoring.drift import examine
from mlops_assets.ml.monitoring.live_profiles import answered, count_parts, window_of
from mlops_assets.ml.monitoring.prediction_log import FEATURE
from mlops_assets.ml.monitoring.profiles import profile_reference
from mlops_assets.ml.monitoring.seasons import choose_reference, counting_for, earlier_windows
from mlops_assets.ml.plots.evaluation import INK, MODEL, REFERENCE
from mlops_assets.ml.plots.style import figure_and_axes, png
from mlops_assets.records.monitoring import DriftSummary
from mlops_assets.records.profile import Counting, Part, Profile
from tests.support.toy_models import flat_table

DAY = timedelta(days=1)
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
DAYS, SHIFT_DAY, ROWS, COLUMNS, YEARS = sized((364, 250, 2_000, 20, 3), (28, 14, 500, 20, 1))
NAMES = [f"x{i}" for i in range(COLUMNS)]
WEEKEND = np.where(np.arange(COLUMNS) % 2, 1.5, 0.0)


def main() -> None:
    """Run the years and write the page."""
    lines = [
        "# Drift in a seasonal year\n",
        f"{COLUMNS} columns, half of them 1.5 standard deviations "
        f"higher at weekends; {ROWS:,} rows a day, {YEARS} years of {DAYS} days each way, judged "
        "by a model that was trained on working days. The shift moves one column by one standard "
        "deviation for good. Until four such weekdays were logged, `same_weekday` compares with "
        "training, and its reports say so.\n",
        "| reference | year | alarms without a shift, of which compared with training | "
        "days from the shift to the third alarm of five |",
        "|---|---|---|---|",
    ]
    kinds: tuple[Reference, ...] = ("training", "same_weekday")
    shown: dict[str, list[DriftSummary]] = {}
    for kind in kinds:
        for year in range(YEARS):
            calm, moved = (_year(year, kind, shift=shift) for shift in (0.0, 1.0))
            shown.setdefault(kind, moved)
            alarms = [day for day in calm if day.verdict == "drifted"]
            fallen = sum(day.reference == "training" for day in alarms)
            lines.append(f"| {kind} | {year + 1} | {len(alarms)}, {fallen} | {_delay(moved)} |")
    lines.append("\n![Highest score of each day of a year with a shift](seasons.png)")
    publish("seasons", "\n".join(lines))
    place("seasons.png").write_bytes(_picture(shown))


def _picture(years: dict[str, list[DriftSummary]]) -> bytes:
    figure, axes = figure_and_axes()
    for (kind, days), color in zip(years.items(), (REFERENCE, MODEL), strict=True):
        highest = [max(day.scores.values()) for day in days]
        axes.plot(highest, color=color, label=kind, linewidth=1)
    axes.axhline(0.2, color=INK, linestyle="--", linewidth=0.8, label="threshold")
    axes.axvline(SHIFT_DAY, color=INK, linestyle=":", linewidth=0.8, label="a column moves")
    axes.set(xlabel="day", ylabel="highest PSI of the columns", yscale="symlog")
    axes.legend(frameon=False, fontsize=8)
    return png(figure)


def _year(seed: int, kind: Reference, *, shift: float) -> list[DriftSummary]:
    rng, settings = np.random.default_rng(seed), _settings(kind)
    training = _training(rng)
    by, past, found = counting_for(training, DAY, kind), {}, []
    for day in range(DAYS):
        moment = MONDAY + day * DAY
        past[moment] = _day(rng, moment, shift if day >= SHIFT_DAY else 0.0, by)
        found.append(_judge(moment, past, training, by, settings))
    return found


def _judge(
    moment: datetime,
    past: dict[datetime, list[Part]],
    training: Profile,
    by: Counting,
    settings: ModelSettings,
) -> DriftSummary:
    window, rules = window_of(moment, DAY), settings.monitoring.drift
    earlier = earlier_windows(window, rules.reference)
    history = [part for one in earlier for part in past.get(one.start, [])]
    chosen = choose_reference(history, by, training, 1, rules)
    return examine(chosen, answered(past[moment], by), settings, 1, window).summary


def _training(rng: np.random.Generator) -> Profile:
    rows = pd.DataFrame(rng.normal(size=(5_000, COLUMNS)), columns=pd.Index(NAMES))
    columns = rows.assign(prediction=rng.uniform(size=5_000))
    return profile_reference(columns, dict.fromkeys(NAMES, "float64"))


def _day(rng: np.random.Generator, moment: datetime, shift: float, by: Counting) -> list[Part]:
    values = rng.normal(size=(ROWS, COLUMNS)) + WEEKEND * (moment.weekday() >= 5)
    values[:, 0] += shift
    rows = pd.DataFrame(values, columns=pd.Index(NAMES)).add_prefix(FEATURE)
    at = pd.Series([pd.Timestamp(moment)] * ROWS)
    log = rows.assign(
        event_time=at,
        features_as_of=at,
        role="primary",
        model_version=1,
        score=rng.uniform(size=ROWS),
    )
    return count_parts(log, log.get, by, [1])


def _settings(kind: Reference) -> ModelSettings:
    model = flat_table({**dict.fromkeys(NAMES, "float64"), "y": "float64"})
    values = model.model_dump(exclude={"monitoring"})
    monitoring = {"drift": {"reference": kind}}
    return ModelSettings.model_validate({**values, "monitoring": monitoring})


def _delay(days: list[DriftSummary]) -> str:
    """By the policy's default: three alarms of that column among five windows."""
    bad = [NAMES[0] in day.drifted_columns for day in days]
    late = [day for day in range(SHIFT_DAY, DAYS) if sum(bad[day - 4 : day + 1]) >= 3]
    return str(late[0] - SHIFT_DAY + 1) if late else "never"


if __name__ == "__main__":
    main()
