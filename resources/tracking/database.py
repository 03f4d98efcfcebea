"""MLflow's sqlite file: made whole or not at all, and right again after its folder has moved.

MLflow makes it by some fifty migrations, and a process that is killed between two leaves a file
that it can neither use nor finish. It also writes the addresses of artifacts in full: here they
follow the database, as far as they lie beside it. A tag of the experiment `Default`, which every
store has, says where the database stood when its addresses were right.
"""

import contextlib
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Generator
from pathlib import Path

from mlops_assets.errors import TrackingError
from mlops_assets.runtime.atomic import ensure_folder, exclusive, write_atomically

PLACE = "mlops/folder"
_DEFAULT = 0
_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_FACTS = ("runs", "registered_models", "logged_models", "trace_info", "webhooks")
"""Tables that a store which was only just made has no row in."""


def local_database(tracking_uri: str) -> Path | None:
    """The file behind `sqlite:////srv/mlflow.db`; None of any other address."""
    scheme, _, path = tracking_uri.partition(":///")
    return Path(path.partition("?")[0]) if scheme == "sqlite" else None


def make_ready(database: Path, artifacts: str) -> None:
    """Make the store where there is none, or only half of one, and let its addresses follow it.

    `Default` keeps its artifacts in `artifacts`, a folder or URI, and not where we run. A store
    that is damaged, or of another release of MLflow, is a `TrackingError`.
    """
    if database.exists() and _is_here(_place(database), database):
        return
    ensure_folder(database.parent)
    with exclusive(database.with_suffix(".lock")):
        place = _place(database) if database.exists() else None
        if place is None:  # unless some other release's or server's, it is not there or not whole
            if not database.exists() or _is_unused(database):
                _make(database)
            else:
                _require_usable(database)
        if not _is_here(place, database):
            _settle(database, place, artifacts)


def _is_here(place: str | None, database: Path) -> bool:
    """Whether the addresses are right: it stands where it stood, by whatever name."""
    here = database.parent.absolute()
    return place is not None and (
        place == str(here) or (Path(place).exists() and here.samefile(place))
    )


def _place(database: Path) -> str | None:
    """Where the database stood when its addresses were right; None if nobody said it yet."""
    with _connected(database) as connection:
        if "experiment_tags" not in _tables(connection):
            return None
        found = connection.execute(
            "SELECT value FROM experiment_tags WHERE key = ? AND experiment_id = ?",
            (PLACE, _DEFAULT),
        ).fetchone()
    return found[0] if found else None


def _is_unused(database: Path) -> bool:
    """Whether nobody has kept anything in it yet: new, or half made by a killed process."""
    with _connected(database) as connection:
        return not any(
            connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()  # noqa: S608
            for table in _tables(connection) & {*_FACTS}
        )


def _require_usable(database: Path) -> None:
    """Raise if MLflow cannot use a store that somebody else made; the file stays as it is."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        _open(database)
    except (MlflowException, SQLAlchemyError) as err:
        raise TrackingError(
            f"MLflow cannot use {database}: {str(err).splitlines()[0]} There are runs in it, "
            "so it stays as it is: upgrade it by `mlflow db upgrade`, or restore a copy."
        ) from err


def _open(database: Path) -> None:
    """Let MLflow open the file; it makes what is missing in an empty one."""
    from mlflow import MlflowClient  # 2-6 CPU s

    uri = f"sqlite:///{database}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of SQLAlchemy, about MLflow
        MlflowClient(uri, uri).search_experiments(max_results=1)


def _make(database: Path) -> None:
    """Let MLflow make a store beside it, then put that in its place."""
    for left in database.parent.glob(f".{database.name}-*"):  # by a killed process
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=f".{database.name}-", dir=database.parent) as folder:
        made = Path(folder, "new.db")
        _open(made)
        write_atomically(database, lambda file: _copy(made, file))


def _copy(database: Path, target: Path) -> None:
    with _connected(database) as source, contextlib.closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def _settle(database: Path, place: str | None, artifacts: str) -> None:
    """Write down where the database stands, with every address beside it as of here."""
    here = database.parent.absolute()
    with _connected(database) as connection, connection:
        connection.execute("BEGIN IMMEDIATE")
        if place is not None:
            for old, new in _prefixes(Path(place), here):
                for table, column in _ADDRESSES:
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608
                        f"WHERE substr({column}, 1, ?) = ?",
                        (new, len(old) + 1, len(old), old),
                    )
        connection.execute(
            "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ? AND NOT EXISTS "
            "(SELECT 1 FROM runs WHERE runs.experiment_id = experiments.experiment_id)",
            (f"{address(artifacts)}/{_DEFAULT}", _DEFAULT),
        )
        connection.execute(
            "INSERT OR REPLACE INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, ?)",
            (PLACE, str(here), _DEFAULT),
        )


def place_experiment(uri: str, number: int, location: str) -> None:
    """Let new runs of an experiment keep their files elsewhere; those that are there stay."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    change = text("UPDATE experiments SET artifact_location = :place WHERE experiment_id = :number")
    with create_engine(uri, poolclass=NullPool).begin() as connection:
        connection.execute(change, {"place": location, "number": number})


def address(artifacts: str) -> str:
    """A folder or URI as a URI, without a slash at its end."""
    return artifacts.rstrip("/") if "://" in artifacts else Path(artifacts).absolute().as_uri()


def _prefixes(old: Path, new: Path) -> list[tuple[str, str]]:
    """How addresses below a folder start, and how they shall: as URIs, and as MLflow's paths."""
    return [(f"{old.as_uri()}/", f"{new.as_uri()}/"), (f"{old}/", f"{new}/")]


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}


@contextlib.contextmanager
def _connected(database: Path) -> Generator[sqlite3.Connection]:
    """A connection in autocommit mode; sqlite's errors become ours."""
    try:
        with contextlib.closing(
            sqlite3.connect(database, timeout=30, isolation_level=None)
        ) as connection:
            yield connection
    except sqlite3.Error as err:
        raise TrackingError(
            f"MLflow's store {database} cannot be read or written: {err}. Restore a copy of it; "
            "or move it away and train again, which begins a registry without versions."
        ) from err
