"""What is advised over worlds whose truth is known, and what is known when; refusals by name."""

import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import yaml

from mlops_assets.errors import BacktestError
from mlops_assets.ml.backtest.advice import Judged, cadences, judge, loss_by_age
from mlops_assets.ml.backtest.replay import backtest
from mlops_assets.ml.backtest.windows import (
    chosen_windows,
    days,
    known_at,
    labelled_rows,
    times,
)
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.plots.backtest import backtest_plots
from tests.support.retraining.backtest_worlds import (
    DAILY,
    LOGISTIC,
    broken,
    drifting,
    monitored,
    still,
    table,
    world,
)
from tests.support.toy_models import event_log, flat_table


@pytest.mark.parametrize("seed", range(3))
def test_where_nothing_moves_staleness_costs_nothing_and_training_again_is_not_advised(
    seed: int,
) -> None:
    report = backtest(world(still, seed), table())

    assert report.advice == "new data need not train"
    assert yaml.safe_load(report.yaml) == {"monitoring": {"retrain": {"on_new_data": "signal"}}}
    for age in report.ages:
        assert abs(age.excess) < 0.01 * age.new_loss
    never = report.cadences[0]
    assert (never.every, never.trainings) == ("never", 1)


@pytest.mark.parametrize("seed", range(3))
def test_where_it_drifts_steadily_every_month_costs_and_a_clock_is_advised(seed: int) -> None:
    report = backtest(world(drifting, seed), table())

    losses = [age.excess for age in report.ages]
    assert losses == sorted(losses)
    assert losses[0] == 0.0
    for age in report.ages[1:]:
        assert age.standard_error is not None
    assert report.ages[3].excess > 3 * (report.ages[3].standard_error or np.inf)
    by_cadence = [each.excess for each in report.cadences]
    assert by_cadence == sorted(by_cadence, reverse=True)
    assert report.advice == "train regularly"
    assert yaml.safe_load(report.yaml) == {"schedule": {"train": "0 0 1 * *"}}
    assert "against training every 1 month, and loses in 7 of 8 windows" in report.said


@pytest.mark.parametrize("seed", range(3))
def test_one_break_costs_whoever_was_trained_before_it(seed: int) -> None:
    report = backtest(world(broken, seed), table())

    never, newest = report.cadences[0], report.cadences[-1]
    assert never.excess > 0.05 * newest.loss
    assert newest.excess == 0.0
    assert report.advice != "new data need not train"


def test_a_break_that_nobody_has_trained_after_yet_is_not_shown() -> None:
    """One window of eight says nothing of how often there is one."""

    def late(over: np.ndarray) -> np.ndarray:
        return np.where(over < 0.85, 2.0, -2.0)

    report = backtest(world(late), table())
    assert (report.advice, report.yaml) == ("not shown", "")
    assert "keep what is set" in report.said


def test_a_version_knows_the_labels_of_its_day_and_no_more() -> None:
    settings = table()
    labelled = labelled_rows(world(still).assign(y=1.0).sample(frac=1, random_state=1), settings)
    moment = pd.Timestamp("2024-06-01", tz="UTC")
    known = known_at(labelled, moment, settings)
    assert settings.label_delay == pd.Timedelta("1d")
    assert known[TIMESTAMP].max() <= moment - pd.Timedelta("1d")
    assert len(known) == (labelled[TIMESTAMP] <= moment - pd.Timedelta("1d")).sum()

    shop = event_log()
    rows = pd.DataFrame(
        {"customer": 1, TIMESTAMP: pd.date_range("2024-01-01", periods=40, tz="UTC"), "y": 1.0}
    )
    purged = known_at(labelled_rows(rows, shop), pd.Timestamp("2024-02-01", tz="UTC"), shop)
    assert (purged[TIMESTAMP] + shop.target.window).max() == pd.Timestamp("2024-02-01", tz="UTC")


def test_future_labels_change_no_version() -> None:
    """What happens in a window changes no loss before it, and no version that is judged by it."""
    rows = world(still)
    before = backtest(rows, table())
    last = before.windows[-1]
    changed = rows.assign(y=np.where(rows[TIMESTAMP] > last.start, 1 - rows["y"], rows["y"]))
    after = backtest(changed, table())
    assert after.windows[:-1] == before.windows[:-1]
    assert after.windows[-1].train_rows == last.train_rows
    assert after.windows[-1].loss > last.loss


def test_windows_are_the_test_length_or_the_next_shorter_that_gives_six() -> None:
    year = world(still)
    for test, expected in (("1 month", "1 month"), ("3 months", "1 month"), ("2 weeks", "2 weeks")):
        settings = table(split={"by": "time", "test": test})
        labelled = labelled_rows(year, settings)
        length, windows = chosen_windows(labelled, settings, 8)
        assert (length, len(windows)) == (expected, 8)
        assert windows[-1].end == labelled[TIMESTAMP].max()
        for earlier, later in pairwise(windows):
            assert earlier.end == later.start
    assert chosen_windows(labelled, settings, 4, "2 months")[0] == "2 months"
    moments = pd.date_range("2024-01-01", periods=len(year), freq="12s", tz="UTC")
    day = year.assign(**{TIMESTAMP: moments})
    hours = table(split={"by": "time", "test": "5 hours"})
    hours = monitored(hours, labels={"maturity": "1min"})
    length, windows = chosen_windows(labelled_rows(day, hours), hours, 8)
    assert (length, len(windows)) == ("3 hours", 6)
    random = table(split={"by": "random", "fraction": 0.2})
    assert chosen_windows(labelled, random, 8)[0] == "1 month"


@pytest.mark.parametrize(
    ("since", "remedy"),
    [
        ("2024-08-01", "give --window '1 month' --windows 4"),
        ("2024-11-20", "give --window '13 days' --windows 3"),
        ("2024-12-29 12:00", "give --window '10 hours' --windows 3"),
    ],
)
def test_a_class_that_came_late_is_named_with_options_that_replay_it(
    since: str, remedy: str
) -> None:
    rows = world(still).assign(y=lambda frame: frame["y"].astype(int).astype(str))
    columns = {"a": "float64", "b": "float64", "y": "string"}
    settings = flat_table(columns, training=LOGISTIC, target={"name": "y", "task": "multiclass"})
    rows.loc[(rows[TIMESTAMP] >= since) & (rows.index % 3 == 0), "y"] = "new"
    with pytest.raises(BacktestError, match=r"not know the classes \['new'\]") as refused:
        backtest(rows, settings)
    assert str(refused.value).endswith(remedy)
    length, windows = re.findall(r"--window '(.*)' --windows (\d)", remedy)[0]
    assert len(backtest(rows, settings, most=int(windows), window=length).windows) == int(windows)

    rows["y"] = np.where(rows.index < rows.index[-1], "0", "new")
    with pytest.raises(BacktestError, match="; come back when 3 windows lie after that"):
        backtest(rows, settings)


def test_what_cannot_be_replayed_is_said_with_a_remedy() -> None:
    rows, settings = world(still), table()
    with pytest.raises(BacktestError, match=r"allow [012] windows of 6 months .* shorter --window"):
        backtest(rows, settings, window="6 months")
    with pytest.raises(BacktestError, match=r"allow 0 windows of 1 month .* a longer history"):
        backtest(rows.head(2 * DAILY), settings)
    with pytest.raises(BacktestError, match="none of the 7320 rows of toy has a target 'y' yet"):
        backtest(rows.assign(y=np.nan), settings)
    gap = rows[TIMESTAMP].between("2024-09-01", "2024-11-15")
    with pytest.raises(BacktestError, match=r"no labelled row from .* --window longer than 1 mon"):
        backtest(rows[~gap], settings)
    one_class = rows.assign(y=np.where(rows[TIMESTAMP] < "2024-08-01", 0.0, rows["y"]))
    with pytest.raises(BacktestError, match=r"does not know the classes \[1\.0\], whose labels ar"):
        backtest(one_class, settings)
    without = settings.model_copy(update={"timestamp": None})
    with pytest.raises(BacktestError, match=r"toy has no timestamp.* as `timestamp`"):
        backtest(rows, without)


def test_the_losses_of_ages_are_those_computed_by_hand() -> None:
    judged = [
        Judged(np.array([1, 2]), np.array([[1.0, 3.0]])),
        Judged(np.array([3, 4]), np.array([[2.0, 4.0], [1.0, 1.0]])),
        Judged(np.array([5, 6]), np.array([[5.0, 5.0], [4.0, 4.0], [2.0, 2.0]])),
    ]
    new, one = loss_by_age(judged, "1 month")
    assert (new.age, new.windows, new.loss, new.excess) == ("new", 3, 10 / 6, 0.0)
    assert (one.age, one.windows, one.rows) == ("1 month", 2, 4)
    assert (one.loss, one.new_loss, one.excess) == (14 / 4, 6 / 4, 2.0)
    # By window: both differ by 2 on average. By row: 1, 3, 2, 2 are four clusters.
    assert one.standard_error == pytest.approx(np.sqrt(2.0 / 16 * 4 / 3))


def test_windows_that_share_a_shock_are_one_observation_each() -> None:
    """Thousands of rows that all lose in one of four windows show nothing of the next one."""
    one = np.arange(1000)
    judged = [
        Judged(one, np.vstack([np.full((n, 1000), 1.5 if n == 3 else 1.0), np.ones(1000)]))
        for n in range(4)
    ]
    assert judge(judged, table()).advice == "not shown"


def test_cadences_and_lengths() -> None:
    assert cadences(3) == [None, 2, 1]
    assert cadences(8) == [None, 4, 2, 1]
    assert cadences(9) == [None, 8, 4, 2, 1]
    assert (times("1 month", 3), times("2 weeks", 1)) == ("3 months", "2 weeks")
    assert days("2 weeks") == 14


def test_a_number_is_replayed_by_its_squared_error_and_drawn() -> None:
    rows = world(drifting).assign(y=lambda f: f["a"] * 2.0 + f["b"])
    settings = flat_table(
        {"a": "float64", "b": "float64", "y": "float64"},
        target={"task": "regression"},
        training={**LOGISTIC, "estimator": "sklearn.linear_model.Ridge"},
    )
    report = backtest(rows, settings, most=3)
    assert (report.loss_name, len(report.windows)) == ("squared error", 3)
    plots = backtest_plots(report)
    assert plots.keys() == {"loss_by_age", "loss_by_cadence"}  # too short for a policy
    assert all(png.startswith(b"\x89PNG") for png in plots.values())
