"""A sqlite file of ours: durable, its layout created once by whoever comes first."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mlops_assets.atomic import ensure_folder, exclusive
from mlops_assets.errors import MlopsError


@dataclass(frozen=True)
class SqliteFile:
    """Where it is, what it must look like, and how its errors are named."""

    path: str
    timeout_seconds: float
    """How long to wait for another writer."""
    layout: int
    schema: str
    """What creates layout number `layout`."""
    name: str
    """E.g. `the ledger`."""
    variable: str
    """The environment variable that names another file."""
    error: type[MlopsError]
    busy: type[MlopsError]
    """Raised while another process holds the file."""

    @contextmanager
    def connection(self) -> Generator[sqlite3.Connection]:
        """A connection in autocommit mode; sqlite's errors become ours."""
        file = Path(self.path)
        ensure_folder(file.parent)
        try:
            with closing(
                sqlite3.connect(file, timeout=self.timeout_seconds, isolation_level=None)
            ) as connection:
                connection.execute("PRAGMA synchronous = FULL")  # a row survives a power cut
                self._create(connection)
                yield connection
        except sqlite3.Error as err:
            busy = getattr(err, "sqlite_errorname", "").startswith("SQLITE_BUSY")
            kind = self.busy if busy else self.error
            raise kind(
                f"{self.name} {file} refused: {err}. Look whether another process holds the file "
                f"and whether this user may write it; {self.variable} names another one."
            ) from err

    def _create(self, connection: sqlite3.Connection) -> None:
        if _layout(connection) == self.layout:
            return
        # Switching to WAL does not wait for others but fails, so it is done by one process.
        with exclusive(Path(f"{self.path}.lock")):
            if _layout(connection) == 0:
                connection.execute("PRAGMA journal_mode = WAL")
                stamp = f"PRAGMA user_version = {self.layout};"
                connection.executescript(f"BEGIN;{self.schema}{stamp}COMMIT;")
        if (found := _layout(connection)) != self.layout:
            raise self.error(
                f"{self.path} has layout {found}, this program knows {self.layout}; "
                f"update the program, or point {self.variable} at another file"
            )


def sortable(time: datetime) -> str:
    """UTC in text of one width, so that texts sort as times do."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _layout(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]
