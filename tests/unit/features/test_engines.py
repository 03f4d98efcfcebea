"""Every engine aggregates as arrays do: over any event log, every aggregate, in every window."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.engines.choice import AUTO_EVENTS, chosen_engine
from mlops_assets.engines.duckdb import DuckDBEngine
from mlops_assets.errors import ConfigError, EngineError, FeatureError
from mlops_assets.ml.features.arrays import ARRAYS
from mlops_assets.ml.features.build import aggregate, build_features, label_events
from mlops_assets.ml.features.engine import Engine
from tests.support.toy_models import event_log
from tests.worlds.effort import worlds

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


@pytest.fixture(params=["duckdb"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """Those that are held to what arrays give."""
    return DuckDBEngine(tmp_path / "spill", "200MB", 2)


def frame_of(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
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


@worlds(25)
@given(
    rows=EVENTS,
    names=st.lists(st.sampled_from(sorted(AGGREGATES)), min_size=1, max_size=8, unique=True),
    entity=st.sampled_from(["int64", "string"]),
)
def test_features_are_those_of_arrays(
    engine: Engine, rows: list[tuple[Any, ...]], names: list[str], entity: str
) -> None:
    events = frame_of(rows)
    if entity == "string":
        events["customer"] = "c" + events["customer"].astype(str)
    chosen = {name: AGGREGATES[name] for name in names}
    compare_features(events, chosen, entity, engine, scale=events["amount"].abs().sum() + 1)


def test_every_aggregate_of_many_events_is_that_of_arrays(engine: Engine) -> None:
    rows, random = 20_000, np.random.default_rng(0)
    us = pd.to_timedelta(random.integers(0, 40 * 86_400_000_000, rows), unit="us")
    events = pd.DataFrame(
        {
            "customer": random.integers(0, 900, rows),
            "at": (pd.Timestamp("2024-01-01T00Z") + us).as_unit("ns"),
            "amount": np.where(random.random(rows) < 0.1, np.nan, random.lognormal(size=rows)),
            "item": random.choice(np.array(["a", "A", "b", None], dtype=object), rows),
            "paid": random.choice([0.0, 1.0, np.nan], rows),
            "shop": random.integers(0, 4, rows),
        }
    )
    compare_features(events, AGGREGATES, "int64", engine, scale=0)


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


@worlds(25)
@given(
    rows=EVENTS,
    target=st.sampled_from(
        [
            {"agg": "count"},
            {"agg": "sum", "column": "amount"},
            {"agg": "mean", "column": "amount", "missing": "unlabelled"},
            {"agg": "max", "column": "amount"},
            {"agg": "nunique", "column": "item", "where": {"paid": True}},
            {"agg": "nunique", "column": "item", "at_least": 2, "task": "binary"},
        ]
    ),
)
def test_labels_are_those_of_arrays(
    engine: Engine, rows: list[tuple[Any, ...]], target: dict[str, Any]
) -> None:
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


def test_names_that_sql_would_not_tell_apart(engine: Engine) -> None:
    moments = (pd.Timestamp("2024-01-02T00Z"), pd.Timestamp("2024-01-12T00Z"))
    events = frame_of([(1, moment, 2.0, None, True, 1) for moment in moments])
    names = ["n", "select", "at", "amount", "wanted_0", "entity", "number_0"]
    config = event_log({name: {"agg": "sum", "column": "amount"} for name in names})
    pd.testing.assert_frame_equal(
        aggregate(events, config, engine), aggregate(events, config), check_exact=True
    )


def test_more_than_the_memory_limit_is_spilled_and_gone_afterwards(tmp_path: Path) -> None:
    rows = 600_000
    random = np.random.default_rng(0)
    days = pd.to_timedelta(random.integers(0, 9 * 86_400, rows), unit="s")
    at = (pd.Timestamp("2024-01-01T00Z") + days).as_unit("ns")
    amount = random.integers(0, 100, rows).astype(float)
    events = pd.DataFrame({"customer": np.arange(rows), "at": at, "amount": amount, "item": "a"})
    config = event_log(
        {
            "spend": {"agg": "sum", "column": "amount"},
            "amounts": {"agg": "nunique", "column": "amount"},
            "recency": {"agg": "days_since_last"},
        },
        snapshots={"every": "10 days", "start": "2024-01-11", "end": "2024-01-11"},
    )
    events.loc[0, "at"] = pd.Timestamp("2024-01-12T00Z")
    spill = tmp_path / "spill"
    found = aggregate(events, config, DuckDBEngine(spill, "60MB", 1))
    pd.testing.assert_frame_equal(found, aggregate(events, config), check_exact=True)
    assert list(spill.iterdir()) == []

    with pytest.raises(
        EngineError, match=r"memory limit of DuckDB, 2MB, .*Out of Memory.*raise it, e\.g\. MLOPS"
    ):
        aggregate(events, config, DuckDBEngine(spill, "2MB", 1))
    assert list(spill.iterdir()) == []


def test_an_address_means_an_engine(tmp_path: Path) -> None:
    assert chosen_engine("arrays", 10**9, tmp_path) is ARRAYS
    assert chosen_engine("auto", AUTO_EVENTS - 1, tmp_path) is ARRAYS
    assert chosen_engine("auto", AUTO_EVENTS, tmp_path) == DuckDBEngine(tmp_path, "4GB", None)
    limited = chosen_engine("duckdb://?memory_limit=2GB&threads=3", 1, tmp_path)
    assert limited == DuckDBEngine(tmp_path, "2GB", 3)


@pytest.mark.parametrize(
    "url",
    ["duckdb", "duckdb://file.db", "duckdb://?memory=2GB", "duckdb://?threads=0", "spark://a"],
)
def test_an_address_of_no_engine_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is no engine; set arrays, auto, or duckdb://"):
        chosen_engine(url, 1, tmp_path)


def test_a_limit_that_duckdb_cannot_read_is_refused(tmp_path: Path) -> None:
    events = frame_of([(1, pd.Timestamp("2024-01-02T00Z"), 2.0, "a", True, 1)])
    with pytest.raises(EngineError, match=r"refuses memory_limit='plenty'.*correct MLOPS_ENGINE"):
        aggregate(events, event_log(), chosen_engine("duckdb://?memory_limit=plenty", 1, tmp_path))
