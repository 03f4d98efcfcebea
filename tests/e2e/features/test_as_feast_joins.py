"""Training rows are those of Feast's own `get_historical_features`, in any world."""

import tempfile
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.records.data import FeatureView, references, stored_name
from mlops_assets.serving.online.feast import open_feast
from resources.feature_store import FeastFeatureStore
from tests.worlds.effort import worlds
from tests.worlds.tables import World, tables

pytestmark = pytest.mark.e2e

STEPS = (0, 1, -1, 10**6, -(10**6), 86_400 * 10**6, -86_400 * 10**6)


def view_of(world: World, ttl: timedelta) -> FeatureView:
    return FeatureView.model_validate(
        {
            "name": "stranger",
            "entity": {"name": "who", "dtype": world.yaml["entity"]["dtype"]},
            "features": {"number": "float64", "text": "string", "other": "float64"},
            "ttl": ttl,
        }
    )


def published(world: World, view: FeatureView) -> pd.DataFrame:
    """The world's rows as features: their moments are of microseconds, one of each id."""
    names = [view.key.name, TIMESTAMP, *view.features]
    rows = world.frame[[world.entity, world.timestamp, *world.features]].set_axis(names, axis=1)
    ids, moments = rows["who"].astype(view.key.column_dtype), rows[TIMESTAMP].dt.floor("us")
    rows = rows.assign(**{TIMESTAMP: moments, "who": ids})
    return rows.drop_duplicates(["who", TIMESTAMP]).reset_index(drop=True)


def asked(rows: pd.DataFrame, ttl: timedelta, seed: int) -> pd.DataFrame:
    """At, just before and after each row and the end of its TTL; some twice, some of nobody."""
    rng = np.random.default_rng(seed)
    keys = rows[["who", TIMESTAMP]]
    steps = rng.choice([*STEPS, ttl // timedelta(microseconds=1)], size=(2, len(keys)))
    moments = keys[TIMESTAMP].dt.as_unit("us") + pd.to_timedelta(steps.sum(axis=0), unit="us")
    first = keys.head(1)
    nobody = first["who"] ^ 1 if keys["who"].dtype == "int64" else first["who"] + "?"
    keys = pd.concat([keys.assign(**{TIMESTAMP: moments}), first.assign(who=nobody)])
    # A moment that pandas' nanoseconds cannot hold is none of ours.
    keys = keys[(keys[TIMESTAMP] > "1678-01-01") & (keys[TIMESTAMP] < "2262-01-01")]
    keys = keys.sample(frac=1.3, replace=True, random_state=seed).reset_index(drop=True)
    keys[TIMESTAMP] = keys[TIMESTAMP].astype("datetime64[ns, UTC]")
    labels = np.where(rng.uniform(size=len(keys)) < 0.2, np.nan, np.arange(len(keys)))
    return keys.assign(learned=labels)


def by_feast(config: Mapping[str, Any], view: FeatureView, keys: pd.DataFrame) -> pd.DataFrame:
    """The witness, in our names and order."""
    joined = open_feast(config).get_historical_features(
        entity_df=keys.rename(columns=stored_name), features=references(view)
    )
    names = [*keys.columns, *view.features]
    found = joined.to_df()[[*map(stored_name, names)]].set_axis(names, axis=1)
    found[TIMESTAMP] = found[TIMESTAMP].dt.as_unit("ns")
    return found.sort_values([TIMESTAMP, "who", "learned"], ignore_index=True)


@worlds(10)
@given(
    tables(keyed=True), st.sampled_from(["1s", "1d", "400d", "36500d"]), st.integers(0, 2**32 - 1)
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_any_world_is_joined_as_feast_joins_it(world: World, ttl: str, seed: int) -> None:
    lasts = pd.Timedelta(ttl).to_pytimedelta()
    view = view_of(world, lasts)
    rows = published(world, view)
    keys = asked(rows, lasts, seed)
    if keys.empty:
        return
    with tempfile.TemporaryDirectory() as folder:
        store = FeastFeatureStore(root=folder)
        store.publish(view, rows)
        joined = store.training_rows(view, keys)
        expected = by_feast(store.serving_config(view), view, keys)
    assert len(joined) == len(keys)
    joined = joined.sort_values([TIMESTAMP, "who", "learned"], ignore_index=True)
    pd.testing.assert_frame_equal(joined, expected, check_column_type=False)
