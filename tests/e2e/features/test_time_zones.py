"""Features are published, joined and served at their exact moments, whatever `TZ` a process has."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.records.data import FeatureView
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.serving.online.choice import choose_lookup, open_online
from mlops_assets.serving.online.feast import FeastLookup
from mlops_assets.serving.online.lookup import OnlineLookup
from mlops_assets.serving.online.sqlite import SqliteLookup
from mlops_assets.serving.wire.refusals import refusals
from resources.feature_store import FeastFeatureStore

pytestmark = pytest.mark.e2e

MOMENTS = {
    "in New York's gap": "2026-03-08T02:30:00Z",
    "first in its fold": "2026-11-01T05:30:00Z",
    "second in its fold": "2026-11-01T06:30:00Z",
    "a microsecond": "2026-03-09T00:00:00.000001Z",
    "half a second before 1970": "1969-12-31T23:59:59.500000Z",
    "1970": "1970-01-01T00:00:00Z",
    "far ahead": "2261-05-06T07:08:09.123456Z",
    "long gone": "1700-02-03T04:05:06.700000Z",
}
WANTED = {name: datetime.fromisoformat(text) for name, text in MOMENTS.items()}
LATE = {"long gone"}
VIEW = FeatureView.model_validate(
    {
        "name": "zones",
        "entity": {"name": "what", "dtype": "string"},
        "features": {"x": "float64"},
        "ttl": "36500d",
    }
)
ZONES = ["UTC", "Asia/Tokyo", "America/New_York"]


def rows() -> pd.DataFrame:
    """Unsorted, a row for each moment."""
    times = pd.Series(pd.to_datetime(list(MOMENTS.values()), format="ISO8601", utc=True))
    return pd.DataFrame({"what": list(MOMENTS), TIMESTAMP: times.dt.as_unit("ns"), "x": 1.0})


def publish(root: str) -> None:
    """What the subprocess in another zone does: publish, and join each row to itself."""
    store = FeastFeatureStore(root=root)
    store.publish(VIEW, rows())
    joined = store.training_rows(VIEW, rows()[["what", TIMESTAMP]])
    assert joined["x"].notna().all()
    assert dict(zip(joined["what"], joined[TIMESTAMP], strict=True)) == WANTED


@pytest.fixture(scope="module", params=["Asia/Tokyo", "America/New_York"])
def online(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> OnlineFeatures:
    root = str(tmp_path_factory.mktemp("feast"))
    code = f"from tests.e2e.features.test_time_zones import publish; publish({root!r})"
    subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "TZ": request.param}, check=True
    )
    store = FeastFeatureStore(root=root).serving_config(VIEW)
    return OnlineFeatures(store=store, view=VIEW, as_of=datetime(2026, 12, 1, tzinfo=UTC))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("kind", [SqliteLookup, FeastLookup])
def test_every_reader_finds_the_moments_that_were_published(
    online: OnlineFeatures,
    kind: Callable[[OnlineFeatures], OnlineLookup],
    zone: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        found = kind(online).lookup(list(MOMENTS))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert found.as_of == [WANTED[name] for name in MOMENTS if name not in LATE]
    assert {one.entity: one.features_as_of for one in found.stale} == {n: WANTED[n] for n in LATE}
    assert found.unknown == []


def test_what_the_check_compares_is_exact(online: OnlineFeatures) -> None:
    root = str(Path(online.store["registry"]["path"]).parent.parent)
    read = FeastFeatureStore(root=root).online_rows(VIEW, list(MOMENTS))
    found = dict(zip(read["what"], read[TIMESTAMP], strict=True))
    assert found == {name: moment for name, moment in WANTED.items() if name not in LATE}


def test_an_expired_entity_is_told_from_an_unknown_one(tmp_path: Path) -> None:
    """Though Feast keeps only what may be served when it is published."""
    store, view = (
        FeastFeatureStore(root=str(tmp_path)),
        VIEW.model_copy(update={"ttl": timedelta(days=30)}),
    )
    now = pd.Timestamp.now("UTC").floor("us").as_unit("ns")
    days = pd.to_timedelta([0, 29, 31, 400], unit="D")
    store.publish(
        view, pd.DataFrame({"what": ["a", "b", "c", "d"], TIMESTAMP: now - days, "x": 1.0})
    )
    online = OnlineFeatures(store=store.serving_config(view), view=view, as_of=None)
    chosen = choose_lookup(online, ["a", "b", "c", "d"])
    assert chosen.lookup == "direct", chosen.lookup_reason
    for lookup in (open_online(chosen), FeastLookup(online)):
        found = lookup.lookup(["a", "d", "c", "nobody"])
        said = refusals(found)
        assert said["nobody"]["code"] == "unknown_entity"
        assert {said[entity]["code"] for entity in ("c", "d")} == {"stale_features"}
        assert "ttl of 30 days" in said["d"]["message"]
        assert "materialize newer ones, or set a longer `features.ttl`" in said["d"]["message"]
