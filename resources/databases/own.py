"""A store of ours in a database: a sqlite file, or a schema of a Postgres; made by who comes first.

What is in it stands with its owner: `resources.champion.ledger`, `resources.decisions`. MLflow's
and Dagster's own are not made here. One code reads and writes both; what they call differently is
in the tables of this module and in the guards that an owner gives for each.
"""

import sqlite3
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

import dagster as dg
from pydantic import Field

from mlops_assets.errors import MlopsError
from mlops_assets.home import DATABASE
from mlops_assets.runtime.atomic import ensure_folder, exclusive, is_full
from resources.databases import postgres

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_SCHEMA = "mlops"
_STRICT = {"sqlite": " STRICT", "postgresql": ""}
"""What comes after a table, so that a text is not taken for a number: Postgres always is strict."""
_REFUSE = """
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION USING
    ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_ARGV[0];
END $$;
"""
"""For the guards of a Postgres: the trigger's argument is what is wrong."""


class Database(dg.ConfigurableResource):
    """Where it is; its owner says what it must look like, and how its errors are named."""

    database: str = Field(
        description="A sqlite file, or the address of a Postgres: postgresql://USER:PASSWORD@HOST/NAME."
    )
    timeout_seconds: float = Field(30.0, ge=0, description="How long to wait for another writer.")

    layout: ClassVar[int] = 1
    table: ClassVar[str]
    """The one that is always there, and which writers hold against each other."""
    tables: ClassVar[str]
    """What creates layout number `layout`, in both; `{strict}` stands after each table."""
    guards: ClassVar[Mapping[str, str]]
    """What refuses changes of the past, also by other programs; by the name of the dialect."""
    called: ClassVar[str]
    """E.g. `the ledger`."""
    variable: ClassVar[str]
    """The environment variable that names another one."""
    error: ClassVar[type[MlopsError]]
    busy: ClassVar[type[MlopsError]]
    """Raised while another process holds it, or the server is away."""

    @contextmanager
    def connection(self, *, reads: bool = False) -> Generator["Connection"]:
        """A connection in autocommit mode; the database's errors become ours.

        Who only `reads` is not hindered by a disk that is full.
        """
        from sqlalchemy.exc import DBAPIError

        opened = self._on_server() if self._is_server else self._in_file(reads=reads)
        try:
            with opened as connection:
                yield connection
        except (DBAPIError, sqlite3.Error) as err:
            raise self._ours(err) from err

    @contextmanager
    def transaction(self) -> Generator["Connection"]:
        """A connection while no other process writes; all is written if the body ends well."""
        with self.connection() as connection:
            if self._is_server:
                connection.exec_driver_sql(f"SET lock_timeout = {int(self.timeout_seconds * 1000)}")
                connection.exec_driver_sql("BEGIN")
                connection.exec_driver_sql(f"LOCK TABLE {self.table} IN EXCLUSIVE MODE")
            else:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.exec_driver_sql("COMMIT")

    @contextmanager
    def one_at_a_time(self, name: str) -> Generator[None]:
        """Hold a name against every other process that uses this database; waits."""
        from sqlalchemy.exc import DBAPIError

        if not self._is_server:
            with exclusive(Path(f"{self.database}.{name}.lock")):
                yield
            return
        with ExitStack() as held:
            try:
                held.enter_context(postgres.one_at_a_time(self._address, f"{self.table}/{name}"))
            except DBAPIError as err:
                raise self._ours(err) from err
            yield

    @property
    def is_made(self) -> bool:
        """Whether there is anything to read, as far as that is known without a connection."""
        return self._is_server or Path(self.database).exists()

    @property
    def _is_server(self) -> bool:
        return postgres.is_server(self.database, self.variable)

    @property
    def _address(self) -> str:
        return postgres.ready(postgres.schema_address(self.database, _SCHEMA))

    @contextmanager
    def _on_server(self) -> Generator["Connection"]:
        with postgres.connected(self._address) as connection:
            if self._server_layout(connection) == 0:
                with postgres.one_at_a_time(self._address, f"{_SCHEMA}/layouts") as alone:
                    if self._server_layout(alone) == 0:
                        stamp = f"COMMENT ON TABLE {self.table} IS 'layout {self.layout}';"
                        made = self.tables.format(strict=_STRICT["postgresql"])
                        guards = _REFUSE + self.guards["postgresql"]
                        alone.exec_driver_sql(f"BEGIN;{made}{guards}{stamp}COMMIT;")
            self._require_layout(self._server_layout(connection))
            yield connection

    def _server_layout(self, connection: "Connection") -> int:
        query = f"SELECT obj_description(to_regclass('{_SCHEMA}.{self.table}'), 'pg_class')"
        said = connection.exec_driver_sql(query).scalar()
        return int(said.removeprefix("layout ")) if said else 0

    @contextmanager
    def _in_file(self, *, reads: bool) -> Generator["Connection"]:
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        ensure_folder(Path(self.database).parent)
        engine = create_engine(
            "sqlite://",
            creator=self._open_to_read if reads else self._open,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
        )
        with engine.connect() as connection:
            yield connection

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.database, timeout=self.timeout_seconds, isolation_level=None
        )
        try:
            connection.execute("PRAGMA synchronous = FULL")  # a row survives a power cut
            self._create(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _open_to_read(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.OperationalError as err:
            # It cannot create its write-ahead log. Where none holds anything, the file holds all.
            if _is(err, "BUSY") or not _size(self.database) or _size(f"{self.database}-wal"):
                raise
        address = f"file:{quote(str(Path(self.database).absolute()))}?immutable=1"
        return sqlite3.connect(address, uri=True, isolation_level=None)

    def _create(self, connection: sqlite3.Connection) -> None:
        if _layout(connection) == self.layout:
            return
        # Switching to WAL does not wait for others but fails, so it is done by one process.
        with exclusive(Path(f"{self.database}.lock")):
            if _layout(connection) == 0:
                connection.execute("PRAGMA journal_mode = WAL")
                stamp = f"PRAGMA user_version = {self.layout};"
                made = self.tables.format(strict=_STRICT["sqlite"])
                connection.executescript(f"BEGIN;{made}{self.guards['sqlite']}{stamp}COMMIT;")
        self._require_layout(_layout(connection))

    def _require_layout(self, found: int) -> None:
        if found != self.layout:
            raise self.error(
                f"{self._place} has layout {found}, this program knows {self.layout}; "
                f"update the program, or point {self.variable} at another database"
            )

    @property
    def _place(self) -> str:
        return postgres.place(self.database) if self._is_server else self.database

    def _ours(self, err: Exception) -> MlopsError:
        if self._is_server:
            held = getattr(getattr(err, "orig", None), "pgcode", None) == "55P03"
            kind = self.busy if held or postgres.is_away(err) else self.error
            variables = (DATABASE, self.variable)
            return kind(postgres.explained(self.called, self.database, err, *variables))
        what, cause = f"{self.called} {self.database}", getattr(err, "orig", None) or err
        said = " ".join(str(cause).split())
        if _is(cause, "NOTADB", "CORRUPT"):
            return self.error(f"{what} is damaged: {said}; restore a copy of it from a backup")
        if _is(cause, "FULL") or (_is(cause, "IOERR") and is_full(Path(self.database).parent)):
            return self.error(
                f"{what} refused: no space is left on its disk ({said}); free some, run again"
            )
        kind = self.busy if _is(cause, "BUSY") else self.error
        return kind(
            f"{what} refused: {said}. Look whether another process holds the file "
            f"and whether this user may write it; {self.variable} names another one."
        )


def sortable(time: datetime) -> str:
    """UTC in text of one width, so that texts sort as times do."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _is(err: BaseException, *kinds: str) -> bool:
    """Whether sqlite's name of an error is, or begins with, one of these."""
    names = tuple(f"SQLITE_{kind}" for kind in kinds)
    return getattr(err, "sqlite_errorname", "").startswith(names)


def _size(path: str) -> int:
    file = Path(path)
    return file.stat().st_size if file.exists() else 0


def _layout(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]
