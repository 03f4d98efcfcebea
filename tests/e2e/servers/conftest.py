"""One Postgres for the tests of a worker; each takes a database of its own."""

from collections.abc import Generator

import pytest

from resources.bucket import objects
from tests.support.services.postgres_server import PostgresServer
from tests.support.services.s3_server import S3Server


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    server = PostgresServer.made()
    yield server
    server.end()


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture(scope="session")
def s3() -> Generator[S3Server]:
    server = S3Server()
    server.start()
    yield server
    server.end()


@pytest.fixture
def address(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket that this process finds, as one that was only just started would."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    objects._reached.clear()
    objects._ours.clear()
    objects._client.cache_clear()
    return s3.new_bucket()
