"""The online store in any world: each id's newest row, whatever zone writer and readers are in."""

import tempfile
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mlops_assets.config import ModelSettings
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.records.data import FeatureView
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.serving.online.choice import choose_lookup
from mlops_assets.serving.online.sqlite import SqliteLookup
from resources.feature_store import FeastFeatureStore
from tests.worlds.effort import worlds
from tests.worlds.tables import World, tables
from tests.worlds.values.moments import ZONES
from tests.worlds.values.zones import process_zone

pytestmark = pytest.mark.e2e

zones = st.sampled_from(ZONES)


def is_accepted(world: World) -> bool:
    """Whether its names pass the load; none else are published."""
    with tempfile.TemporaryDirectory() as folder, suppress(ValidationError):
        ModelSettings.model_validate(world.write(Path(folder)))
        return True
    return False


@worlds(6)
@given(tables(rows=30, keyed=True), zones, zones)
def test_an_id_is_answered_with_its_newest_row(world: World, writer: str, reader: str) -> None:
    if not is_accepted(world):
        return
    number, text, other = world.features
    features = {number: "float64", text: "string", other: "float64"}
    view = FeatureView(name="v", entity=world.yaml["entity"], features=features, ttl="36500d")
    rows = world.frame.rename(columns={world.timestamp: TIMESTAMP})
    rows = rows[[world.entity, TIMESTAMP, *world.features]]
    rows[TIMESTAMP] = rows[TIMESTAMP].dt.floor("us")  # as `build_features` does,
    if rows.duplicated([world.entity, TIMESTAMP]).any():  # which refuses these
        return
    if world.yaml["entity"]["dtype"] == "int64":
        rows = rows.astype({world.entity: "int64"})
    expected = rows.sort_values(TIMESTAMP, kind="stable").groupby(world.entity).tail(1)
    ids = expected[world.entity].tolist()
    with tempfile.TemporaryDirectory() as folder:
        store = FeastFeatureStore(root=folder)
        with process_zone(writer):
            newest = store.publish(view, rows)
        with process_zone(reader):
            online = OnlineFeatures(store=store.serving_config(view), view=view, as_of=newest)
            direct = SqliteLookup(online).lookup(ids)
            by_feast = store.online_rows(view, ids)
            chosen = choose_lookup(online, ids)

    assert chosen.lookup == "direct", chosen.lookup_reason
    assert not direct.stale
    assert by_feast[world.entity].tolist() == ids
    for place, row in enumerate(expected.to_dict("records")):
        at = pd.Timestamp(direct.as_of[place])
        assert abs(at - row[TIMESTAMP]) < pd.Timedelta("1s")
        assert at == by_feast[TIMESTAMP].iloc[place]
        for name in features:
            found = direct.rows[place][name]
            assert (found is None and pd.isna(row[name])) or found == row[name]
