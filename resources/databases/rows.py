"""The rows of a table or a query of the user's database: their columns, and all of them as a file.

How the database is reached is `resources.databases.source`; what a value becomes in the file is
`mlops_assets.ml.data.formats.rows`.
"""

import hashlib
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mlops_assets.blocks.base import did_you_mean
from mlops_assets.blocks.data import ContractSettings, SourceSettings
from mlops_assets.blocks.sources.database import table_parts
from mlops_assets.errors import SourceError
from resources.databases.source import as_ours, connected, place, require_one_statement

if TYPE_CHECKING:
    from sqlalchemy import Executable, Select, TableClause
    from sqlalchemy.engine import Connection, CursorResult


class _Found(NamedTuple):
    """What the database has of a source."""

    columns: list[str]
    """Those that are wanted, in the contract's order."""
    rows: Iterator[Sequence[Sequence[Any]]]
    """In batches."""


def deliver(source: SourceSettings, contract: ContractSettings, file: Path) -> str | None:
    """Write all rows to a Parquet file; the fingerprint of the same moment.

    Of a table the rows are in an order of their own, whatever the database gives: by what is
    `unique`, then by all other columns. Where something fails, nothing is written.

    Raises:
        SourceError: There is no such table, a column is missing or extra, it cannot be read, or a
            value is of a kind that no column can have.
        SourceUnavailableError: The database does not answer, or went away meanwhile.
        StateError: The disk is full.
    """
    from mlops_assets.ml.data.formats.rows import RowFile

    with tempfile.TemporaryDirectory(prefix="rows-") as folder:
        with connected(source) as connection:
            known = _fingerprint(connection, source)
            found = _found(connection, source, contract)
            kept = RowFile(Path(folder), found.columns, where(source))
            for batch in found.rows:
                kept.add(batch)
        kept.write(file)
    return known


def sample(source: SourceSettings, most: int, file: Path) -> bool:
    """Write at most so many rows as they come, with all columns; whether these are all.

    Raises:
        SourceError: As `deliver`.
        SourceUnavailableError: The same.
    """
    from mlops_assets.ml.data.formats.rows import BATCH, RowFile

    read = 0
    with tempfile.TemporaryDirectory(prefix="rows-") as folder:
        with connected(source) as connection:
            result = _all_of(connection, source)
            kept = RowFile(Path(folder), list(result.keys()), where(source))
            for batch in islice(_batches(result, source), -(-most // BATCH)):
                kept.add(batch[: most - read])
                read += len(batch)
        kept.write(file)
    return read < most


def fingerprint(source: SourceSettings) -> str | None:
    """MD5 of what the queries of `watch` answer; None without any: nobody can tell if it changed.

    Raises:
        SourceError: A query cannot be asked, or does not answer with one row.
        SourceUnavailableError: As `deliver`.
    """
    if not source.watch:
        return None
    with connected(source) as connection:
        return _fingerprint(connection, source)


def require_rows(source: SourceSettings, contract: ContractSettings) -> None:
    """Look whether the table or query has the contract's columns, and whether `watch` answers.

    Raises:
        SourceError: As `deliver`.
        SourceUnavailableError: The same.
    """
    with connected(source) as connection:
        _fingerprint(connection, source)
        _found(connection, source, contract)


def where(source: SourceSettings) -> str:
    """What the rows are of, for a message."""
    return f"{f'table {source.table}' if source.table else 'the query'} of {place(source)}"


def _found(connection: "Connection", source: SourceSettings, contract: ContractSettings) -> _Found:
    from sqlalchemy import select

    from mlops_assets.ml.data.reading import match_columns

    extra, wanted = contract.extra_columns, contract.read_columns
    if source.table is None:
        result = _asked(connection, str(source.query), source)
        names = list(result.keys())
        keep = match_columns(names, wanted, extra, where(source))
        places = [names.index(name) for name in keep]
        return _Found(
            keep,
            ([[row[at] for at in places] for row in rows] for rows in _batches(result, source)),
        )
    table = _table(connection, source, wanted)
    keep = match_columns(_columns_of(connection, table), wanted, extra, where(source))
    unique = [name for column in contract.unique for name in contract.sources_of(column)]
    order = dict.fromkeys([*unique, *keep])
    statement = select(*(table.c[name] for name in keep)).order_by(*(table.c[n] for n in order))
    return _Found(keep, _rows(connection, statement, source))


def _table(
    connection: "Connection", source: SourceSettings, columns: Sequence[str]
) -> "TableClause":
    from sqlalchemy import column, inspect, table

    schema, name = table_parts(str(source.table))
    known = inspect(connection)
    if not known.has_table(name, schema=schema):
        near = did_you_mean([name], [*known.get_table_names(schema), *known.get_view_names(schema)])
        raise SourceError(
            f"{place(source)} has no table {source.table}{near or '; correct `source.table`'}"
        )
    return table(name, *map(column, columns), schema=schema)


def _columns_of(connection: "Connection", table: "TableClause") -> list[str]:
    from sqlalchemy import false

    return list(connection.execute(_everything(table).where(false())).keys())


def _everything(table: "TableClause") -> "Select":
    from sqlalchemy import literal_column, select

    return select(literal_column("*")).select_from(table)


def _rows(
    connection: "Connection", statement: "Executable", source: SourceSettings
) -> Iterator[Sequence[Sequence[Any]]]:
    """In batches; asked for once the first is wanted."""
    yield from _batches(_streamed(connection, statement, source), source)


def _all_of(connection: "Connection", source: SourceSettings) -> "CursorResult[Any]":
    """Every row with all columns, as they come."""
    if source.table is None:
        return _asked(connection, str(source.query), source)
    return _streamed(connection, _everything(_table(connection, source, [])), source)


def _streamed(
    connection: "Connection", statement: "Executable", source: SourceSettings
) -> "CursorResult[Any]":
    from mlops_assets.ml.data.formats.rows import BATCH

    with _readable(source):
        return connection.execute(statement, execution_options={"yield_per": BATCH})


def _asked(connection: "Connection", query: str, source: SourceSettings) -> "CursorResult[Any]":
    """What a query of the YAML answers; nothing in it is a parameter, be it `%s` or `:name`."""
    from mlops_assets.ml.data.formats.rows import BATCH

    options = {"yield_per": BATCH, "no_parameters": True}
    with _readable(source):
        require_one_statement(connection, query)
        result = connection.exec_driver_sql(query, execution_options=options)
    if not result.returns_rows:
        raise SourceError(f"{where(source)} answers with no rows; write a `select`")
    return result


def _batches(
    result: "CursorResult[Any]", source: SourceSettings
) -> Iterator[Sequence[Sequence[Any]]]:
    from mlops_assets.ml.data.formats.rows import BATCH

    batches = result.partitions(BATCH)
    while True:
        with _readable(source):
            rows = next(batches, None)
        if rows is None:
            return
        yield rows


@contextmanager
def _readable(source: SourceSettings) -> Generator[None]:
    """A driver's error becomes ours where Python has no value for what the database holds."""
    try:
        yield
    except (ValueError, OverflowError) as err:
        raise SourceError(
            f"{where(source)} has a value that cannot be read: {err}; cast its column to text in "
            "`source.query`"
        ) from err


def _fingerprint(connection: "Connection", source: SourceSettings) -> str | None:
    from sqlalchemy.exc import SQLAlchemyError

    digest = hashlib.md5(usedforsecurity=False)
    for query in source.watch:
        try:
            with _asked(connection, query, source) as result:
                rows = result.fetchmany(2)
        except SQLAlchemyError as err:
            raise as_ours(err, source, "source.watch") from err
        if len(rows) != 1:
            raise SourceError(
                f"source.watch {query!r} answers with {'no row' if not rows else 'several rows'}; "
                "ask for one that changes when the rows do, e.g. select max(changed_at), count(*)"
            )
        digest.update(repr([str(value) for value in rows[0]]).encode())
    return digest.hexdigest() if source.watch else None
