"""The state folder that an older commit left behind, put where a test wants it."""

import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

FOLDER = Path(__file__).parent
PLACE = Path("/tmp/mlops-old-state")  # the same on every machine: it gets into files
MODEL, PORT = "loans", 18471


def unpack(commit: str, home: Path, port: int) -> None:
    """Put the state there, as if that commit had made it in that place and with that port.

    Its own files name their place in full, so that a state folder could not be moved.
    """
    with tarfile.open(FOLDER / f"{commit}.tar.xz") as archive:
        archive.extractall(home, filter="data")
    for file in home.rglob("*"):
        if file.suffix == ".json" or file.name == "MLmodel":
            text = file.read_text(encoding="utf-8").replace(str(PLACE), str(home))
            file.write_text(text, encoding="utf-8")
    launch = home / "endpoints" / MODEL / "launch.json"
    text = launch.read_text(encoding="utf-8")
    assert str(PORT) in text
    launch.write_text(text.replace(str(PORT), str(port)), encoding="utf-8")
    with closing(sqlite3.connect(home / "mlflow.db")) as connection, connection:
        relocate(connection, str(PLACE), str(home))


def relocate(connection: sqlite3.Connection, old: str, new: str) -> None:
    """Replace one text by the other, wherever it stands in the database."""
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        for _, column, *_ in connection.execute(f'PRAGMA table_info("{table}")').fetchall():
            connection.execute(
                f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) '
                f'WHERE typeof("{column}") = \'text\' AND instr("{column}", ?)',
                (old, new, old),
            )
