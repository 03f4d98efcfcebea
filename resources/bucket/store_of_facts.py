"""Which store of facts this process writes to: whose files those of a bucket may be.

Files are found by a model's name, and what they mean stands in the ledger and in MLflow: so a
bucket's prefix is of one of these alone. A store is told by an id that is made once and is kept
with it, in the database or in the state folder, and follows when that is moved.

A database of MLOPS_DATABASE is of one project alone in the same way: of the one that has trained by
it first. A project is known by where its files are, by the id of its state folder and by its
bucket; machines of one project have one of the two in common.
"""

import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_assets.errors import DatabaseError, DatabaseUnavailableError, ForeignDatabaseError
from mlops_assets.home import BUCKET, DATABASE, bucket, database, home
from mlops_assets.runtime.atomic import exclusive, write_atomically
from resources.databases import postgres

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_LEDGER = "MLOPS_LEDGER"
_MADE = """
CREATE TABLE IF NOT EXISTS store (id TEXT NOT NULL);
INSERT INTO store SELECT '{id}' WHERE NOT EXISTS (SELECT FROM store);
"""
_OWNERS = "CREATE TABLE IF NOT EXISTS owners (id TEXT PRIMARY KEY, place TEXT NOT NULL)"
_HAS_OWNERS = "SELECT to_regclass('mlops.owners') IS NOT NULL"
_own: set[tuple[str, ...]] = set()
"""Databases that were found to be this project's, each with what it was known by."""


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
        ConfigError: The address of a database is none.
        DatabaseError: The database that holds it cannot be used.
    """
    address = os.environ.get(_LEDGER) or database()
    if postgres.is_server(address, _LEDGER):
        return Store(_in_database(address), postgres.place(address))
    return Store(_in_folder(make=make), f"{socket.gethostname()}:{home()}")


def require_own(*, claim: bool = False, known_only: bool = False) -> None:
    """Look whether the database is this project's, once in a process; who claims a new one has it.

    One without an owner, as of an earlier release, is everybody's who only looks; with `known_only`
    so is any to a process without bucket and id, as a pod of Dagster's UI is.

    Raises:
        ConfigError: The address of the database is none.
        ForeignDatabaseError: It is another project's.
        DatabaseError: It cannot be asked.
    """
    from sqlalchemy.exc import DBAPIError

    if not (address := database()):
        return
    known_by = _known_by(make=claim)
    if known_only and not known_by:
        return
    if (found := (address, *known_by)) in _own:
        return
    try:
        schema = postgres.ready(postgres.schema_address(address, "mlops"))
        with postgres.one_at_a_time(schema, "mlops/owners") as connection:
            if _is_own(connection, address, known_by, claim=claim):
                _own.add(found)
    except DBAPIError as err:
        kind = DatabaseUnavailableError if postgres.is_away(err) else DatabaseError
        raise kind(postgres.explained("the owner", address, err, DATABASE)) from err


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


def _known_by(*, make: bool) -> dict[str, str]:
    """Id -> where that is, for people."""
    places = {_in_folder(make=make): f"{socket.gethostname()}:{home()}", bucket(): bucket()}
    return {one: place for one, place in places.items() if one}


def _is_own(
    connection: "Connection", address: str, known_by: Mapping[str, str], *, claim: bool
) -> bool:
    """False: it is nobody's yet."""
    from sqlalchemy import text

    if claim:
        connection.exec_driver_sql(_OWNERS)
    elif not connection.exec_driver_sql(_HAS_OWNERS).scalar():
        return False
    found = connection.exec_driver_sql("SELECT id, place FROM owners")
    owners = {str(one): str(place) for one, place in found}
    if owners and not owners.keys() & known_by.keys():
        theirs = ", ".join(sorted(owners.values()))
        raise ForeignDatabaseError(
            f"{postgres.place(address)} is the database of another project ({theirs}), and this "
            f"one is {socket.gethostname()}:{home()}; give it a database of its own in {DATABASE}, "
            f"or, if both are one project, the same {BUCKET} or MLOPS_HOME"
        )
    shared = bucket() or next(iter(known_by), "")  # the folders of pods come and go
    if claim and shared not in owners:
        new = {"id": shared, "place": known_by[shared]}
        connection.execute(text("INSERT INTO owners VALUES (:id, :place)"), new)
    return claim or bool(owners)
