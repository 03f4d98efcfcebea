"""Which store of facts this process writes to: whose files those of a bucket may be.

Files are found by a model's name, and what they mean stands in the ledger and in MLflow: so a
bucket's prefix is of one of these alone. A store is told by an id that is made once and is kept
with it, in the database or in the state folder, and follows when that is moved.
"""

import os
import socket
import uuid
from dataclasses import dataclass

from mlops_assets.errors import DatabaseError, DatabaseUnavailableError
from mlops_assets.home import DATABASE, home
from mlops_assets.runtime.atomic import exclusive, write_atomically
from resources.databases import postgres

_LEDGER = "MLOPS_LEDGER"
_MADE = """
CREATE TABLE IF NOT EXISTS store (id TEXT NOT NULL);
INSERT INTO store SELECT '{id}' WHERE NOT EXISTS (SELECT FROM store);
"""


@dataclass(frozen=True)
class Store:
    """Its id, and where it is for people; without a secret."""

    id: str
    place: str

    @property
    def said(self) -> str:
        """Both, as they are written down."""
        return f"{self.id} {self.place}"


def this_store(*, make: bool) -> Store:
    """That of this environment; a state folder has its id from when one was to be made.

    Raises:
        DatabaseError: The database that holds it cannot be used.
    """
    address = os.environ.get(_LEDGER) or os.environ.get(DATABASE) or ""
    if postgres.is_postgres(address):
        return Store(_in_database(address), postgres.place(address))
    return Store(_in_folder(make=make), f"{socket.gethostname()}:{home()}")


def _in_folder(*, make: bool) -> str:
    file = home() / "store.txt"
    if make and not file.exists():
        with exclusive(home() / "locks" / "store.lock"):
            if not file.exists():
                made = uuid.uuid4().hex
                write_atomically(file, lambda path: path.write_text(made, encoding="utf-8"))
    return file.read_text(encoding="utf-8").strip() if file.exists() else ""


def _in_database(address: str) -> str:
    from sqlalchemy.exc import DBAPIError

    try:
        schema = postgres.ready(postgres.schema_address(address, "mlops"))
        with postgres.one_at_a_time(schema, "mlops/store") as connection:
            connection.exec_driver_sql(_MADE.format(id=uuid.uuid4().hex))
            return str(connection.exec_driver_sql("SELECT id FROM store").scalar_one())
    except DBAPIError as err:
        kind = DatabaseUnavailableError if postgres.is_away(err) else DatabaseError
        said = postgres.explained("the store's id", address, err, DATABASE, _LEDGER)
        raise kind(said) from err
