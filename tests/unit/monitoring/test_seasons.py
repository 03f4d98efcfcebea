"""A seasonal reference: calm where the season repeats itself, loud where the world moved."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from mlops_assets.blocks.monitoring import DriftSettings, MonitoringSettings
from mlops_assets.config import ModelSettings
from mlops_assets.ml.monitoring.drift import examine
from mlops_assets.ml.monitoring.live_profiles import answered, as_profiled, count_parts, window_of
from mlops_assets.ml.monitoring.profiles import coarsened, profile, profile_reference
from mlops_assets.ml.monitoring.seasons import (
    choose_reference,
    counting_for,
    earlier_windows,
    features_digest,
)
from mlops_assets.records.monitoring import DriftSummary
from mlops_assets.records.profile import Counting, Part
from tests.support.tables.drift_columns import assert_equal
from tests.support.toy_models import flat_table

DAY = timedelta(days=1)
SATURDAY = datetime(2026, 3, 7, tzinfo=UTC)
ROWS = 300


def orders(moment: datetime, *, moved: float = 0.0, version: int = 1) -> pd.DataFrame:
    """A day of the log: baskets are larger at weekends and in December."""
    rng = np.random.default_rng(int(moment.timestamp()) % 2**32)
    season = 2.0 * (moment.weekday() >= 5) + 3.0 * (moment.month == 12)
    return pd.DataFrame(
        {
            "event_time": pd.Series([moment + DAY / 2] * ROWS).astype("datetime64[us, UTC]"),
            "features_as_of": pd.Series([pd.NaT] * ROWS, dtype="datetime64[us, UTC]"),
            "role": "primary",
            "model_version": version,
            "score": rng.uniform(size=ROWS),
            "feature_basket": rng.normal(season + moved, 1, ROWS),
        }
    )


WEEKDAYS = pd.concat([orders(SATURDAY - n * DAY) for n in range(1, 5)], ignore_index=True)
TRAINING = profile_reference(
    WEEKDAYS.rename(columns={"feature_basket": "basket", "score": "prediction"}),
    {"basket": "float64"},
)


def model(**drift: Any) -> ModelSettings:
    values = flat_table({"basket": "float64", "y": "float64"}).model_dump(exclude={"monitoring"})
    return ModelSettings.model_validate({**values, "monitoring": {"drift": drift}})


def judge(
    moment: datetime, past: list[datetime], *, moved: float = 0.0, version: int = 1, **drift: Any
) -> DriftSummary:
    """The report of one day, with these earlier days in the log, all of version 1."""
    settings, window = model(**drift), window_of(moment, DAY)
    rules = settings.monitoring.drift
    wanted = [one.start for one in earlier_windows(window, rules.reference)]
    by = counting_for(TRAINING, DAY, rules.reference)
    history = [part for day in past if day in wanted for part in parts(orders(day), by)]
    chosen = choose_reference(history, by, TRAINING, version, rules)
    live = answered(parts(orders(moment, moved=moved, version=version), by), by)
    return examine(chosen, live, settings, version, window).summary


def parts(rows: pd.DataFrame, by: Counting) -> list[Part]:
    return count_parts(rows, rows.get, by, [1, 2])


WEEKS = [SATURDAY - n * DAY for n in range(1, 57)]
DECEMBER = datetime(2026, 12, 9, tzinfo=UTC)
LAST_YEAR = [datetime(2025, 11, 20, tzinfo=UTC) + n * DAY for n in range(60)]


@pytest.mark.parametrize(
    ("moment", "past", "reference"),
    [(SATURDAY, WEEKS, "same_weekday"), (DECEMBER, LAST_YEAR, "same_month")],
)
def test_a_season_alarms_against_training_and_is_calm_against_itself(
    moment: datetime, past: list[datetime], reference: str
) -> None:
    assert judge(moment, past).drifted_columns == ("basket",)
    found = judge(moment, past, reference=reference)
    assert (found.verdict, found.reference, found.notes) == ("calm", reference, ())


@pytest.mark.parametrize(
    ("moment", "past", "reference"),
    [(SATURDAY, WEEKS, "same_weekday"), (DECEMBER, LAST_YEAR, "same_month")],
)
def test_a_real_shift_alarms_against_both(
    moment: datetime, past: list[datetime], reference: str
) -> None:
    assert judge(moment, past, moved=2.0).verdict == "drifted"
    assert judge(moment, past, moved=2.0, reference=reference).drifted_columns == ("basket",)


@pytest.mark.parametrize("moved", [-8.0, -1.0, 0.7])
def test_a_season_far_off_the_training_is_seen_to_move(moved: float) -> None:
    assert judge(DECEMBER, LAST_YEAR, moved=moved, reference="same_month").drifted_columns


def test_finer_counts_add_up_to_those_of_the_training_bins() -> None:
    rows = as_profiled(orders(DECEMBER).head(100))
    fine = profile(rows, counting_for(TRAINING, DAY, "same_month").bins)
    assert len(fine.columns["basket"].counts) > 30
    assert len(fine.columns["basket"].model_dump_json()) < 10_000
    coarse = coarsened(fine, TRAINING.bins)
    assert_equal(coarse, profile(rows, TRAINING.bins))


def test_too_little_history_falls_back_by_name() -> None:
    found = judge(SATURDAY, WEEKS[:21], reference="same_weekday")
    assert (found.verdict, found.reference) == ("drifted", "training")
    (note,) = found.notes
    assert "training: 3 earlier windows with 900 rows, and same_weekday needs 4 with 200" in note


def test_scores_are_compared_with_those_of_the_same_version_only() -> None:
    found = judge(SATURDAY, WEEKS, version=2, reference="same_weekday")
    assert (found.verdict, found.reference) == ("calm", "same_weekday")
    assert found.notes[0].startswith("prediction is compared with training: of version 2")


def test_which_windows_are_of_the_season() -> None:
    quarter = window_of(SATURDAY + timedelta(hours=14), timedelta(hours=6))
    weeks = earlier_windows(quarter, "same_weekday")
    assert len(weeks) == 13
    assert weeks[0].start == quarter.start - timedelta(days=7)

    days = [one.start for one in earlier_windows(window_of(DECEMBER, DAY), "same_month")]
    assert len(days) == 93
    assert {(day.year, day.month) for day in days} == {(y, 12) for y in (2023, 2024, 2025)}
    assert earlier_windows(window_of(DECEMBER, DAY), "training") == []


def test_a_weekday_needs_windows_that_divide_a_week() -> None:
    weekly = DriftSettings(reference="same_weekday")
    assert MonitoringSettings(window=timedelta(hours=6), drift=weekly)
    with pytest.raises(ValidationError, match="divides a week"):
        MonitoringSettings(window=timedelta(days=2), drift=weekly)
    with pytest.raises(ValidationError, match=r"history is 14.* 13 earlier windows"):
        MonitoringSettings(drift=DriftSettings(reference="same_weekday", history=14))


def test_only_numbers_age() -> None:
    with pytest.raises(ValidationError, match=r"monitoring.drift.ageing.*colour"):
        model(ageing={"colour": "1d"})


def test_features_that_are_defined_otherwise_are_other_features() -> None:
    assert features_digest(model()) == features_digest(model(threshold=0.3))
    other = flat_table({"basket": "float64", "size": "float64", "y": "float64"})
    assert features_digest(other) != features_digest(model())
