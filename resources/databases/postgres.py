"""A Postgres in the place of files: its address, a schema for each user of it, and locks.

One address serves everybody, `MLOPS_DATABASE`; what differs is the schema, since Dagster and
MLflow have tables of one name. What is in the tables stands with their owners:
`resources.champion.ledger`, `resources.decisions`; Dagster and MLflow make their own.

Every connection that is made by an address of `schema_address` is waited for while the server is
away, in a process that has had one before: a restart of the server is no failed run. A server that
this process has never reached is an error at once.
"""

import re
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from mlops_assets.errors import ConfigError
from mlops_assets.runtime.postgres import QUOTING, is_refusal, require_address

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

DRIVER = "postgresql+psycopg2"
"""Dagster's, and so everybody's; SQLAlchemy and Feast take the plain scheme for another one."""
AWAY_SECONDS = 60.0
"""How long a process that has had a connection waits for the next."""
_OURS = "mlops"
"""The application's name, by which an administrator finds our connections, and we do."""
_SESSION = {
    # A machine that lost its power must not keep its locks for two hours, which is the default.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
_NO_FILE = re.compile(
    r"\w[\w+.-]*:/|[^/\s]*:[^/\s]*@|\s*(host|hostaddr|port|dbname|user|password|service)\s*=", re.I
)
_reached: set[tuple[str, str]] = set()


def is_postgres(address: str) -> bool:
    """Whether it is the address of a Postgres, with or without a driver, and not a file's."""
    return address.startswith(("postgres:", "postgresql:", "postgresql+"))


def is_server(named: str, variable: str) -> bool:
    """Whether a store of ours is in a Postgres, and not in a file.

    Raises:
        ConfigError: It is the name of neither, but an address of another kind or libpq's key words.
    """
    if is_postgres(named):
        return True
    require_file_name(named, variable)
    return False


def require_file_name(named: str, variable: str) -> None:
    """Refuse what may hold a password, which a file's name would tell; `ConfigError`."""
    if _NO_FILE.match(named):
        raise ConfigError(
            f"{variable} names neither a file nor a Postgres; write a path, or "
            "postgresql://USER:PASSWORD@HOST/NAME"
        )


def schema_address(address: str, schema: str) -> str:
    """The address by which SQLAlchemy finds one schema of a Postgres; it holds the password.

    Raises:
        ConfigError: It names another driver, or is no address; without quoting what may be secret.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    require_address(address)
    _wait_for_servers_that_were_there()
    try:
        url = make_url(f"{DRIVER}://{address.partition('://')[2]}")
    except (SQLAlchemyError, ValueError):  # they quote what may be a password
        raise ConfigError(
            "the database's address is none; write postgresql://USER:PASSWORD@HOST:PORT/NAME, "
            f"{QUOTING}"
        ) from None
    session = " ".join(f"-c{name}={value}" for name, value in _SESSION.items())
    options = f"{url.query.get('options', '')} -csearch_path={schema} {session}".strip()
    timeout = {"connect_timeout": "10"} if "connect_timeout" not in url.query else {}
    url = url.update_query_dict({"options": options, "application_name": _OURS, **timeout})
    return url.render_as_string(hide_password=False)


def place(address: str) -> str:
    """Where it is, for people: `postgresql://HOST:PORT/NAME`, neither user nor password."""
    from sqlalchemy.engine import make_url

    url = make_url(address)
    port = f":{url.port}" if url.port else ""
    return f"postgresql://{url.host or 'localhost'}{port}/{url.database or ''}"


def is_away(err: BaseException) -> bool:
    """Whether an error of SQLAlchemy's means that the server cannot be asked just now.

    A server that refuses this user, this database or this password is not away.
    """
    from sqlalchemy.exc import DBAPIError, OperationalError

    if not isinstance(err, DBAPIError):
        return False
    return err.connection_invalidated or (isinstance(err, OperationalError) and _is_away(err.orig))


def explained(what: str, address: str, err: BaseException, *variables: str) -> str:
    """A sentence: what is kept there, where, what the server said, and the remedy."""
    said = " ".join(str(getattr(err, "orig", None) or err).split())
    named = " or ".join(variables)
    if is_away(err):
        return (
            f"{what} in {place(address)} cannot be asked: {said}; start the server, or correct the "
            f"address in {named}"
        )
    return f"{what} in {place(address)} cannot be used: {said}; {named} names the database"


def _is_away(err: BaseException | None) -> bool:
    if getattr(err, "pgcode", None):  # of a statement, which a server answered
        return str(getattr(err, "pgcode", "")).startswith(("57P", "53", "08"))
    return not is_refusal(str(err))


@contextmanager
def connected(address: str) -> Generator["Connection"]:
    """A connection of its own in autocommit mode, closed afterwards."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    engine = create_engine(address, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


@contextmanager
def one_at_a_time(address: str, name: str) -> Generator["Connection"]:
    """Hold `name` against every other process at this database, on whatever machine; waits.

    The server frees it when this process or its machine dies, or when the server itself ends: what
    must not happen twice is compared again where it is written.
    """
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    engine = create_engine(address, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    connection = engine.connect()
    try:
        connection.execute(text("SET lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_lock(hashtextextended(:n, 0))"), {"n": name})
        yield connection
    finally:
        with suppress(DBAPIError):  # the server went away, and the lock with it
            connection.close()


@cache
def ready(address: str) -> str:
    """The same address, of `schema_address`, once its schema is there; any other as it is."""
    from sqlalchemy import text
    from sqlalchemy.engine import make_url

    if make_url(address).query.get("application_name") == _OURS:
        with one_at_a_time(address, "mlops/schemas") as connection:
            schema = connection.execute(text("SHOW search_path")).scalar()
            there = text("SELECT 1 FROM pg_namespace WHERE nspname = :schema")
            if connection.execute(there, {"schema": schema}).first() is None:
                connection.execute(text(f"CREATE SCHEMA {schema}"))
    return address


@cache
def _wait_for_servers_that_were_there() -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    event.listen(Engine, "do_connect", _connect)


def _connect(dialect: Any, record: Any, arguments: list[Any], known: dict[str, Any]) -> Any:
    """A connection in the place of SQLAlchemy's own; None leaves it to that."""
    if known.get("application_name") != _OURS:
        return None
    server = (str(known.get("host")), str(known.get("port")))
    deadline = time.monotonic() + (AWAY_SECONDS if server in _reached else 0)
    while True:
        try:
            connection = dialect.connect(*arguments, **known)
        except dialect.loaded_dbapi.OperationalError as err:
            if not _is_away(err) or time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            _reached.add(server)
            return connection
