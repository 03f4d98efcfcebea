"""Targets by hand, from both shapes, and that none sees events outside its window."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.errors import FeatureError
from mlops_assets.ml.features.build import build_features, build_labels, flat_labels, label_events
from mlops_assets.ml.features.labelled import beside
from mlops_assets.ml.frames import TIMESTAMP, label_array
from tests.support.toy_models import (
    FLAT,
    SHOP,
    event_log,
    events_of,
    flat,
    flat_table,
    purchases,
    row_of,
)


def test_labels_count_the_window_from_the_snapshot_on():
    config = event_log()
    features = build_features(SHOP, config)
    labels = build_labels(SHOP, features, config)
    assert list(labels.columns) == ["customer", "event_timestamp", "y"]
    assert labels["y"].dtype == "int64"
    assert row_of(labels, 7, "2024-01-11")["y"] == 1  # the purchase on the snapshot
    assert row_of(labels, 3, "2024-01-11")["y"] == 0
    assert row_of(labels, 5, "2024-01-21")["y"] == 0
    # 01-21 + 10 days = 01-31, the newest event: matured; 01-31 is not.
    assert labels["event_timestamp"].max() == pd.Timestamp("2024-01-21", tz="UTC")
    assert len(labels) == 5


def test_the_end_of_a_label_window_is_not_in_it():
    events = events_of((1, "2024-01-01", 1, "a"), (1, "2024-01-21", 1, "a"))
    config = event_log(snapshots={"every": "10 days", "start": "2024-01-11"})
    labels = build_labels(events, build_features(events, config), config)
    assert labels["y"].tolist() == [0]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"task": "regression", "agg": "sum", "column": "amount"}, [0.0, 99.0]),
        ({"task": "regression", "agg": "nunique", "column": "item"}, [0.0, 1.0]),
        ({"task": "regression", "agg": "count"}, [0.0, 1.0]),
        ({"task": "multiclass", "agg": "count"}, [0, 1]),
        ({"task": "binary", "agg": "max", "column": "amount", "at_least": 99}, [0, 1]),
        ({"task": "binary", "agg": "max", "column": "amount", "above": 99}, [0, 0]),
        ({"task": "binary", "agg": "count"}, [0, 1]),
        ({"task": "binary", "agg": "count", "where": {"item": "c"}}, [0, 1]),
        ({"task": "binary", "agg": "count", "where": {"item": ["a", "b"]}}, [0, 0]),
        ({"task": "regression", "agg": "sum", "column": "amount", "where": {"item": "a"}}, [0, 0]),
    ],
)
def test_targets_of_every_kind(target, expected):
    snapshots = {"every": "1 day", "start": "2024-01-11", "end": "2024-01-11"}
    config = event_log(target={"window": "5d", **target}, snapshots=snapshots)
    labels = build_labels(SHOP, build_features(SHOP, config), config)
    assert labels["y"].tolist() == expected
    assert labels["y"].dtype == ("float64" if target["task"] == "regression" else "int64")


def test_a_mean_of_no_events_is_refused_or_left_out():
    target = {"task": "regression", "agg": "mean", "column": "amount", "window": "5d"}
    snapshots = {"every": "1 day", "start": "2024-01-11", "end": "2024-01-11"}
    config = event_log(target=target, snapshots=snapshots)
    with pytest.raises(FeatureError, match="1 of 2 rows have no target 'y'"):
        build_labels(SHOP, build_features(SHOP, config), config)
    config = event_log(target={**target, "missing": "unlabelled"}, snapshots=snapshots)
    labels = build_labels(SHOP, build_features(SHOP, config), config)
    assert labels[["customer", "y"]].to_numpy().tolist() == [[7, 99.0]]


def test_an_entity_without_any_event_gets_the_label_of_an_empty_window():
    keys = pd.DataFrame(
        {"customer": [404], "event_timestamp": pd.to_datetime(["2024-01-11 00:00Z"])}
    )
    assert label_events(SHOP, keys, event_log())["y"].tolist() == [0]


@settings(max_examples=60, deadline=None)
@given(inside=purchases, outside=purchases, other=purchases, day=st.integers(2, 20))
def test_a_label_never_sees_events_outside_its_window(inside, outside, other, day):
    start = pd.Timestamp(f"2024-01-{day:02}", tz="UTC")
    end = start + pd.Timedelta("10d")
    target = {"task": "regression", "agg": "sum", "column": "amount", "window": "10d"}
    config = event_log(target=target)
    keys = pd.DataFrame({"customer": [1, 2, 3], "event_timestamp": [start] * 3})
    newest = (3, pd.Timestamp("2024-03-01", tz="UTC"), 1.0, "a")
    kept = [row for row in inside if start <= row[1] < end]
    frames = [
        label_events(
            events_of(newest, *kept, *(row for row in rest if not start <= row[1] < end)),
            keys,
            config,
        )
        for rest in (outside, other)
    ]
    pd.testing.assert_frame_equal(*frames, check_exact=True)


def test_flat_labels_above_at_least_and_left_out():
    labels = build_labels(FLAT, build_features(FLAT, flat()), flat())
    assert labels.drop(columns="event_timestamp").to_numpy().tolist() == [[1, 0], [3, 1]]
    assert list(labels.columns) == ["id", "event_timestamp", "y"]
    assert flat_labels(FLAT, flat(above=20))["y"].tolist() == [0, 0]
    assert flat_labels(FLAT, flat(above=None, at_least=20))["y"].tolist() == [0, 1]
    values = flat_labels(FLAT, flat(task="regression", above=None))
    assert values["y"].tolist() == [0.0, 20.0]


def test_flat_labels_missing_are_refused_by_default():
    with pytest.raises(FeatureError, match=r"1 of 3 rows have no target 'y'; set target\.missing"):
        flat_labels(FLAT, flat(missing="refuse"))
    with pytest.raises(FeatureError, match="no row has a target"):
        flat_labels(FLAT.assign(y=np.nan), flat())


def test_label_arrays_fit_the_task():
    assert label_array(pd.Series([True, False]), "binary").tolist() == [1, 0]
    assert label_array(pd.Series([3.0, 1.0]), "multiclass").dtype == "int64"
    assert label_array(pd.Series(["b", "a"]), "multiclass").tolist() == ["b", "a"]
    with pytest.raises(FeatureError, match="'y' is not 0 or 1"):
        label_array(pd.Series([0, 2], name="y"), "binary")
    with pytest.raises(FeatureError, match="not whole numbers; use task: regression"):
        label_array(pd.Series([0.5, 2.0], name="y"), "multiclass")


def test_classes_that_a_float_would_make_one_are_refused():
    column = pd.Series([2**53, 2**53 + 1], name="account")
    with pytest.raises(FeatureError, match=r"'account' are numbers beyond 2\*\*53.* dtype string"):
        label_array(column, "multiclass")


@pytest.mark.parametrize(
    ("dtype", "values", "positive"),
    [
        ("string", ["yes", None, "no", "perhaps"], "yes"),
        ("string", [">50K", None, "<=50K", "?"], ">50K"),
        ("int64", [2.0, np.nan, 1.0, 3.0], 2),
        ("float64", [0.5, np.nan, -0.5, 0.0], 0.5),
        ("bool", [0.0, np.nan, 1.0, 1.0], False),
    ],
)
def test_a_value_of_the_column_is_the_positive_class(dtype, values, positive):
    rows = pd.DataFrame(
        {"id": range(4), "at": pd.date_range("2024-01-01", periods=4, tz="UTC"), "x": 1.0}
    ).assign(y=pd.Series(values, dtype=object if dtype == "string" else "float64"))
    target = {"task": "binary", "positive": positive, "missing": "unlabelled"}
    config = flat_table({"x": "float64", "y": dtype}, target=target)
    labels = build_labels(rows, build_features(rows, config), config)
    assert labels["id"].tolist() == [0, 2, 3]
    assert labels["y"].tolist() == [1, 0, 0]
    assert labels["y"].dtype == "int64"
    without = rows.assign(y=rows["y"].where(rows["id"] != 0, None))
    with pytest.raises(
        FeatureError, match=r"no row has .* as its 'y', but e\.g\. .*; correct target"
    ):
        build_labels(without, build_features(without, config), config)
    # What has come by now may well hold no positive yet.
    assert flat_labels(without, config)["y"].tolist() == [0, 0]


def test_labels_of_whole_moments_are_put_beside_their_keys_without_a_merge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = pd.to_datetime(["2024-01-01", "2024-02-01"], utc=True).repeat(3)
    keys = pd.DataFrame({"who": [1, 2, 3, 1, 2, 3], TIMESTAMP: moments})
    labels = keys.head(3).assign(bought=[0, 1, 1])
    others = [labels.iloc[[2, 0, 1]], labels.iloc[[0, 2]], keys.tail(1).assign(bought=[1])]
    for some in (labels, *(one.reset_index(drop=True) for one in others)):
        merged = keys.merge(some, on=list(keys.columns), how="left")
        pd.testing.assert_frame_equal(beside(keys, some), merged)
    monkeypatch.delattr(pd.DataFrame, "merge")
    assert beside(keys, labels)["bought"].tolist()[:3] == [0, 1, 1]
    assert beside(keys, keys.assign(bought=1))["bought"].dtype == "int64"
