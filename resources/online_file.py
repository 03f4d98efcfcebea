"""The sqlite file of an online store, changed by one publication.

Beside a write-ahead log readers see the state before until it ends. A first publication has no
readers: its file is filled aside, without a log, and put into its place, for half of what pages
cost that are written twice. What is written is `resources.online_table`.
"""

import contextlib
import sqlite3
from collections.abc import Generator
from pathlib import Path

from mlops_assets.runtime.atomic import replacing

_WAIT_SECONDS = 60.0
"""For another writer, e.g. a Feast of one's own."""
_PAGE_BYTES = 16_384
"""Of a file that is made here: sqlite's own 4,096 make a publication a fifth dearer."""


def changing(path: str) -> contextlib.AbstractContextManager[sqlite3.Connection]:
    """A transaction, after which all is in the file; if the body raises, nothing of it is."""
    return _in_place(path) if Path(path).exists() else _made(path)


@contextlib.contextmanager
def _in_place(path: str) -> Generator[sqlite3.Connection]:
    with contextlib.closing(_opened(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
        # What the log holds goes into the file now; a reader in the way leaves it for later.
        connection.execute("PRAGMA busy_timeout = 1000")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


@contextlib.contextmanager
def _made(path: str) -> Generator[sqlite3.Connection]:
    for log in ("-wal", "-shm"):
        # Of a file that was deleted; sqlite would take them for this one's.
        Path(f"{path}{log}").unlink(missing_ok=True)
    with replacing(Path(path)) as aside, contextlib.closing(_opened(str(aside))) as connection:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")  # it is synced before it is put in its place
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")


def _opened(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=_WAIT_SECONDS)
