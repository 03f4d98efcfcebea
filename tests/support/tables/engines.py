"""Event logs, and what every engine makes of them compared with what arrays make."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from mlops_assets.errors import FeatureError
from mlops_assets.ml.features.build import aggregate, build_features, label_events
from mlops_assets.ml.features.engine import Engine
from tests.support.toy_models import event_log

Rows = list[tuple[Any, ...]]
MOMENTS = st.one_of(
    st.integers(0, 40 * 24 * 3_600_000_000),  # to the microsecond
    st.integers(0, 40).map(lambda day: day * 24 * 3_600_000_000),  # on a snapshot, or at a window
).map(lambda us: pd.Timestamp("2024-01-01T00:00Z") + pd.Timedelta(us, unit="us"))
SIZES = st.floats(1e-3, 1e9)
AMOUNTS = st.one_of(SIZES, SIZES.map(lambda x: -x), st.sampled_from([0.0, -0.0]), st.none())
TEXTS = st.one_of(st.sampled_from(["a", "A", "ä", "a ", "", "a\0", "😀"]), st.none())
EVENTS = st.lists(
    st.tuples(
        st.integers(-2, 3), MOMENTS, AMOUNTS, TEXTS, st.booleans() | st.none(), st.integers(0, 2)
    ),
    min_size=1,
    max_size=25,
)
ENTITIES = ["int64", "string"]
COLUMNS = ["customer", "at", "amount", "item", "paid", "shop"]
EXACT = ("count", "min", "max", "nunique", "days_since_first", "days_since_last")
AGGREGATES = {
    f"{agg}_{of}{'_of_' + column if column else ''}": {
        "agg": agg, **({"column": column} if column else {}), **narrowed
    }
    for agg, columns in {
        **dict.fromkeys(("count", "days_since_first", "days_since_last"), (None,)),
        **dict.fromkeys(("sum", "mean", "min", "max", "std"), ("amount", "shop")),
        "nunique": ("item", "amount", "paid", "shop", "at"),
    }.items()
    for column in columns
    for of, narrowed in {
        "all": {},
        "window": {"window": "5d"},
        "chosen": {"where": {"item": ["a", "A"]}},
        "both": {"window": "7d", "where": {"shop": [1, 2], "paid": True}},
    }.items()
}  # fmt: skip
NAMES = st.lists(st.sampled_from(sorted(AGGREGATES)), min_size=1, max_size=8, unique=True)
TARGETS = [
    {"agg": "count"},
    {"agg": "sum", "column": "amount"},
    {"agg": "mean", "column": "amount", "missing": "unlabelled"},
    {"agg": "max", "column": "amount"},
    {"agg": "nunique", "column": "item", "where": {"paid": True}},
    {"agg": "nunique", "column": "item", "at_least": 2, "task": "binary"},
]


def frame_of(rows: Rows) -> pd.DataFrame:
    """As the contract leaves an event log: of what may be missing, booleans are floats."""
    frame = pd.DataFrame(rows, columns=COLUMNS)
    at = pd.DatetimeIndex(frame["at"]).as_unit("ns")
    numbers = {name: frame[name].astype("float64") for name in ("amount", "paid")}
    return frame.assign(at=at, **numbers)


def outcome(compute: Callable[[], pd.DataFrame]) -> pd.DataFrame | str:
    try:
        return compute()
    except FeatureError as err:
        return str(err)


def assert_alike(
    expected: pd.DataFrame | str, found: pd.DataFrame | str, scale: float, exact: set[str]
) -> None:
    """The same rows and missing values; `exact` columns equal, others within 1e-12 of `scale`.

    Of terms that cancel out a sum may be anything: the scale is what was summed. 0: of themselves.
    """
    if isinstance(expected, str) or isinstance(found, str):
        assert expected == found
        return
    keys = list(expected.columns[:2])
    pd.testing.assert_frame_equal(expected[keys], found[keys])
    assert list(found.columns) == list(expected.columns)
    for name in expected.columns[2:]:
        assert found[name].dtype == expected[name].dtype
        a, b = expected[name].to_numpy(), found[name].to_numpy()
        assert (np.isnan(a) == np.isnan(b)).all(), name
        near = 0 if name in exact else 1e-12
        np.testing.assert_allclose(b, a, rtol=near, atol=near * scale, err_msg=name)


def many_events() -> pd.DataFrame:
    """Of 900 customers in 40 days."""
    rows, random = 20_000, np.random.default_rng(0)
    us = pd.to_timedelta(random.integers(0, 40 * 86_400_000_000, rows), unit="us")
    return pd.DataFrame(
        {
            "customer": random.integers(0, 900, rows),
            "at": (pd.Timestamp("2024-01-01T00Z") + us).as_unit("ns"),
            "amount": np.where(random.random(rows) < 0.1, np.nan, random.lognormal(size=rows)),
            "item": random.choice(np.array(["a", "A", "b", None], dtype=object), rows),
            "paid": random.choice([0.0, 1.0, np.nan], rows),
            "shop": random.integers(0, 4, rows),
        }
    )


def compare_features(
    events: pd.DataFrame, aggregates: dict[str, Any], entity: str, engine: Engine, scale: float
) -> None:
    config = event_log(aggregates, entity=entity)
    assert_alike(
        outcome(lambda: aggregate(events, config)),
        outcome(lambda: aggregate(events, config, engine)),
        scale,
        {name for name in aggregates if name.startswith(EXACT)},
    )


def compare_chosen(rows: Rows, names: list[str], entity: str, engine: Engine) -> None:
    """The features of `AGGREGATES` that have these names."""
    events = frame_of(rows)
    if entity == "string":
        events["customer"] = "c" + events["customer"].astype(str)
    chosen = {name: AGGREGATES[name] for name in names}
    compare_features(events, chosen, entity, engine, scale=events["amount"].abs().sum() + 1)


def compare_labels(rows: Rows, target: dict[str, Any], engine: Engine) -> None:
    events = frame_of(rows)
    config = event_log(target={"task": "regression", "window": "10d", **target})
    strangers = events.assign(customer=events["customer"] + 2)  # some have no event at all
    features = outcome(lambda: build_features(strangers, config))
    if isinstance(features, str):
        return
    keys = features[["customer", "event_timestamp"]]
    assert_alike(
        outcome(lambda: label_events(events, keys, config)),
        outcome(lambda: label_events(events, keys, config, engine)),
        events["amount"].abs().sum() + 1,
        set() if target["agg"] in ("sum", "mean") else {"y"},
    )
