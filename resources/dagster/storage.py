"""Where Dagster keeps runs, events and schedules: a folder, or a schema of the one Postgres.

Named in `dagster.yaml`, so that it holds for every process of Dagster's, however it was started.
That file cannot ask the environment, and what stands in it is told to child processes by their
command lines: the address, which holds a password, is read here.
"""

from functools import cache
from typing import Any

import dagster as dg

from mlops_assets.errors import DatabaseError, DatabaseUnavailableError
from mlops_assets.home import DATABASE, database
from resources.dagster.internals import ConfigurableClassData, sqlite_storage, storage_class
from resources.databases import postgres

_SCHEMA = "dagster"


class ChosenStorage(storage_class()):
    """What `dagster.yaml` names; in its place stands Dagster's own for sqlite or for Postgres."""

    @classmethod
    def config_type(cls) -> Any:
        """Where the folder is, if no Postgres is named."""
        return {"base_dir": dg.StringSource}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: dict[str, str]
    ) -> Any:
        """Dagster's storage in the Postgres that MLOPS_DATABASE names, else in `base_dir`.

        Raises:
            ForeignDatabaseError: It is another project's.
            DatabaseUnavailableError: The server does not answer.
            DatabaseError: It refuses.
        """
        if not (named := database()):
            return sqlite_storage(inst_data, config_value["base_dir"])
        from dagster_postgres import DagsterPostgresStorage
        from sqlalchemy.exc import DBAPIError

        from resources.bucket.store_of_facts import require_own

        require_own(known_only=True)
        address = postgres.schema_address(named, _SCHEMA)
        try:
            _make_tables(address)
            return DagsterPostgresStorage(address, inst_data=inst_data)
        except DBAPIError as err:
            kind = DatabaseUnavailableError if postgres.is_away(err) else DatabaseError
            raise kind(postgres.explained("the runs of Dagster", address, err, DATABASE)) from err


@cache
def _make_tables(address: str) -> None:
    """Once in a process: those who make them at once break each other's."""
    from dagster_postgres import DagsterPostgresStorage

    with postgres.one_at_a_time(postgres.ready(address), "dagster/tables"):
        DagsterPostgresStorage(address)
