"""Redis as the online store: what sqlite answers, in a live endpoint too; away, it is said."""

import json
import shutil
import threading
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.errors import FeatureStoreError
from mlops_assets.records.data import FeatureView
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.serving.online.choice import choose_lookup, open_online
from mlops_assets.serving.online.lookup import EntityId, OnlineRows
from resources.deployment import EndpointTargets
from resources.endpoints.client import request
from resources.feature_store import FeastFeatureStore
from tests.e2e.features.test_online_lookup import IDS, frame
from tests.support.served.live_endpoints import Subject, build_versions
from tests.support.served.served_models import AS_OF, VIEW, online_frame
from tests.support.servers import alive_with, wait_for
from tests.support.services.redis_server import PASSWORD, RedisServer

pytestmark = pytest.mark.e2e

TTL = timedelta(days=5)


@pytest.fixture(scope="module")
def redis() -> Generator[RedisServer]:
    server = RedisServer()
    server.start()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REDIS_PASSWORD", PASSWORD)
        environment.setenv("MLOPS_ONLINE_STORE", server.online_store)
        yield server
    server.end()
    shutil.rmtree(server.folder)


def found(folder: Path, dtype: str, online_store: str) -> tuple[OnlineFeatures, OnlineRows]:
    """What the lookup that a deployment would choose says of every id, and of two unknown ones."""
    store = FeastFeatureStore(root=str(folder), online_store=online_store)
    entity = {"name": "customer_id", "dtype": dtype}
    view = FeatureView.model_validate(
        {
            **{"name": f"by_{dtype}", "entity": entity, "ttl": "30d"},
            "features": {"spend": "float64", "class": "string"},
        }
    )
    store.publish(view, frame(IDS[dtype]))
    view = view.model_copy(update={"ttl": TTL})
    online = OnlineFeatures(store=store.serving_config(view), view=view, as_of=AS_OF)
    chosen = choose_lookup(online, IDS[dtype])
    unknown: list[EntityId] = [77, -77] if dtype == "int64" else ["nobody", "1 "]
    return chosen, open_online(chosen).lookup([*IDS[dtype], *unknown])


@pytest.mark.parametrize("dtype", IDS)
def test_redis_answers_what_the_file_answers(
    redis: RedisServer, tmp_path: Path, dtype: str
) -> None:
    by_file, in_file = found(tmp_path / "file", dtype, "")
    by_server, on_server = found(tmp_path / "server", dtype, redis.online_store)
    assert (by_file.lookup, by_server.lookup) == ("direct", "feast")
    assert PASSWORD not in by_server.model_dump_json()
    for part in ("rows", "as_of", "unknown", "stale"):
        assert getattr(on_server, part) == getattr(in_file, part), part
    assert in_file.unknown, "which Feast gives as present, with nulls and of the year 1970"
    assert in_file.stale


def test_a_correction_is_published_in_the_place_of_what_was(
    redis: RedisServer, tmp_path: Path
) -> None:
    store = FeastFeatureStore(root=str(tmp_path / "feast"), online_store=redis.online_store)
    view = VIEW.model_copy(update={"ttl": timedelta(days=30)})
    rows = online_frame()
    amounts = [name for name, dtype in view.features.items() if dtype == "float64"]
    for earlier in (timedelta(), timedelta(), timedelta(hours=1)):
        rows = rows.assign(
            event_timestamp=rows["event_timestamp"] - earlier,
            **{name: rows[name] + 1 for name in amounts},
        )
        store.publish(view, rows)
        online = store.online_rows(view, [1, 2, 3])
        newest = rows.sort_values("event_timestamp").groupby(view.key.name).last()
        for name in [*amounts, "event_timestamp"]:
            wanted = newest.loc[[1, 2, 3], name]
            assert online[name].equals(wanted.reset_index(drop=True)), (name, earlier)


@pytest.mark.timeout(120)
def test_who_publishes_waits_for_a_server_that_is_away(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeastFeatureStore(root=str(tmp_path / "feast"), online_store=redis.online_store)
    view = VIEW.model_copy(update={"ttl": timedelta(days=30)})
    store.publish(view, online_frame())
    before = store.online_rows(view, [1, 2, 3])
    redis.end()
    back = threading.Timer(20, redis.start)
    back.start()
    try:
        store.publish(view, online_frame())
        assert store.online_rows(view, [1, 2, 3]).equals(before)
    finally:
        back.join()
    monkeypatch.setenv("REDIS_PASSWORD", "wrong-one")
    with pytest.raises(FeatureStoreError, match="correct MLOPS_ONLINE_STORE, and run") as raised:
        store.publish(view, online_frame())
    assert "wrong-one" not in str(raised.value)
    monkeypatch.setenv("REDIS_PASSWORD", PASSWORD)
    monkeypatch.setattr("mlops_assets.serving.online.waiting.AWAY_SECONDS", 0)
    redis.end()
    try:
        with pytest.raises(FeatureStoreError, match=r"does not answer: .*refused; start its"):
            store.publish(view, online_frame())
    finally:
        redis.start()
    assert store.online_rows(view, [1, 2, 3]).equals(before), "what was published stays"


def predicted(url: str) -> tuple[int, Any]:
    status, body = request(url, "POST", "/predict", b'{"entities": [1, 99]}')
    answer = json.loads(body)
    return status, answer if "error" in answer else answer["predictions"]


def test_a_live_endpoint_reads_redis_and_says_when_it_is_away(
    redis: RedisServer, tmp_path: Path
) -> None:
    store = FeastFeatureStore(root=str(tmp_path / "feast"), online_store=redis.online_store)
    store.publish(VIEW.model_copy(update={"ttl": timedelta(days=30)}), online_frame())
    online = OnlineFeatures(store=store.serving_config(VIEW), view=VIEW, as_of=AS_OF)
    local = EndpointTargets(root=str(tmp_path / "endpoints"))
    chosen = choose_lookup(online, [1, 2, 3])
    subject = Subject(local, build_versions(tmp_path), chosen)
    try:
        endpoint = subject.deploy(1)
        good = predicted(endpoint.url)
        assert good[0] == 200
        redis.end()
        status, body = predicted(endpoint.url)
        assert (status, body["error"]["code"]) == (503, "feature_store_unavailable")
        assert PASSWORD not in json.dumps(body)
        redis.start()
        wait_for("the same answer", lambda: predicted(endpoint.url) == good, 60)
        folder = str((tmp_path / "endpoints" / "toy").resolve())
        for process in alive_with("MLOPS_ENDPOINT", folder):
            assert PASSWORD not in " ".join(process.cmdline())
        for file in Path(folder).rglob("*"):
            assert not file.is_file() or PASSWORD.encode() not in file.read_bytes(), file
    finally:
        local.stop("toy")
