"""Features by hand, from both shapes, and that none sees its own future."""

import math
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.blocks.features import SnapshotSettings
from mlops_assets.errors import FeatureError
from mlops_assets.ml.features.build import (
    aggregate,
    build_features,
    build_labels,
    flat_features,
    label_events,
)
from mlops_assets.ml.features.snapshots import calendar_step, snapshot_times
from tests.support.toy_models import FLAT, SHOP, event_log, events_of, flat, purchases, row_of

ALL = {
    "n": {"agg": "count"},
    "n_5d": {"agg": "count", "window": "5d"},
    "spend": {"agg": "sum", "column": "amount"},
    "spend_5d": {"agg": "sum", "column": "amount", "window": "5d"},
    "mean_5d": {"agg": "mean", "column": "amount", "window": "5d"},
    "smallest": {"agg": "min", "column": "amount"},
    "largest": {"agg": "max", "column": "amount"},
    "spread": {"agg": "std", "column": "amount"},
    "items": {"agg": "nunique", "column": "item"},
    "items_5d": {"agg": "nunique", "column": "item", "window": "5d"},
    "tenure": {"agg": "days_since_first"},
    "recency": {"agg": "days_since_last"},
    "recency_5d": {"agg": "days_since_last", "window": "5d"},
}


def test_aggregates_by_hand():
    frame = aggregate(SHOP, event_log(ALL, snapshots={"every": "10 days", "start": "2024-01-11"}))
    seven = row_of(frame, 7, "2024-01-11")
    assert (seven["n"], seven["n_5d"]) == (3, 1)
    assert (seven["spend"], seven["spend_5d"], seven["mean_5d"]) == (20, 0, 0)
    assert (seven["smallest"], seven["largest"]) == (0, 10)
    assert seven["spread"] == pytest.approx(np.std([10, 10, 0], ddof=1))
    assert (seven["items"], seven["items_5d"]) == (2, 1)
    assert (seven["tenure"], seven["recency"], seven["recency_5d"]) == (10, 2.5, 2.5)
    later = row_of(frame, 7, "2024-01-21")
    assert (later["n"], later["spend"], later["largest"], later["recency"]) == (4, 119, 99, 10)


def test_an_aggregate_may_be_of_some_events_only():
    chosen = {
        "all": {"agg": "count"},
        "a": {"agg": "count", "where": {"item": "a"}},
        "a_or_b": {"agg": "count", "where": {"item": ["a", "b"]}},
        "spent_on_c": {"agg": "sum", "column": "amount", "where": {"item": "c"}},
        "b_recency": {"agg": "days_since_last", "where": {"item": "b"}},
        "b_5d": {"agg": "nunique", "column": "item", "window": "5d", "where": {"item": "b"}},
        "never": {"agg": "mean", "column": "amount", "where": {"item": "zzz"}},
    }
    frame = aggregate(SHOP, event_log(chosen))
    seven = row_of(frame, 7, "2024-01-11")
    assert [seven[name] for name in ("all", "a", "a_or_b", "spent_on_c")] == [3, 2, 3, 0]
    assert (seven["b_recency"], seven["b_5d"]) == (2.5, 1)
    assert math.isnan(seven["never"])
    three = row_of(frame, 3, "2024-01-11")  # it has no such event, and a row all the same
    assert (three["a"], three["b_5d"]) == (1, 0)
    assert math.isnan(three["b_recency"])
    assert row_of(frame, 7, "2024-01-21")["spent_on_c"] == 99


def test_events_are_chosen_by_every_column_that_is_named():
    events = SHOP.assign(paid=[1.0, 0, 1, np.nan, 1, 1, 1], shop=[1, 1, 2, 2, 1, 1, 1])
    config = event_log({"n": {"agg": "count", "where": {"item": "a", "paid": True, "shop": [1]}}})
    assert row_of(aggregate(events, config), 7, "2024-01-11")["n"] == 1


def test_a_window_holds_its_start_and_not_its_end():
    frame = aggregate(SHOP, event_log(ALL))
    three = row_of(frame, 3, "2024-01-11")
    assert (three["n_5d"], three["spend_5d"], three["recency_5d"]) == (1, 5, 5)


def test_an_empty_window_is_zero_or_nan():
    three = row_of(aggregate(SHOP, event_log(ALL)), 3, "2024-01-21")
    assert (three["n"], three["n_5d"], three["spend_5d"], three["items_5d"]) == (1, 0, 0, 0)
    assert math.isnan(three["mean_5d"])
    assert math.isnan(three["recency_5d"])
    assert math.isnan(three["spread"])  # of one event a sample has none
    assert three["recency"] == 15


def test_an_entity_appears_after_its_first_event_and_rows_are_sorted():
    frame = aggregate(SHOP, event_log())
    days = frame["event_timestamp"].dt.day.tolist()
    assert list(zip(days, frame["customer"], strict=True)) == [
        (11, 3), (11, 7), (21, 3), (21, 5), (21, 7), (31, 3), (31, 5), (31, 7),
    ]  # fmt: skip
    assert list(frame.columns) == ["customer", "event_timestamp", "n"]
    assert frame.dtypes.astype(str).tolist() == ["int64", "datetime64[ns, UTC]", "float64"]


def test_missing_values_do_not_count_but_their_events_do():
    events = events_of((1, "2024-01-01", None, None), (1, "2024-01-02", 4, "a"), (2, "2024-01-03",
                       None, None))  # fmt: skip
    frame = aggregate(events, event_log(ALL, snapshots={"every": "1 day", "start": "2024-01-03"}))
    one = row_of(frame, 1, "2024-01-03")
    assert (one["n"], one["spend"], one["mean_5d"], one["items"]) == (2, 4, 4, 1)
    end = {"every": "1 day", "start": "2024-01-04", "end": "2024-01-04"}
    two = row_of(aggregate(events, event_log(ALL, snapshots=end)), 2, "2024-01-04")
    assert (two["n"], two["spend"], two["items"]) == (1, 0, 0)
    assert math.isnan(two["smallest"])


def test_text_entities_and_other_resolutions_of_time():
    events = SHOP.assign(customer="c" + SHOP["customer"].astype(str), at=SHOP["at"].dt.as_unit("s"))
    frame = aggregate(events, event_log(ALL, entity="string"))
    expected = aggregate(SHOP, event_log(ALL))
    assert frame["customer"].tolist() == ["c" + str(c) for c in expected["customer"]]
    pd.testing.assert_frame_equal(frame.iloc[:, 1:], expected.iloc[:, 1:])


def test_the_order_and_the_index_of_the_rows_do_not_matter():
    shuffled = SHOP.sample(frac=1, random_state=1)
    config = event_log(ALL)
    pd.testing.assert_frame_equal(aggregate(shuffled, config), aggregate(SHOP, config))


@settings(max_examples=60, deadline=None)
@given(past=purchases, future=purchases, other=purchases, day=st.integers(11, 31))
def test_a_feature_never_sees_events_at_or_after_its_snapshot(past, future, other, day):
    snapshot = pd.Timestamp(f"2024-01-{day}", tz="UTC")
    day_one = pd.Timestamp("2024-01-01", tz="UTC")
    before = [(1, day_one, 1.0, "a"), *(row for row in past if row[1] < snapshot)]
    config = event_log(ALL, snapshots={"every": "1 day", "start": snapshot, "end": snapshot})
    at_the_snapshot = (1, snapshot, 7.0, "z")
    frames = [
        aggregate(events_of(*before, *(row for row in late if row[1] >= snapshot)), config)
        for late in (future, [*other, at_the_snapshot])
    ]
    pd.testing.assert_frame_equal(*frames, check_exact=True)


def test_snapshots_step_in_calendar_units_and_include_the_end():
    monthly = SnapshotSettings(every="1 month", start="2024-01-31", end="2024-04-30")
    newest = pd.Timestamp("2030-01-01", tz="UTC")
    days = [str(t.date()) for t in snapshot_times(monthly, newest)]
    assert days == ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]


def test_snapshots_end_by_default_at_the_newest_event_and_naive_means_utc():
    config = SnapshotSettings(every="2 weeks", start=datetime.fromisoformat("2024-01-01T02:00+02"))
    times = snapshot_times(config, pd.Timestamp("2024-01-29", tz="UTC"))
    assert str(times.dtype) == "datetime64[ns, UTC]"
    assert [t.day for t in times] == [1, 15, 29]
    naive = SnapshotSettings(every="1 year", start="2024-01-01")
    assert snapshot_times(naive, pd.Timestamp("2024-06-01 00:00Z"))[0] == pd.Timestamp(
        "2024-01-01 00:00Z"
    )
    assert calendar_step("1 week") == pd.DateOffset(weeks=1)


def test_flat_features_keep_the_order_of_the_rows():
    frame = build_features(FLAT, flat())
    assert list(frame.columns) == ["id", "event_timestamp", "size", "kind"]
    assert frame.index.tolist() == [0, 1, 2]
    assert frame["id"].tolist() == [1, 2, 3]
    assert frame["size"].dtype == "float64"
    assert frame["kind"].tolist()[::2] == ["a", "c"]
    assert np.isnan(frame["kind"][1])
    assert frame["event_timestamp"].dt.day.tolist() == [2, 1, 3]


def test_an_entity_twice_at_one_time_is_refused():
    rows = pd.concat([FLAT, FLAT.iloc[[0]]])
    with pytest.raises(FeatureError, match="1 rows repeat an entity and timestamp"):
        flat_features(rows, flat())


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (SHOP.iloc[:0], "there are no rows"),
        (SHOP.drop(columns="at"), r"no columns \['at'\]"),
        (SHOP.drop(columns="amount"), r"no columns \['amount'\]"),
        (SHOP.assign(at=SHOP["at"].dt.tz_localize(None)), "not a UTC datetime"),
        (SHOP.assign(at=SHOP["at"].where(SHOP["customer"] != 3)), r"\['at'\] have missing"),
        (SHOP.assign(amount="much"), "'amount' is a number"),
    ],
)
def test_rows_that_are_no_event_log_are_refused(rows, message):
    with pytest.raises(FeatureError, match=message):
        build_features(rows, event_log(ALL))


def test_empty_results_are_refused_with_a_remedy():
    early = event_log(snapshots={"every": "1 day", "start": "2020-01-01", "end": "2020-01-02"})
    with pytest.raises(FeatureError, match=r"move features\.snapshots later"):
        build_features(SHOP, early)
    late = event_log(snapshots={"every": "1 day", "start": "2030-01-01"})
    with pytest.raises(FeatureError, match=r"set features\.snapshots\.start before"):
        build_features(SHOP, late)
    unripe = event_log(target={"task": "regression", "agg": "count", "window": "90d"})
    with pytest.raises(
        FeatureError, match=r"no snapshot has matured: none is [0-9]+ days? older than"
    ):
        build_labels(SHOP, build_features(SHOP, unripe), unripe)


def test_wrong_shapes_are_refused():
    with pytest.raises(FeatureError, match="call build_features"):
        aggregate(FLAT, flat())
    with pytest.raises(FeatureError, match="call build_labels"):
        label_events(FLAT, FLAT, flat())
    with pytest.raises(FeatureError, match="no event has happened yet"):
        label_events(SHOP.head(0), SHOP.head(0), event_log())


def test_the_rows_are_not_modified():
    before = SHOP.copy(deep=True)
    config = event_log(ALL)
    build_labels(SHOP, build_features(SHOP, config), config)
    pd.testing.assert_frame_equal(SHOP, before)


def test_snapshots_of_two_zones_end_after_they_start() -> None:
    kept = SnapshotSettings.model_validate(
        {"every": "1 day", "start": "2025-03-01T05:00+05:00", "end": "2025-03-01T01:00Z"}
    )
    assert kept.end is not None
    with pytest.raises(ValueError, match="is before start"):
        SnapshotSettings.model_validate(
            {"every": "1 day", "start": "2025-03-01T23:00-05:00", "end": "2025-03-02T01:00"}
        )
