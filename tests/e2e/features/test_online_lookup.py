"""The lookups of Feast's online store: the same assertions on the SDK and on the table itself."""

import itertools
import json
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_assets.blocks.data import EntitySettings
from mlops_assets.errors import FeatureStoreError
from mlops_assets.records.data import FeatureView
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.serving.online.choice import choose_lookup, difference, open_online
from mlops_assets.serving.online.feast import FeastLookup
from mlops_assets.serving.online.lookup import OnlineLookup, StaleEntity
from mlops_assets.serving.online.sqlite import SqliteLookup, decode
from resources.feature_store import FeastFeatureStore
from tests.support.served.served_models import AS_OF

pytestmark = pytest.mark.e2e

TTL = timedelta(days=5)
FEATURES = {"spend": "float64", "class": "string"}
LONG = "é" * 300  # its length takes two bytes
VALUES = [
    (AS_OF, 0.1 + 0.2, "x"),
    (AS_OF - timedelta(days=4), np.nan, ""),
    (AS_OF - timedelta(days=4, microseconds=1), -0.0, None),
    (AS_OF - timedelta(days=6), 1e308, LONG),
]
IDS = {"int64": [1, -(2**63), 2**63 - 1, 0], "string": ["1", "ü -'\"", "a" * 300, "z"]}
LOOKUPS: list[type[SqliteLookup] | type[FeastLookup]] = [SqliteLookup, FeastLookup]


def frame(ids: list, entity: str = "customer_id") -> pd.DataFrame:
    table = pd.DataFrame(VALUES, columns=["event_timestamp", *FEATURES])
    table["event_timestamp"] = pd.to_datetime(table["event_timestamp"], utc=True)
    return table.assign(**{entity: pd.Series(ids)})


def publish(folder: Path, dtype: str) -> OnlineFeatures:
    store = FeastFeatureStore(root=str(folder))
    view = FeatureView(
        name=f"by_{dtype}",
        entity=EntitySettings.model_validate({"name": "customer_id", "dtype": dtype}),
        features=FEATURES,
        ttl=timedelta(days=30),
    )
    store.publish(view, frame(IDS[dtype]))
    view = view.model_copy(update={"ttl": TTL})
    return OnlineFeatures(store=store.serving_config(view), view=view, as_of=AS_OF)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, OnlineFeatures]:
    folder = tmp_path_factory.mktemp("feast")
    return {dtype: publish(folder, dtype) for dtype in IDS}


@pytest.mark.parametrize("kind", LOOKUPS)
@pytest.mark.parametrize("dtype", IDS)
def test_what_a_lookup_finds(
    published: dict[str, OnlineFeatures], kind: Callable[[OnlineFeatures], OnlineLookup], dtype: str
) -> None:
    first, second, third, stale = IDS[dtype]
    nobody = 7 if dtype == "int64" else "nobody"

    found = kind(published[dtype]).lookup([third, nobody, first, stale, second, first])

    assert found.rows == [
        {"spend": 0.0, "class": None},
        {"spend": 0.1 + 0.2, "class": "x"},
        {"spend": None, "class": ""},
        {"spend": 0.1 + 0.2, "class": "x"},
    ]
    assert found.as_of == [
        AS_OF - timedelta(days=4, microseconds=1),
        AS_OF,
        AS_OF - timedelta(days=4),
        AS_OF,
    ]
    assert all(moment.tzinfo is UTC for moment in found.as_of)
    assert found.unknown == [nobody]
    assert found.stale == [StaleEntity(stale, AS_OF - timedelta(days=6), timedelta(days=6), TTL)]


def test_the_table_is_read_where_it_says_what_the_sdk_says(
    published: dict[str, OnlineFeatures],
) -> None:
    for dtype, ids in IDS.items():
        chosen = choose_lookup(published[dtype], ids)
        assert (chosen.lookup, chosen.lookup_reason) == (
            "direct", "equal to Feast's SDK for 4 entities",
        )  # fmt: skip
        assert isinstance(open_online(chosen), SqliteLookup)
        assert open_online(chosen).is_short


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"online_store": {"type": "redis"}}, "the online store is 'redis', no sqlite file"),
        ({"online_store": {"type": "sqlite", "path": "a.db"}}, "path 'a.db' is not absolute"),
        ({"entity_key_serialization_version": 2}, "serialized by version 2, not 3"),
        ({"registry": {"enable_online_feature_view_versioning": True}}, "several versions"),
    ],
)
def test_another_store_is_asked_by_the_sdk(
    published: dict[str, OnlineFeatures], change: dict, reason: str
) -> None:
    online = published["int64"].model_copy(update={"store": {**published["int64"].store, **change}})
    chosen = choose_lookup(online, [1])
    assert chosen.lookup == "feast"
    assert reason in chosen.lookup_reason
    with pytest.raises(FeatureStoreError, match="Deploy again"):
        SqliteLookup(online)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("value = x'2001'", "2001 is no float64 as Feast stores one"),  # an int64
        (
            "entity_key = CAST(entity_key || 'x' AS BLOB)",
            "none of the 1 entities to compare is stored",
        ),
    ],
)
def test_a_table_that_says_otherwise_is_not_read(tmp_path: Path, change: str, reason: str) -> None:
    """As a Feast would leave it that writes other forms than this one."""
    online = publish(tmp_path, "int64")
    with closing(sqlite3.connect(online.store["online_store"]["path"])) as connection:
        connection.execute(f"UPDATE by_int64_by_int64 SET {change} WHERE feature_name = 'spend'")
        connection.commit()

    chosen = choose_lookup(online, [1])

    assert chosen.lookup == "feast"
    assert re.search(reason, chosen.lookup_reason)
    assert isinstance(open_online(chosen), FeastLookup)


def test_every_difference_is_told(published: dict[str, OnlineFeatures], tmp_path: Path) -> None:
    other = FeastFeatureStore(root=str(tmp_path))
    online = published["int64"]
    rows = frame(IDS["int64"]).iloc[:2]
    other.publish(online.view, rows.assign(spend=[0.3, np.nan]))
    table = SqliteLookup(online.model_copy(update={"store": other.serving_config(online.view)}))
    one, two, three, _ = IDS["int64"]
    sdk = FeastLookup(online)

    assert difference(sdk, table, [two, 7]) is None
    assert "SDK says {'spend': 0.30000000000000004, 'class': 'x'} as of 2024-01-10" in str(
        difference(sdk, table, [two, one])
    )
    assert str(difference(sdk, table, [three])).endswith("the table nothing")


def test_a_feature_that_is_no_longer_published_does_not_freeze_the_age(tmp_path: Path) -> None:
    """Feast's SDK says the last one's time of all: after its TTL every entity would be stale."""
    store = FeastFeatureStore(root=str(tmp_path))
    ids, day = IDS["int64"], pd.Timedelta(days=1)
    view = publish(tmp_path, "int64").view.model_copy(update={"features": {"class": "string"}})
    rows = frame(ids).drop(columns="spend").assign(event_timestamp=pd.Timestamp(AS_OF) + day)
    store.publish(view, rows)
    online = OnlineFeatures(store=store.serving_config(view), view=view, as_of=AS_OF)

    chosen = choose_lookup(online, ids)

    assert chosen.lookup == "direct"
    assert open_online(chosen).lookup(ids).as_of == [AS_OF + timedelta(days=1)] * 4
    assert FeastLookup(online).lookup([ids[0]]).as_of == [AS_OF]


def test_a_store_that_is_gone_is_an_error(published: dict[str, OnlineFeatures]) -> None:
    store = published["int64"].store
    gone = {**store, "online_store": {"type": "sqlite", "path": "/nowhere/online.db"}}
    with pytest.raises(FeatureStoreError, match="Materialize the features again"):
        SqliteLookup(published["int64"].model_copy(update={"store": gone}))


def test_a_store_that_was_deleted_and_published_anew_is_read(tmp_path: Path) -> None:
    online = publish(tmp_path, "int64")
    lookup, ids = SqliteLookup(online), IDS["int64"]
    for file in Path(online.store["online_store"]["path"]).parent.glob("online.db*"):
        file.unlink()
    with pytest.raises(FeatureStoreError, match="No such file"):
        lookup.lookup(ids)
    store = FeastFeatureStore(root=str(tmp_path))
    store.publish(online.view, frame(ids).assign(spend=7.0))
    assert [row["spend"] for row in lookup.lookup(ids).rows] == [7.0] * 3


def test_a_publication_neither_locks_nor_tears_what_is_read(tmp_path: Path) -> None:
    store = FeastFeatureStore(root=str(tmp_path))
    many, entities = 3000, [1, 1500, 3000]
    view = FeatureView.model_validate(
        {
            "name": "many",
            "entity": {"name": "customer_id", "dtype": "int64"},
            "features": {"first": "float64", "second": "float64"},
            "ttl": "31d",
        }
    )

    def rows(number: int) -> pd.DataFrame:
        moment = pd.Timestamp(AS_OF) + pd.Timedelta(minutes=number)
        values = {"event_timestamp": moment, "first": float(number), "second": float(number)}
        return pd.DataFrame({"customer_id": np.arange(1, many + 1)}).assign(**values)

    store.publish(view, rows(0))
    online = OnlineFeatures(store=store.serving_config(view), view=view, as_of=AS_OF)
    lookup, seen, reads = SqliteLookup(online), set(), itertools.count()
    ends = threading.Event()

    def read() -> None:
        while not ends.is_set():
            found = lookup.lookup(entities)
            next(reads)
            (state,) = {
                (as_of, row["first"], row["second"])
                for as_of, row in zip(found.as_of, found.rows, strict=True)
            }
            seen.add(state)

    reader = threading.Thread(target=read)
    reader.start()
    for number in (1, 2):
        store.publish(view, rows(number))
    time.sleep(0.05)
    ends.set()
    reader.join()

    assert seen == {(AS_OF + timedelta(minutes=n), n, n) for n in (0, 1, 2)}
    assert next(reads) > 100


def test_a_worker_that_reads_the_table_imports_neither_feast_nor_pandas(
    published: dict[str, OnlineFeatures],
) -> None:
    chosen = choose_lookup(published["int64"], [1])
    code = """
import json, sys
from importlib import import_module
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.serving.process import workers
from mlops_assets.serving.online.choice import open_online
online = OnlineFeatures.model_validate_json(sys.stdin.read())
for name in (*workers._IMPORTED, *workers._RUNTIMES["onnxruntime"]):
    import_module(name)
assert open_online(online).lookup([1]).rows
print(json.dumps(sorted({"feast", "pandas", "pyarrow", "google.protobuf"} & set(sys.modules))))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=chosen.model_dump_json(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (b"\x29\x00", "float64"),  # cut off
        (b"\x29" + bytes(8), "string"),
        (b"\x12\x01x", "float64"),
        (b"\x12\x02x", "string"),
        (b"\x12\x01xy", "string"),
        (b"\x12\xff", "string"),
        (b"\x12", "string"),
        (b"\x12\x01\xff", "string"),  # not UTF-8
        (b"\x20\x01", "float64"),  # an int64
    ],
)
def test_another_form_of_value_is_an_error(value: bytes, dtype: str) -> None:
    with pytest.raises(ValueError, match=r"Feast stores|middle of a number|utf-8"):
        decode(value, dtype)
