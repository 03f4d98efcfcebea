"""Each day of the prediction log is counted once; what is new is counted beside it."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.errors import PredictionLogError
from mlops_assets.ml.inference.log_lines import parse
from mlops_assets.ml.monitoring.live_profiles import answered, as_profiled, count_parts, window_of
from mlops_assets.ml.monitoring.prediction_log import to_frame, to_table
from mlops_assets.ml.monitoring.profiles import profile, profile_reference
from mlops_assets.records.monitoring import Window
from mlops_assets.records.profile import Ageing, Counting, DayProfiles, Profile
from resources.prediction_log.log import PredictionLog
from tests.support.fakes.predictions import FakePredictionLog
from tests.support.tables.drift_columns import assert_equal
from tests.unit.monitoring.logged.test_prediction_log import DAY, line, text, write

DTYPES: dict[str, Any] = {"spend": "float64", "class": "string", "tenure": "float64"}
DAYS = Window(start=DAY, end=DAY + timedelta(days=3))


@pytest.fixture
def log(tmp_path: Path) -> PredictionLog:
    return PredictionLog(endpoints=str(tmp_path / "endpoints"), root=str(tmp_path / "predictions"))


def requests(first: int, count: int, **changes: Any) -> list[dict]:
    """One request an hour, of three roles and two versions."""
    rng = np.random.default_rng(first)
    rows = []
    for i in range(first, first + count):
        features = {
            "spend": (0.0 if i % 3 else float(rng.normal())) if i % 7 else None,
            "class": "xyz"[i % 3] if i % 5 else None,
            "tenure": float(i),
        }
        role = "shadow" if i % 11 == 0 else "primary"
        values = {"hours": i, "features": features, "role": role, "scores": [i % 10 / 10]}
        rows.append(line(f"r{i}", **(values | {"model_version": 1 + i % 2} | changes)))
    return rows


def counting(window: timedelta = timedelta(days=1)) -> Counting:
    rows = as_profiled(to_frame([to_table(parse(text(*requests(0, 60)), "").lines, {})]))
    ageing = {"tenure": Ageing(per=timedelta(days=1), as_of=DAY)}
    reference = profile_reference(rows, DTYPES, ageing=ageing, moments=rows["features_as_of"])
    return Counting(bins=reference.bins, window=window)


def merged(
    log: PredictionLog, by: Counting | None = None, window: Window = DAYS, version: int = 1
) -> Profile:
    """What version 1 answered, of the stored days."""
    by = by or counting()
    windows = [window_of(window.start, by.window)]
    while windows[-1].end < window.end:
        windows.append(window_of(windows[-1].end, by.window))
    return answered(log.parts("toy", windows, by, [version]), by)


def scanned(log: PredictionLog, by: Counting, window: Window = DAYS) -> Profile:
    """The same in one pass over the rows."""
    rows = log.read("toy", window.start, window.end)
    ours = rows[(rows["model_version"] == 1) & (rows["role"] == "primary")]
    return profile(as_profiled(ours), by.bins, ours["features_as_of"])


@pytest.mark.parametrize("hours", [6, 24, 36])
def test_the_sum_of_the_days_is_what_one_pass_counts(log: PredictionLog, hours: int) -> None:
    write(log, text(*requests(0, 50)))
    log.compact("toy")
    write(log, text(*requests(50, 22)), pid=os.getpid())  # still written
    by = counting(timedelta(hours=hours))

    assert_equal(merged(log, by), scanned(log, by))
    assert_equal(merged(log, by), scanned(log, by))  # from the stored profiles
    assert merged(log, by).rows > 20


def test_a_day_is_never_read_again(log: PredictionLog) -> None:
    write(log, text(*requests(0, 72)))
    log.compact("toy")
    before = merged(log)
    gone, damaged, kept = sorted(Path(log.root, "toy").glob("*.parquet"))
    gone.unlink()
    state = damaged.stat()
    damaged.write_bytes(b"x" * state.st_size)
    os.utime(damaged, ns=(state.st_atime_ns, state.st_mtime_ns))

    assert kept.exists()
    assert merged(log) == before
    with pytest.raises(PredictionLogError, match=r"cannot count .*03-02.parquet"):
        merged(log, counting(timedelta(hours=6)))


def test_late_rows_make_their_day_be_counted_again(log: PredictionLog) -> None:
    write(log, text(*requests(0, 48)))
    log.compact("toy")
    before = merged(log)
    write(log, text(line("late", hours=3, features={"spend": 5.0})), number=1)
    assert merged(log).rows == before.rows + 1  # not compacted yet
    log.compact("toy")
    assert merged(log).rows == before.rows + 1
    assert_equal(merged(log), scanned(log, counting()))


def test_a_row_in_both_files_counts_once(log: PredictionLog) -> None:
    write(log, text(*requests(0, 24)))
    log.compact("toy")
    before = merged(log)
    write(log, text(*requests(0, 24), *requests(0, 24)), number=1)  # as after a crash
    assert merged(log) == before


def test_each_version_and_role_is_counted_apart(log: PredictionLog) -> None:
    write(log, text(*requests(0, 24)))
    log.compact("toy")
    found = log.parts("toy", [window_of(DAY, timedelta(days=1))], counting(), [1, 2])
    rows = {(part.model_version, part.role): part.profile.rows for part in found}
    assert rows == {(1, "primary"): 10, (1, "shadow"): 2, (2, "primary"): 11, (2, "shadow"): 1}
    assert merged(log).rows == 10  # version 1, and not what a shadow said


def test_a_version_that_nobody_asked_for_before_is_counted(log: PredictionLog) -> None:
    """E.g. a day on which the champion changed, of which only the old one was reported so far."""
    write(log, text(*requests(0, 24)))
    log.compact("toy")
    assert merged(log, version=1).rows == 10
    assert merged(log, version=2).rows == 11


def test_a_profile_with_an_infinite_value_is_read_as_it_was_written() -> None:
    rows = to_frame([to_table(parse(text(*requests(0, 24)), "").lines, {})])
    infinite = rows.assign(feature_spend=np.inf)
    parts = tuple(count_parts(infinite, infinite.get, counting(), [1]))
    stored = DayProfiles(file="", versions=(1,), parts=parts)
    assert DayProfiles.model_validate_json(stored.model_dump_json()) == stored
    assert parts[0].profile.columns["spend"].high == np.inf


def test_a_torn_profile_is_counted_again(log: PredictionLog) -> None:
    write(log, text(*requests(0, 24)))
    log.compact("toy")
    before = merged(log)
    (kept,) = Path(log.root, "toy", "profiles").glob("*/*.json")
    kept.write_text(kept.read_text(encoding="utf-8")[:100], encoding="utf-8")
    assert merged(log) == before


def test_the_fake_counts_as_the_real_one_does(log: PredictionLog) -> None:
    fake = FakePredictionLog(endpoints=log.endpoints, root=log.root)
    write(log, text(*requests(0, 72)))
    fake.add("toy", to_frame([to_table(parse(text(*requests(0, 72)), "").lines, {})]))
    log.compact("toy")
    assert_equal(merged(fake), merged(log))


def test_a_model_without_predictions_has_a_profile_of_no_rows(log: PredictionLog) -> None:
    assert merged(log).rows == 0
    assert pd.Series(merged(log).columns["spend"].counts).sum() == 0
