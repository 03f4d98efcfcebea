"""A sqlite file of ours: durable, its layout created once by whoever comes first.

What is in it stands with its owner: `resources.champion.ledger`, `resources.decisions`. MLflow's
and Dagster's own files are not made here.
"""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import dagster as dg
from pydantic import Field

from mlops_assets.errors import MlopsError
from mlops_assets.runtime.atomic import ensure_folder, exclusive, is_full


class SqliteFile(dg.ConfigurableResource):
    """Where it is; its owner says what it must look like, and how its errors are named."""

    path: str = Field(description="The sqlite file.")
    timeout_seconds: float = Field(30.0, ge=0, description="How long to wait for another writer.")

    layout: ClassVar[int] = 1
    tables: ClassVar[str]
    """What creates layout number `layout`."""
    called: ClassVar[str]
    """E.g. `the ledger`."""
    variable: ClassVar[str]
    """The environment variable that names another file."""
    error: ClassVar[type[MlopsError]]
    busy: ClassVar[type[MlopsError]]
    """Raised while another process holds the file."""

    @contextmanager
    def connection(self, *, reads: bool = False) -> Generator[sqlite3.Connection]:
        """A connection in autocommit mode; sqlite's errors become ours.

        Who only `reads` is not hindered by a disk that is full.
        """
        ensure_folder(Path(self.path).parent)
        try:
            with closing(self._open_to_read() if reads else self._open()) as connection:
                yield connection
        except sqlite3.Error as err:
            kind = self.busy if _is(err, "BUSY") else self.error
            raise kind(self._said(err)) from err

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=self.timeout_seconds, isolation_level=None)
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
            if _is(err, "BUSY") or not _size(self.path) or _size(f"{self.path}-wal"):
                raise
        address = f"file:{quote(str(Path(self.path).absolute()))}?immutable=1"
        return sqlite3.connect(address, uri=True, isolation_level=None)

    def _said(self, err: sqlite3.Error) -> str:
        what = f"{self.called} {self.path}"
        if _is(err, "NOTADB", "CORRUPT"):
            return f"{what} is damaged: {err}; restore a copy of it from a backup"
        if _is(err, "FULL") or (_is(err, "IOERR") and is_full(Path(self.path).parent)):
            return f"{what} refused: no space is left on its disk ({err}); free some, run again"
        return (
            f"{what} refused: {err}. Look whether another process holds the file "
            f"and whether this user may write it; {self.variable} names another one."
        )

    def _create(self, connection: sqlite3.Connection) -> None:
        if _layout(connection) == self.layout:
            return
        # Switching to WAL does not wait for others but fails, so it is done by one process.
        with exclusive(Path(f"{self.path}.lock")):
            if _layout(connection) == 0:
                connection.execute("PRAGMA journal_mode = WAL")
                stamp = f"PRAGMA user_version = {self.layout};"
                connection.executescript(f"BEGIN;{self.tables}{stamp}COMMIT;")
        if (found := _layout(connection)) != self.layout:
            raise self.error(
                f"{self.path} has layout {found}, this program knows {self.layout}; "
                f"update the program, or point {self.variable} at another file"
            )


def sortable(time: datetime) -> str:
    """UTC in text of one width, so that texts sort as times do."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _is(err: sqlite3.Error, *kinds: str) -> bool:
    """Whether sqlite's name of an error is, or begins with, one of these."""
    names = tuple(f"SQLITE_{kind}" for kind in kinds)
    return getattr(err, "sqlite_errorname", "").startswith(names)


def _size(path: str) -> int:
    file = Path(path)
    return file.stat().st_size if file.exists() else 0


def _layout(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]
