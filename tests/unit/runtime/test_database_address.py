"""An address that is none is refused before it becomes a file's name, and tells no password."""

from pathlib import Path

import pytest

from mlops_assets.cli.main import use_dagster_home
from mlops_assets.definitions import build_resources
from mlops_assets.engines.postgres import PostgresEngine
from mlops_assets.errors import ConfigError, MlopsError, TrackingError
from mlops_assets.runtime.postgres import require_address
from resources.bucket.store_of_facts import this_store
from resources.champion.ledger import PromotionLedger
from resources.databases.postgres import schema_address
from resources.decisions import DecisionStore
from resources.tracking.store import MLflowStore

NO_POSTGRES = [
    "host=127.0.0.1 dbname=shop password=TOPSECRET",
    "mysql://u:TOPSECRET@db/shop",
    "mysql:/u:TOPSECRET@db/shop",
    "u:TOPSECRET@db/shop",
    "sqlite:///TOPSECRET.db",
]
TORN = [
    "postgresql://mlops:TOP@SECRET@db.example/shop",
    "postgresql://mlops:TOP@SEC:RET@db.example/shop",
    "postgresql://mlops:TOP@SEC/RET@db.example/shop",
    "postgresql://mlops:TOP@SEC?RET@db.example/shop",
    "postgresql://mlops:TOP@SEC?RET@db.example/shop?sslmode=require",
]
SOUND = [
    "postgresql://mlops:a%40b@db.example:5432/shop?options=-cx%3D1",
    "postgresql://mlops@db.example/shop?application_name=a@b",
    "postgres:///shop?host=/run/postgresql",
    "postgresql+psycopg2://[::1]/shop",
]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "state"))


def assert_told(err: MlopsError) -> None:
    assert not any(part in str(err) for part in ("TOP", "SEC", "RET"))
    assert not [*Path.cwd().iterdir()], "nothing is made"


@pytest.mark.parametrize("address", [*NO_POSTGRES, "shop.db", *TORN])
def test_no_verb_begins_with_an_unfit_database(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_DATABASE", address)
    with pytest.raises(ConfigError, match="write postgresql://USER:") as by_verb:
        use_dagster_home(Path("state"))
    assert_told(by_verb.value)
    with pytest.raises(ConfigError, match="write postgresql://USER:") as by_dagster:
        build_resources(Path("state"))
    assert_told(by_dagster.value)


@pytest.mark.parametrize("address", NO_POSTGRES)
def test_an_address_is_no_file_of_a_store(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for store in (PromotionLedger(database=address), DecisionStore(database=address)):
        with pytest.raises(ConfigError, match=f"{store.variable} names neither a file") as caught:
            store.history("shop", 1) if isinstance(store, DecisionStore) else store.head("shop")
        assert_told(caught.value)
        with pytest.raises(ConfigError):
            assert store.is_made
    monkeypatch.setenv("MLOPS_LEDGER", address)
    with pytest.raises(ConfigError, match="MLOPS_LEDGER names neither a file") as caught:
        this_store(make=True)
    assert_told(caught.value)


@pytest.mark.parametrize("address", [one for one in NO_POSTGRES if "://" not in one])
def test_nor_of_the_tracking_store(address: str) -> None:
    with (
        pytest.raises(ConfigError, match="MLFLOW_TRACKING_URI names neither a file") as caught,
        MLflowStore(address, "artifacts").connected(),
    ):
        pass
    assert_told(caught.value)


@pytest.mark.parametrize("name", ["ledger.db", "./x:y/ledger.db", "day=1/l.db"])
def test_a_path_is_one(name: str, tmp_path: Path) -> None:
    assert PromotionLedger(database=str(tmp_path / name)).head("shop") is None
    assert PromotionLedger(database=name).head("shop") is None
    assert Path(name).exists()


@pytest.mark.parametrize("address", TORN)
def test_the_end_of_a_password_is_no_host(address: str) -> None:
    with pytest.raises(ConfigError, match="%2F, %3F, %23 and %40") as caught:
        schema_address(address, "mlops")
    assert_told(caught.value)
    with pytest.raises(ConfigError, match="%2F, %3F, %23 and %40") as caught:
        PostgresEngine(address).require_answer()
    assert_told(caught.value)
    for tracked in (address, address.replace("postgresql:", "mysql:")):
        with (
            pytest.raises(TrackingError, match="%2F, %3F, %23 and %40") as refused,
            MLflowStore(tracked, "artifacts").connected(),
        ):
            pass
        assert_told(refused.value)


@pytest.mark.parametrize("tail", ["TOP/SEC@db/shop", "1/TOP@db/shop"])
def test_an_engine_takes_no_part_of_a_password_for_a_port(tail: str) -> None:
    with pytest.raises(ConfigError, match="%2F, %3F, %23 and %40") as caught:
        PostgresEngine(f"postgresql://mlops:{tail}").require_answer()
    assert_told(caught.value)


@pytest.mark.parametrize("address", SOUND)
def test_a_sound_address_passes(address: str) -> None:
    assert require_address(address) == address
    assert PostgresEngine(address).name.startswith("postgresql://")
