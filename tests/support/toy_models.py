"""Tiny models and their rows for the tests of the ML core."""

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from mlops_assets.blocks.evaluation import METRICS
from mlops_assets.config import ModelSettings


def event_log(
    aggregates: dict[str, Any] | None = None,
    *,
    snapshots: dict[str, Any] | None = None,
    target: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
    entity: str = "int64",
) -> ModelSettings:
    """A shop: columns `customer`, `at`, `amount` and the text `item`."""
    target = target or {"task": "binary", "agg": "count", "window": "10d", "at_least": 1}
    return _model(
        columns={
            "amount": {"dtype": "float64", "nullable": True},
            "item": {"dtype": "string"},
            "paid": {"dtype": "bool", "nullable": True},
            "shop": {"dtype": "int64"},
        },
        entity={"name": "customer", "dtype": entity},
        features={
            "snapshots": snapshots or {"every": "10 days", "start": "2024-01-11"},
            "aggregates": aggregates or {"n": {"agg": "count"}},
            "ttl": "31d",
        },
        target=target,
        training=training or {"split": {"by": "time", "test": "10 days"}},
    )


def flat_table(
    columns: dict[str, str],
    *,
    features: tuple[str, ...] = (),
    encoding: dict[str, str] | None = None,
    target: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
) -> ModelSettings:
    """A table with the columns `id`, `at` and those given as name -> dtype."""
    return _model(
        columns={name: {"dtype": dtype, "nullable": True} for name, dtype in columns.items()},
        entity={"name": "id", "dtype": "int64"},
        features={"columns": features or [n for n in columns if n != "y"], "ttl": "1d"},
        target=target or {"task": "binary"},
        training=training or {"split": {"by": "random", "fraction": 0.3}},
        processing={"categorical_encoding": encoding or {}},
    )


def _model(
    *, columns: dict[str, Any], entity: dict[str, str], target: dict[str, Any], **blocks: Any
) -> ModelSettings:
    keys = {entity["name"]: {"dtype": entity["dtype"]}, "at": {"dtype": "datetime"}}
    return ModelSettings.model_validate(
        {
            "name": "toy",
            "source": {"uri": "toy.csv"},
            "entity": entity,
            "timestamp": "at",
            "contract": {"columns": keys | columns},
            "target": {"name": "y", **target},
            "evaluation": {"primary": min(METRICS[target["task"]])},
            "deployment": {"port": 3000},
            **blocks,
        }
    )


def events_of(*rows):
    frame = pd.DataFrame(list(rows), columns=["customer", "at", "amount", "item"])
    at = pd.to_datetime(frame["at"], utc=True, format="ISO8601")
    return frame.assign(at=at, amount=frame["amount"].astype("float64"))


def row_of(frame, customer, day):
    at = pd.Timestamp(day, tz="UTC")
    found = frame[(frame["customer"] == customer) & (frame["event_timestamp"] == at)]
    assert len(found) == 1
    return found.iloc[0].to_dict()


SHOP = events_of(
    (7, "2024-01-01", 10, "a"),
    (7, "2024-01-01", 10, "a"),  # an exact duplicate counts
    (7, "2024-01-08T12:00", 0, "b"),  # and so does a zero
    (7, "2024-01-11", 99, "c"),  # on the snapshot: not before it
    (3, "2024-01-06", 5, "a"),  # at the very start of the window
    (5, "2024-01-11T00:00:01", 1, "a"),  # after the first snapshot
    (9, "2024-01-31", 1, "a"),  # never before a snapshot; makes the second one matured
)


moments = st.integers(0, 40 * 24).map(
    lambda h: pd.Timestamp("2024-01-01 00:00Z") + pd.Timedelta(hours=h)
)
purchases = st.lists(
    st.tuples(
        st.integers(1, 3), moments, st.floats(0, 100) | st.none(), st.sampled_from(["a", "b"])
    ),
    min_size=1,
    max_size=12,
)


FLAT = pd.DataFrame(
    {
        "id": [1, 2, 3],
        "at": pd.to_datetime(["2024-01-02", "2024-01-01", "2024-01-03"], utc=True),
        "size": [1, 2, 3],
        "kind": ["a", None, "c"],
        "y": [0.0, np.nan, 20.0],
    },
    index=[9, 8, 7],
)
COLUMNS = {"size": "int64", "kind": "string", "y": "float64"}


def flat(**target):
    target = {"task": "binary", "above": 15, "missing": "unlabelled", **target}
    return flat_table(COLUMNS, encoding={"kind": "one_hot"}, target=target)
