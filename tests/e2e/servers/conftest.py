"""One Postgres for the tests of a worker; each takes a database of its own."""

from collections.abc import Generator

import pytest

from tests.support.postgres_server import PostgresServer
from tests.support.s3_server import S3Server


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
