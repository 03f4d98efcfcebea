"""Two machines that share Postgres, Redis and a bucket, and no folder: one trains, one serves."""

import shutil
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.runs.small_checkout import MODEL, Checkout
from tests.support.servers import free_port
from tests.support.services.postgres_server import PASSWORD, QUOTED, PostgresServer
from tests.support.services.redis_server import PASSWORD as REDIS_PASSWORD
from tests.support.services.redis_server import RedisServer
from tests.support.services.s3_server import ACCESS_KEY, SECRET, S3Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture
def redis() -> Generator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.end()
    shutil.rmtree(server.folder)


def test_what_one_has_trained_another_deploys(
    tmp_path: Path,
    postgres: PostgresServer,
    database: str,
    redis: RedisServer,
    s3: S3Server,
) -> None:
    here, bucket = Checkout.at(tmp_path / "checkout", free_port()), s3.new_bucket()
    elsewhere = replace(here, home=here.folder / "home-elsewhere")
    servers = {
        **{"MLOPS_DATABASE": database, "DAGSTER_HOME": ""},
        **{"MLOPS_ONLINE_STORE": redis.online_store, "REDIS_PASSWORD": REDIS_PASSWORD},
        **s3.told(bucket),
    }

    def mlops(machine: Checkout, *command: str) -> None:
        own = {"MLOPS_DATA_ROOT": str(machine.home / "dvc" / "project")}
        code = machine.start("mlops", *command, **servers, **own).wait()
        assert code == 0, (here.folder / "log").read_text(encoding="utf-8")[-5000:]

    try:
        mlops(here, "train", MODEL)
        mlops(elsewhere, "deploy", MODEL)
        mlops(elsewhere, "run", MODEL)
    finally:
        mlops(elsewhere, "stop")
    champions = "SELECT to_version FROM mlops.promotions ORDER BY sequence"
    assert postgres.execute(champions, database) == [(1,)], "nothing was trained twice"
    runs = "SELECT count(*) FROM mlflow.runs"
    assert postgres.execute(runs, database) == [(1,)]
    kept = s3.contents(bucket)
    assert any(key.startswith(f"mlflow/{MODEL}/") and key.endswith("model.skops") for key in kept)
    files = [path.read_bytes() for path in here.folder.rglob("*") if path.is_file()]
    for word in (SECRET, ACCESS_KEY, PASSWORD, QUOTED):
        assert not any(word.encode() in content for content in [*files, *kept.values()])
