"""Feast's registry in a Postgres: whole whoever publishes, read by Feast itself, and waited for."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_assets.errors import DatabaseError, DatabaseUnavailableError
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.records.data import FeatureView
from mlops_assets.serving.online.feast import import_feast
from resources.databases import postgres as addresses
from resources.databases.feast_registry import SharedRegistry
from resources.feature_store import FeastFeatureStore
from tests.support.servers import ROOT, free_port
from tests.support.services.postgres_server import PASSWORD, QUOTED, PostgresServer
from tests.support.services.registry_racers import register
from tests.worlds.effort import few_in_the_gate

pytestmark = pytest.mark.e2e

RACES = [25, 100]
MACHINES = ("ada", "ben", "cleo")
RACER = [sys.executable, "-W", "ignore", "-m", "tests.support.services.registry_racers"]
JUNE, JULY = (pd.Timestamp(day, tz="UTC") for day in ("1998-06-01", "1998-07-01"))
ROWS = pd.DataFrame({"customer_id": [1, 2, 1], TIMESTAMP: [JUNE, JUNE, JULY], "spend": [1, 2, 3.5]})


def view(**features: str) -> FeatureView:
    said = {"name": "shop", "entity": {"name": "customer_id", "dtype": "int64"}, "ttl": "31d"}
    return FeatureView.model_validate(said | {"features": {"spend": "float64", **features}})


def machine(folder: Path, database: str) -> FeastFeatureStore:
    return FeastFeatureStore(root=str(folder), database=database)


def feast_of(database: str, project: str = "shop") -> Any:
    """A Feast of somebody else, told nothing but the database."""
    import_feast()
    from feast import FeatureStore, RepoConfig

    path = addresses.schema_address(database, "feast")
    config = RepoConfig(
        project=project,
        provider="local",
        registry={"registry_type": "sql", "path": path, "cache_ttl_seconds": 0},
        online_store=None,
        offline_store={"type": "duckdb"},
        entity_key_serialization_version=3,
    )
    return FeatureStore(config=config)


@pytest.fixture
def racers(database: str) -> Generator[list[subprocess.Popen[str]]]:
    """Processes that share nothing but the database."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = os.environ | {"MLOPS_DATABASE": database}
    started = [
        subprocess.Popen([*RACER, who], cwd=ROOT, env=environment, **pipes) for who in MACHINES
    ]
    yield started
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("races", few_in_the_gate(RACES, 25))
def test_of_machines_that_register_at_once_each_leaves_all_or_nothing(
    racers: list[subprocess.Popen[str]], database: str, tmp_path: Path, races: int
) -> None:
    """From the first use on, when the database has no tables."""
    models = [f"model{race % 5}" for race in range(races)]
    winners = set()
    for model in models:
        for process in racers:
            assert process.stdin is not None
            process.stdin.write(f"{model}\n")
            process.stdin.flush()
        assert [process.stdout.readline() for process in racers if process.stdout] == (
            ["shared\n"] * len(racers)
        )
        (known,), (source,), entities = shared(database, model, tmp_path / model)
        who = Path(source.file_options.uri).name
        assert Path(known.spec.batch_source.file_options.uri).name == who
        assert {field.name for field in known.spec.features} == {f"spend_{who}", f"country_{who}"}
        assert {entity.spec.name for entity in entities} == {"__dummy", f"id_{who}"}
        winners.add(who)
    assert len(winners) > 1, "they have not come at once"
    store = feast_of(database, models[0])
    assert {one.name for one in store.list_projects()} >= {*models}
    assert [one.name for one in store.list_feature_views()] == [models[0]]


def shared(database: str, model: str, file: Path) -> tuple[Any, Any, Any]:
    """Views, sources and entities as another machine gets them."""
    from feast.protos.feast.core.Registry_pb2 import Registry

    assert SharedRegistry(database, model).get(file)
    known = Registry.FromString(file.read_bytes())
    return known.feature_views, known.data_sources, known.entities


def test_what_one_machine_published_another_joins_and_serves(database: str, tmp_path: Path) -> None:
    """Its feature file it has by a bucket, or as here by a folder that both mount."""
    here, elsewhere = (machine(tmp_path / name, database) for name in ("here", "elsewhere"))
    here.publish(view(), ROWS)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/shop").symlink_to(tmp_path / "here/shop", target_is_directory=True)
    (tmp_path / "here/shop/registry.db").unlink()
    keys = pd.DataFrame({"customer_id": [1], TIMESTAMP: [JULY]})
    assert elsewhere.training_rows(view(), keys)["spend"].tolist() == [3.5]
    assert elsewhere.online_rows(view(), [2, 1])["spend"].tolist() == [2, 3.5]
    config = elsewhere.serving_config(view())
    assert config["registry"]["registry_type"] == "file", "an endpoint asks no database"
    assert PASSWORD not in str(config)
    assert QUOTED not in str(config)


def test_the_newest_publication_is_read_whoever_made_it(database: str, tmp_path: Path) -> None:
    here, elsewhere = (machine(tmp_path / name, database) for name in ("here", "elsewhere"))
    here.publish(view(), ROWS)
    registry = Path(here.serving_config(view())["registry"]["path"])
    before = registry.read_bytes(), registry.stat().st_mtime_ns
    here.serving_config(view())
    assert (registry.read_bytes(), registry.stat().st_mtime_ns) == before, "it is as it was"
    elsewhere.publish(view(visits="float64"), ROWS.assign(visits=1.0))
    here.serving_config(view())
    theirs = Path(elsewhere.serving_config(view())["registry"]["path"])
    assert registry.stat().st_mtime_ns == theirs.stat().st_mtime_ns > before[1]
    names = {field.name for field in feast_of(database).get_feature_view("shop").features}
    assert names == {"spend", "visits"}


def test_of_two_machines_one_publishes_after_the_other(database: str, tmp_path: Path) -> None:
    held, done = SharedRegistry(database, "shop"), threading.Event()
    other = machine(tmp_path, database)
    work = threading.Thread(target=lambda: (other.publish(view(), ROWS), done.set()))
    with held.alone():
        work.start()
        assert not done.wait(2)
        assert not (tmp_path / "shop/features.parquet").exists(), "not even a part of it"
    assert done.wait(60)
    work.join()


def test_what_was_registered_in_files_before_is_read(database: str, tmp_path: Path) -> None:
    FeastFeatureStore(root=str(tmp_path)).publish(view(), ROWS)
    keys = pd.DataFrame({"customer_id": [1], TIMESTAMP: [JULY]})
    joined = machine(tmp_path, database).training_rows(view(), keys)
    assert joined["spend"].tolist() == [3.5]


def test_a_server_that_is_away_for_a_while_is_waited_for(
    postgres: PostgresServer, database: str, tmp_path: Path
) -> None:
    store = machine(tmp_path, database)
    store.publish(view(), ROWS)
    postgres.kill()
    back = threading.Timer(3, postgres.start)
    back.start()
    store.publish(view(visits="float64"), ROWS.assign(visits=1.0))
    back.join()
    names = {field.name for field in feast_of(database).get_feature_view("shop").features}
    assert names == {"spend", "visits"}


def test_a_server_that_dies_in_the_middle_leaves_what_was_there(
    postgres: PostgresServer,
    database: str,
    tmp_path: Path,
) -> None:
    """It ends before it has taken the last row, and after all the others."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    registry = SharedRegistry(database, "shop")
    register(tmp_path / "first", "shop", "ada")
    registry.put(tmp_path / "first")
    register(tmp_path / "second", "shop", "ben")

    def dies(*called: Any) -> None:
        if called[2].startswith("INSERT INTO feature_views"):
            postgres.kill()
            postgres.start()

    event.listen(Engine, "before_cursor_execute", dies)
    try:
        with pytest.raises(DatabaseUnavailableError, match="Feast's registry in postgresql://127"):
            registry.put(tmp_path / "second")
    finally:
        event.remove(Engine, "before_cursor_execute", dies)
    store = feast_of(database)
    assert [Path(source.path).name for source in store.list_data_sources()] == ["ada"]
    assert {field.name for field in store.get_feature_view("shop").features} == {
        "spend_ada", "country_ada"
    }  # fmt: skip
    registry.put(tmp_path / "second")
    assert [Path(source.path).name for source in feast_of(database).list_data_sources()] == ["ben"]


def test_a_server_that_never_answered_is_one_sentence_at_once(tmp_path: Path) -> None:
    address = f"postgresql://ada:{QUOTED}@127.0.0.1:{free_port()}/shop"
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailableError, match="or correct the address in MLOPS_DATABASE"):
        machine(tmp_path, address).publish(view(), ROWS)
    assert time.monotonic() - began < 30
    assert not (tmp_path / "shop/features.parquet").exists()


def test_a_wrong_password_is_permanent_and_told_to_nobody(database: str, tmp_path: Path) -> None:
    wrong = database.replace(QUOTED, "guess-of-mine")
    with pytest.raises(DatabaseError, match="password authentication failed") as caught:
        machine(tmp_path, wrong).publish(view(), ROWS)
    assert not isinstance(caught.value, DatabaseUnavailableError)
    assert "guess-of-mine" not in str(caught.value)
