"""A verdict that is called final never changes, in whatever order rows and labels arrive."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.config import ModelSettings
from mlops_assets.ml.monitoring.outcomes import (
    known_labels,
    known_until,
    predicted_moments,
    with_outcomes,
)
from mlops_assets.ml.monitoring.performance import summarize_windows
from mlops_assets.records.monitoring import PerformanceReport
from tests.worlds.effort import worlds

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 240


def model(maturity: str = "1d", future: str = "allow", windows: int = 24) -> ModelSettings:
    """Flights: in the table before they start, with their outcome when they have landed."""
    columns = {
        "flight": {"dtype": "int64"},
        "time": {"dtype": "datetime", "future": future},
        "amount": {"dtype": "float64"},
        "late": {"dtype": "float64", "nullable": True},
    }
    monitoring = {
        "window": "6h",
        "performance": {"min_rows": 5, "windows": windows},
        "labels": {"maturity": maturity},
    }
    attributes: dict[str, Any] = {
        "name": "m",
        "source": {"uri": "x.csv"},
        "entity": {"name": "flight"},
        "timestamp": "time",
        "contract": {"columns": columns},
        "features": {"columns": ["amount"], "ttl": "30d"},
        "target": {"name": "t", "task": "binary", "column": "late", "missing": "unlabelled"},
        "training": {"split": {"by": "time", "test": "1 day"}},
        "evaluation": {"primary": "roc_auc"},
        "monitoring": monitoring,
        "deployment": {"port": 8103},
    }
    return ModelSettings.model_validate(attributes)


class World:
    """All flights there will ever be, when each enters the table, and when it has landed."""

    def __init__(self, seed: int, ahead_hours: int, delay_hours: int) -> None:
        rng = np.random.default_rng(seed)
        self.times = pd.Series(START + rng.uniform(0, 96, ROWS) * HOUR).astype(
            "datetime64[ns, UTC]"
        )
        hours = pd.to_timedelta(rng.uniform(0, 1, (2, ROWS)).ravel(), unit="h").to_series()
        entered, landed = hours.to_numpy()[:ROWS], hours.to_numpy()[ROWS:]
        self.entered = self.times - entered * ahead_hours
        self.landed = self.times + landed * delay_hours
        self.truth = (rng.uniform(size=ROWS) < 0.4).astype(float)
        self.score = rng.uniform(0.05, 0.95, ROWS)
        asked = self.entered + (self.times - self.entered) * rng.uniform(size=ROWS)
        self.log = pd.DataFrame(
            {
                "entity": pd.Series(range(ROWS)),
                "features_as_of": self.times,
                "event_time": asked,
                "score": self.score,
                "model_version": 1,
                "calibrated": np.nan,
            }
        )

    def table(self, exported: datetime) -> pd.DataFrame:
        late = pd.Series(self.truth).where(self.landed <= exported)
        rows = pd.DataFrame(
            {"flight": range(ROWS), "time": self.times, "amount": 1.0, "late": late}
        )
        return rows[self.entered <= exported].sample(frac=1, random_state=1)

    def report(self, now: datetime, exported: datetime, what: ModelSettings) -> PerformanceReport:
        rows = self.table(exported)
        log = self.log[self.log["event_time"] <= now]
        until = known_until(rows, what, now)
        known = known_labels(rows, predicted_moments(log, what), what)
        return summarize_windows(
            with_outcomes(log, known, what),
            what,
            reference={"log_loss": 0.5},
            known_until=until,
            now=now,
        )


@worlds(12)
@given(
    seed=st.integers(0, 10_000),
    ahead=st.integers(0, 72),
    delay=st.integers(1, 24),
    looks=st.lists(st.integers(1, 30), min_size=3, max_size=8),
    exports=st.integers(1, 40),
)
def test_what_is_final_stays(
    seed: int, ahead: int, delay: int, looks: list[int], exports: int
) -> None:
    """The table is exported now and then, and looked at in between."""
    world, what, seen = World(seed, ahead, delay), model(), {}
    now = START
    for gap in [*looks, 60, 60]:
        now += gap * HOUR
        exported = START + (now - START) // (exports * HOUR) * exports * HOUR
        for one in world.report(now, exported, what).windows:
            if one.window.start in seen:
                assert one == seen[one.window.start]
            elif one.final:
                seen[one.window.start] = one
    assert seen, "in the end all labels have come"


def test_rows_of_the_future_do_not_make_a_window_final() -> None:
    """Half of its flights have landed, the punctual ones; the others would all be late."""
    times = pd.Series(pd.date_range("2026-01-08", "2026-01-13 23:00", freq="10min", tz="UTC"))
    now = pd.Timestamp("2026-01-10 12:00", tz="UTC")
    truth = pd.Series(np.arange(len(times)) % 5 == 0).astype(float)
    landed = times + pd.to_timedelta(truth * 180, unit="min")
    rows = pd.DataFrame({"flight": range(len(times)), "time": times, "amount": 1.0, "late": truth})
    rows["late"] = rows["late"].where(landed <= now)
    log = pd.DataFrame({"entity": rows["flight"], "features_as_of": times, "score": 0.2})
    log["event_time"] = now - pd.Timedelta(hours=7)
    log["model_version"], log["calibrated"] = 1, np.nan
    today = log[(times >= now.floor("D")) & (times < now.ceil("D"))]

    what, until = model(), known_until(rows, model(), now.to_pydatetime())
    assert until is not None
    assert until <= now
    known = known_labels(rows, predicted_moments(today, what), what)
    (found,) = summarize_windows(
        with_outcomes(today, known, what),
        what,
        reference={"log_loss": 0.5},
        known_until=until,
        now=now.to_pydatetime(),
    ).windows
    assert (found.final, found.verdict) == (False, "unknown")


@pytest.mark.parametrize("maturity", ["1d", "30d"])
def test_windows_are_final_in_the_end_however_long_their_labels_take(maturity: str) -> None:
    """Also where many more windows than a report holds are waiting for labels."""
    world, what = World(3, 0, 1), model(maturity, future="refuse", windows=2)
    rows = world.table(START + 60 * DAY)
    last = rows.iloc[[0]].assign(flight=ROWS, time=pd.Timestamp(START + 33 * DAY), late=0.0)
    rows = pd.concat([rows, last])
    newer = world.log.assign(event_time=world.log["event_time"] + 30 * DAY)
    newer["features_as_of"] += 30 * DAY
    log = pd.concat([world.log, newer])
    known = known_labels(rows, predicted_moments(log, what), what)
    found = summarize_windows(
        with_outcomes(log, known, what),
        what,
        reference={},
        known_until=known_until(rows, what, START + 60 * DAY),
        now=START + 60 * DAY,
    ).windows
    assert [one.final for one in found] == [True, True, False, False]


def test_a_verdict_that_was_given_is_not_given_again() -> None:
    """Not by labels that come later than they may, nor by rows of the log that were lost."""
    world, what = World(1, 0, 24), model()
    now = START + 20 * DAY
    first = world.report(now, now, what)
    other = first.windows[0].model_copy(update={"verdict": "degraded", "reasons": ("before",)})
    again = summarize_windows(
        with_outcomes(
            world.log,
            known_labels(world.table(now), predicted_moments(world.log, what), what),
            what,
        ),
        what,
        reference={},
        known_until=None,
        now=now,
        settled=[other],
    )
    assert other in again.windows
    assert [one.final for one in again.windows].count(True) == 1
