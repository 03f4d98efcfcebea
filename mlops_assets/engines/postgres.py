"""Postgres: aggregates in a database, over a table that ends with the session.

It runs the SQL that Ibis makes of `EventRelation`; Ibis's own connection to Postgres is not used:
it needs another driver than everything else here. Of the database's own tables nothing is asked.
"""

import io
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import csv

from mlops_assets.blocks.base import one_line
from mlops_assets.blocks.features import Where
from mlops_assets.config import ModelSettings
from mlops_assets.engines.event_table import event_tables
from mlops_assets.engines.relation import TABLE, EventRelation
from mlops_assets.engines.relation_log import RelationLog
from mlops_assets.errors import ConfigError, EngineError, EngineUnavailableError
from mlops_assets.ml.features.engine import Roles, Wanted
from mlops_assets.ml.stored_rows import AnyRows
from mlops_assets.runtime.postgres import QUOTING, SCHEMES, is_refusal, is_torn

if TYPE_CHECKING:
    import ibis.expr.types as ir

_TYPES = {
    pa.int64(): "bigint",
    pa.float64(): "double precision",
    pa.bool_(): "boolean",
    pa.string(): 'text COLLATE "C"',
}
_SESSION = {
    "search_path": "pg_temp",  # or a table of theirs could be taken for ours
    "extra_float_digits": "3",  # every digit of a float, in old versions too
}
_USUAL = {"connect_timeout": "10", "application_name": "mlops-assets"}
_WATCHED = 140_000
"""From this version on a server looks while it computes whether its client still lives."""
_REMEDIES = {
    "22003": "reject such amounts by the contract (min, max)",
    "25006": "name a server that can be written, not a standby",
    "42501": "GRANT TEMPORARY ON DATABASE ... TO its user",
    "57014": "give it time: ?options=-cstatement_timeout%3D0",
}
"""By the code of what Postgres says."""


@dataclass(frozen=True)
class PostgresEngine:
    """As `Engine` says; what it needs there is the right to create temporary tables."""

    address: str = field(repr=False)
    """`postgresql://USER:PASSWORD@HOST/NAME`, with parameters of libpq."""

    @property
    def name(self) -> str:
        """The address without user, password and parameters; `ConfigError` if it is none."""
        known = self._parts
        port = f":{known['port']}" if "port" in known else ""
        return f"postgresql://{known.get('host', 'localhost')}{port}/{known.get('dbname', '')}"

    @contextmanager
    def opened(
        self, events: AnyRows, settings: ModelSettings, wanted: Wanted
    ) -> Generator[RelationLog]:
        """See `Engine`; also an `EngineError`, if Postgres is away or cannot do it."""
        tables = event_tables(events, settings, wanted)
        first = next(tables)
        columns = ", ".join(f"{one.name} {_TYPES[one.type]}" for one in first.schema)
        with self.session() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TEMPORARY TABLE {TABLE} ({columns}) ON COMMIT DROP")
            for table in chain([first], tables):
                _copy(connection, f"COPY {TABLE} FROM STDIN (FORMAT csv)", _written(table))
            cursor.execute(f"ANALYZE {TABLE}")
            relation = EventRelation(first.schema, _in_hex(wanted, first.schema))
            yield RelationLog(partial(_run, connection), relation, settings.key.name)

    @contextmanager
    def session(self) -> Generator[Any]:
        """A transaction of a connection of its own, which is never committed.

        Raises:
            ConfigError: The address is none.
            EngineError: psycopg2 is missing, or Postgres refuses or cannot do it.
            EngineUnavailableError: It does not answer, or went away meanwhile.
        """
        driver = _driver()
        try:
            with closing(driver.connect(**{**_USUAL, **self._parts})) as connection:
                connection.set_session(readonly=False)  # as a temporary table needs it
                watched = {"client_connection_check_interval": "5s"}
                said = _SESSION | (watched if connection.server_version >= _WATCHED else {})
                with connection.cursor() as cursor:
                    for setting in said.items():
                        cursor.execute("SELECT set_config(%s, %s, true)", setting)
                yield connection
        except driver.Error as err:
            raise self._ours(err) from err

    def require_answer(self) -> None:
        """Raise as `session` if it cannot be asked, or lets nobody create a temporary table."""
        with self.session() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TEMPORARY TABLE {TABLE} () ON COMMIT DROP")

    @property
    def _parts(self) -> dict[str, str]:
        driver = _driver()
        try:
            # Without a driver, which libpq does not know.
            parts = driver.extensions.parse_dsn(f"postgresql://{self.address.partition('://')[2]}")
            if is_torn(self.address) or "@" in f"{parts.get('port')}{parts.get('dbname')}":
                raise ValueError
        except (driver.Error, ValueError):  # it quotes what may be a password
            raise ConfigError(
                "MLOPS_ENGINE is no address of a Postgres; write postgresql://USER:PASSWORD@HOST/"
                f"NAME, {QUOTING}"
            ) from None
        return parts

    def _ours(self, err: Exception) -> EngineError:
        code, said = getattr(err, "pgcode", None), one_line(err)
        # Without a code it is the connection that failed, or was lost.
        if code.startswith(("57P", "08")) if code else not is_refusal(said):
            return EngineUnavailableError(
                f"no Postgres answers at {self.name} ({said}); start it, or correct MLOPS_ENGINE"
            )
        remedy = _REMEDIES.get(code or "", "correct MLOPS_ENGINE, or take duckdb://")
        return EngineError(f"Postgres at {self.name} refuses: {said}; {remedy}")


def is_postgres(url: str) -> bool:
    """Whether the address, or the name of an engine, is that of a Postgres."""
    return url.startswith(SCHEMES)


def _driver() -> Any:
    try:
        return import_module("psycopg2")
    except ImportError as err:
        raise EngineError(
            "MLOPS_ENGINE names a Postgres, which needs psycopg2, which is not installed; "
            "pip install 'mlops-assets[cluster]'"
        ) from err


def _run(connection: Any, expression: "ir.Table") -> pa.Table:
    import ibis

    query, found = str(ibis.to_sql(expression, dialect="postgres")), io.BytesIO()
    _copy(connection, f"COPY ({query}) TO STDOUT (FORMAT csv)", found)
    schema = expression.schema().to_pyarrow()
    return _read(found, schema)


def _copy(connection: Any, statement: str, file: io.BytesIO) -> None:
    """Copy to or from the file; whoever interrupts that interrupts the server too."""
    # In a thread, since a native call would leave the signal until it returns.
    with connection.cursor() as cursor, ThreadPoolExecutor(1) as thread:
        copied = thread.submit(cursor.copy_expert, statement, file)
        try:
            copied.result()
        except BaseException:
            if not copied.done():
                with suppress(_driver().Error):
                    connection.cancel()
            raise


def _written(table: pa.Table) -> io.BytesIO:
    file = io.BytesIO()
    columns = [_hex(one) if pa.types.is_string(one.type) else one for one in table.columns]
    written = pa.table(dict(zip(table.column_names, columns, strict=True)))
    csv.write_csv(written, file, csv.WriteOptions(include_header=False, quoting_style="all_valid"))
    file.seek(0)
    return file


def _read(file: io.BytesIO, schema: pa.Schema) -> pa.Table:
    """The rows as they were sent; texts are in hex."""
    if not file.tell():  # no row, of which the reader knows no columns
        return schema.empty_table()
    file.seek(0)
    table = csv.read_csv(
        file,
        read_options=csv.ReadOptions(column_names=schema.names),
        convert_options=csv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    columns = [_of_hex(one) if pa.types.is_string(one.type) else one for one in table.columns]
    return pa.table(dict(zip(schema.names, columns, strict=True)))


def _hex(texts: pa.ChunkedArray) -> pa.Array:
    """Texts as the hex of their UTF-8, which any encoding of a database keeps.

    Under the collation C they are in the order of the texts themselves, as arrays have it.
    """
    return _mapped(texts, lambda text: text.encode().hex())


def _of_hex(texts: pa.ChunkedArray) -> pa.Array:
    return _mapped(texts, lambda text: bytes.fromhex(text).decode())


def _mapped(texts: pa.ChunkedArray, change: Callable[[str], str]) -> pa.Array:
    """Each different one changed once."""
    known = texts.combine_chunks().dictionary_encode()
    changed = pa.array(map(change, known.dictionary.to_pylist()), pa.string())
    return changed.take(known.indices)


def _in_hex(wanted: Wanted, schema: pa.Schema) -> Wanted:
    """The same, where events are chosen by texts."""
    compared = Roles.of(wanted).compared
    texts = {
        name
        for place, name in enumerate(compared)
        if pa.types.is_string(schema.field(f"compared_{place}").type)
    }
    return {
        name: one.model_copy(update={"where": {**one.where, **_chosen(one.where, texts)}})
        for name, one in wanted.items()
    }


def _chosen(where: Where, texts: set[str]) -> Where:
    return {
        name: tuple(str(value).encode().hex() for value in where[name])
        for name in texts & where.keys()
    }
