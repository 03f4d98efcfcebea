"""The database that a model's source names: reached, and its errors as ours, without a secret.

What is asked of it is `resources.databases.rows`; rows of ours are in `resources.databases.own`.
"""

import os
import secrets
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.blocks.sources.database import variable_of
from mlops_assets.errors import SourceError, SourceUnavailableError
from mlops_assets.runtime.postgres import QUOTING, is_torn
from resources.databases import postgres

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection, Engine

_SNAPSHOT: dict[str, dict[str, Any]] = {
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
}
"""Of a transaction, by the dialect."""
_SESSION = {
    # Whatever the user or the server is set to: the same moments, and each digit of a float. Until
    # the transaction ends, since a pool may give the connection to others then.
    "postgresql": ("SET TIME ZONE 'UTC'", "SET extra_float_digits = 1"),
    "sqlite": ("PRAGMA query_only = ON",),
}
_PACKAGES = {
    "MySQLdb": "mysqlclient",
    "bigquery": "sqlalchemy-bigquery",
    "clickhouse": "clickhouse-sqlalchemy",
    "databricks": "databricks-sqlalchemy",
    "duckdb": "duckdb-engine",
    "psycopg2": "'mlops-assets[cluster]'",
    "redshift": "sqlalchemy-redshift",
    "snowflake": "snowflake-sqlalchemy",
    "trino": "'trino[sqlalchemy]'",
}
"""Module or scheme -> what pip calls it, where that is another name."""
_CONNECT_SECONDS = "10"
_NO_ORDER = "42883"
"""Of Postgres: a kind without an operator, such as json."""


@contextmanager
def connected(source: SourceSettings) -> Generator["Connection"]:
    """A connection for one transaction that only reads; nothing of it is ever committed.

    Raises:
        SourceError: There is no such database, or it refuses.
        SourceUnavailableError: It does not answer, or went away meanwhile.
    """
    from sqlalchemy.exc import SQLAlchemyError

    engine = require_usable(source)
    dialect = engine.dialect.name
    try:
        with engine.connect() as fresh:
            connection = fresh.execution_options(**_SNAPSHOT.get(dialect, {}))
            for statement in _SESSION.get(dialect, ()):
                connection.exec_driver_sql(statement)
            yield connection
    except SQLAlchemyError as err:
        raise as_ours(err, source) from err


def require_one_statement(connection: "Connection", query: str) -> None:
    """Refuse a query with another behind it, which could end the transaction that only reads.

    Postgres takes several at once; here its own parser looks at them, and none is run. Of other
    databases the driver refuses them.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: There are several, or it is no query.
    """
    if connection.dialect.name == "postgresql":
        inner, outer = (f"$q{secrets.token_hex(8)}$" for _ in range(2))  # so that none is in it
        opened = f"OPEN c FOR EXECUTE {inner}{query}{inner}; CLOSE c;"
        looked_at = f"DO {outer} DECLARE c refcursor; BEGIN {opened} END {outer}"
        connection.exec_driver_sql(looked_at, execution_options={"no_parameters": True})


def require_usable(source: SourceSettings) -> "Engine":
    """What a connection is made by, if the address and its driver are there; asks no server.

    Raises:
        SourceError: They are not.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError
    from sqlalchemy.pool import NullPool

    url = _url(source)
    try:
        return create_engine(url, poolclass=NullPool)
    except ModuleNotFoundError as err:
        raise _not_installed(source, str(err.name)) from err
    except NoSuchModuleError:
        raise _not_installed(source, url.get_backend_name()) from None
    except (SQLAlchemyError, TypeError, ValueError) as err:
        raise SourceError(f"{place(source)} has no usable address: {err}; correct it") from err


def place(source: SourceSettings) -> str:
    """How a person finds the database: by its variable, or its address, which tells no secret."""
    return f"the database {source.database}"


def _url(source: SourceSettings) -> "URL":
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    address = _address(source)
    scheme, mark, rest = address.partition("://")
    address = f"{scheme.lower() if mark else scheme}{mark}{rest}"
    if address.startswith(("postgres://", "postgresql://")):
        address = f"{postgres.DRIVER}://{rest}"
    try:
        url = make_url(address)
        if is_torn(address):
            raise ValueError
    except (SQLAlchemyError, ValueError):  # they quote what may be a password
        raise SourceError(
            f"{place(source)} has no address; write postgresql://USER:PASSWORD@HOST:PORT/NAME, "
            f"{QUOTING}"
        ) from None
    if url.drivername == postgres.DRIVER and "connect_timeout" not in url.query:
        url = url.update_query_dict({"connect_timeout": _CONNECT_SECONDS})
    _require_file(url)
    return url


def _address(source: SourceSettings) -> str:
    named = variable_of(str(source.database))
    if named is None:
        return str(source.database)
    if address := os.environ.get(named):
        return address
    raise SourceError(
        f"the variable {named} is not set; set it to the address of the database, e.g. "
        "postgresql://USER:PASSWORD@HOST/NAME"
    )


def _require_file(url: "URL") -> None:
    """Refuse a file of SQLite that is not there: connecting would make an empty one."""
    file = url.database or ""
    if url.get_backend_name() != "sqlite" or file.startswith("file:"):
        return
    if not Path(file).is_file():
        raise SourceError(f"{file or 'sqlite://'}: there is no such file; correct the path")


def _not_installed(source: SourceSettings, module: str) -> SourceError:
    package = _PACKAGES.get(module, module)
    return SourceError(
        f"{place(source)} needs {module}, which is not installed; pip install {package}"
    )


def as_ours(err: Exception, source: SourceSettings, asked: str = "") -> SourceError:
    """What a database's error comes to; `asked` is the key of the YAML that has the query."""
    cause = getattr(err, "orig", None) or err
    said = next(iter(str(cause).strip().splitlines()), type(cause).__name__)
    if _passes(err, cause):
        return SourceUnavailableError(
            f"{place(source)} does not answer: {said}; start it, or correct the address"
        )
    if getattr(cause, "pgcode", None) == _NO_ORDER and source.table:
        return SourceError(
            f"{place(source)} cannot put the rows of {source.table} in order: {said}; cast that "
            "column in a `source.query`, e.g. payload::text"
        )
    asked = asked or ("source.table" if source.table else "source.query")
    return SourceError(
        f"{place(source)} refuses: {said}; correct the address or `{asked}`, or give its user the "
        "right to read"
    )


def _passes(err: Exception, cause: BaseException) -> bool:
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    # Of class 40: a standby that had to end the snapshot, or a deadlock.
    conflicts = str(getattr(cause, "pgcode", None) or "").startswith("40")
    return conflicts or postgres.is_away(err)
