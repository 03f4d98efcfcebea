"""What Feast has registered of a model, where machines share it: Feast's own tables in a Postgres.

Feast reads them by `registry_type: sql`. It is not what writes them: its `SqlRegistry` registers
each object in transactions of its own, so that others see half of it and of those who come at once
some fail. Here what was registered in a file becomes the tables' rows in one transaction. Workers
read the file, and never this database.
"""

import os
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_assets.errors import DatabaseError, DatabaseUnavailableError
from mlops_assets.home import DATABASE
from mlops_assets.runtime.atomic import write_atomically
from mlops_assets.serving.online.feast import import_feast
from resources.databases import postgres

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection

SCHEMA = "feast"
_PARTS = {
    "projects": ("project_name", "project_proto"),
    "entities": ("entity_name", "entity_proto"),
    "data_sources": ("data_source_name", "data_source_proto"),
    "feature_views": ("feature_view_name", "feature_view_proto"),
}
"""What a registry has of a model: each a table, with its columns of an object's name and bytes."""


@dataclass(frozen=True)
class SharedRegistry:
    """One model's registry in the Postgres of `address`; without one there is none to share."""

    address: str
    model: str

    @contextmanager
    def alone(self) -> Generator[None]:
        """Hold the model's publication against every other machine; waits."""
        with ExitStack() as held:
            if self.address:
                name = f"{SCHEMA}/{self.model}"
                with self._explained():
                    held.enter_context(postgres.one_at_a_time(self._schema, name))
            yield

    def put(self, file: Path) -> None:
        """Share what is registered in `file`, in the place of all that was of this model.

        The file's time becomes that of the publication, by which `get` knows it.

        Raises:
            DatabaseError: It cannot be used; then it holds what it held before.
        """
        if not self.address:
            return
        import_feast()
        from feast.protos.feast.core.Registry_pb2 import Registry

        made = Registry.FromString(file.read_bytes())
        with self._explained(), self._begun() as connection:
            # One at a time, since the first of all makes the tables.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('mlops/feast'))")
            self._write(connection, made)
        _stamp(file, made)

    def get(self, file: Path) -> bool:
        """Make `file` what was shared last; False where nothing was, and nothing is done.

        A file that is of that publication stays as it is.

        Raises:
            DatabaseError: It cannot be asked.
        """
        if not self.address:
            return False
        import_feast()
        with self._explained(), self._begun() as connection:
            known = self._read(connection)
        if known is None:
            return False
        if not file.exists() or file.stat().st_mtime_ns != _published(known):
            write_atomically(file, lambda path: _fill(path, known))
        return True

    @property
    def _schema(self) -> str:
        return postgres.ready(postgres.schema_address(self.address, SCHEMA))

    @contextmanager
    def _begun(self) -> Generator["Connection"]:
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        with create_engine(self._schema, poolclass=NullPool).begin() as connection:
            yield connection

    def _write(self, connection: "Connection", made: Any) -> None:
        from feast.infra.registry.sql import metadata

        if not self._is_made(connection):
            metadata.create_all(connection)
        now = {"project_id": self.model, "last_updated_timestamp": int(time.time())}
        for part, (name, proto) in _PARTS.items():
            table = metadata.tables[part]
            connection.execute(table.delete().where(table.c.project_id == self.model))
            for one in getattr(made, part):
                said = one.spec.name if hasattr(one, "spec") else one.name
                row = {**now, name: said, proto: one.SerializeToString()}
                connection.execute(table.insert().values(row))

    def _read(self, connection: "Connection") -> Any | None:
        """The parts as a registry of its own, by one statement and so of one moment."""
        from feast.infra.registry.registry import REGISTRY_SCHEMA_VERSION
        from feast.infra.registry.sql import metadata
        from feast.protos.feast.core.Registry_pb2 import Registry
        from sqlalchemy import union_all

        if not self._is_made(connection):
            return None
        parts = (self._select(metadata.tables[part], proto) for part, (_, proto) in _PARTS.items())
        known = Registry(registry_schema_version=REGISTRY_SCHEMA_VERSION)
        for part, content in connection.execute(union_all(*parts)):
            getattr(known, part).add().ParseFromString(content)
        return known if known.feature_views else None

    def _is_made(self, connection: "Connection") -> bool:
        from sqlalchemy import inspect

        return inspect(connection).has_table("feature_views")

    def _select(self, table: "Table", proto: str) -> Any:
        from sqlalchemy import literal, select

        return select(literal(table.name), table.c[proto]).where(table.c.project_id == self.model)

    @contextmanager
    def _explained(self) -> Generator[None]:
        from sqlalchemy.exc import DBAPIError

        try:
            yield
        except DBAPIError as err:
            kind = DatabaseUnavailableError if postgres.is_away(err) else DatabaseError
            said = postgres.explained("Feast's registry", self.address, err, DATABASE)
            raise kind(said) from err


def _published(registry: Any) -> int:
    """When, in nanoseconds since 1970."""
    return max(view.meta.last_updated_timestamp.ToNanoseconds() for view in registry.feature_views)


def _stamp(file: Path, registry: Any) -> None:
    # `/metrics` tells the age of the features by it.
    os.utime(file, ns=(_published(registry), _published(registry)))


def _fill(file: Path, registry: Any) -> None:
    registry.last_updated.FromNanoseconds(_published(registry))
    file.write_bytes(registry.SerializeToString())
    _stamp(file, registry)
