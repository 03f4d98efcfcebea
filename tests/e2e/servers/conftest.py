"""One Postgres for the tests of a worker; each takes a database of its own."""

from collections.abc import Generator

import pytest

from tests.support.postgres_server import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    server = PostgresServer.made()
    yield server
    server.end()


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    return postgres.new_database()
