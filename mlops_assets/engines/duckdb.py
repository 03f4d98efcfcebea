"""DuckDB: aggregates out of core, on one machine.

It runs the SQL that Ibis makes of `EventRelation`; Ibis's own connection to DuckDB is not used: it
costs 0.5 CPU s, and fails with DuckDB 2.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from mlops_assets.blocks.base import one_line
from mlops_assets.config import ModelSettings
from mlops_assets.engines.event_table import event_tables
from mlops_assets.engines.relation import TABLE, EventRelation
from mlops_assets.engines.relation_log import RelationLog
from mlops_assets.errors import EngineError
from mlops_assets.ml.features.engine import Wanted
from mlops_assets.ml.stored_rows import AnyRows
from mlops_assets.runtime.atomic import folder_aside

if TYPE_CHECKING:
    import duckdb
    import ibis.expr.types as ir

DUCKDB_NAME = "duckdb://"


@dataclass(frozen=True)
class DuckDBEngine:
    """As `Engine` says; what does not fit into the memory limit is spilled to files."""

    spill: Path
    """Folder of the spilled files, which are gone when a log is closed."""
    memory_limit: str
    """As DuckDB reads it, e.g. `4GB`; the frames that go in and come out are not counted."""
    threads: int | None = None
    """None: as many as there are cores."""
    name = DUCKDB_NAME

    @contextmanager
    def opened(
        self, events: AnyRows, settings: ModelSettings, wanted: Wanted
    ) -> Generator[RelationLog]:
        """See `Engine`; also an `EngineError`, if DuckDB cannot do it within its limits."""
        tables = event_tables(events, settings, wanted)
        with folder_aside(self.spill) as folder:
            connection = self._connected(folder)
            with connection, self._reported():
                schema = _filled(connection, tables)
                run = partial(_run, connection)
                yield RelationLog(run, EventRelation(schema, wanted), settings.key.name)

    def _connected(self, folder: Path) -> "duckdb.DuckDBPyConnection":
        import duckdb

        limits = {"memory_limit": self.memory_limit, "temp_directory": str(folder)}
        threads = {"threads": str(self.threads)} if self.threads else {}
        alone = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
        try:
            connection = duckdb.connect(
                f"{folder}/{TABLE}.duckdb", config={**limits, **threads, **alone}
            )
        except duckdb.Error as err:
            raise EngineError(
                f"DuckDB refuses memory_limit={self.memory_limit!r}, threads={self.threads}: "
                f"{one_line(err)}; correct MLOPS_ENGINE, e.g. duckdb://?memory_limit=4GB&threads=2"
            ) from err
        connection.execute("SET enable_external_access=false")  # no file but those it spills
        return connection

    @contextmanager
    def _reported(self) -> Generator[None]:
        import duckdb

        try:
            yield
        except (duckdb.OutOfMemoryException, duckdb.IOException) as err:
            raise EngineError(
                f"the memory limit of DuckDB, {self.memory_limit}, or the disk of {self.spill} is "
                f"too small: {one_line(err)}; raise it, e.g. MLOPS_ENGINE=duckdb://?memory_limit=8GB"
            ) from err


def _filled(connection: "duckdb.DuckDBPyConnection", tables: Iterator[pa.Table]) -> pa.Schema:
    """Put all tables into one of its own, compressed and with the span of each part; its schema.

    As one stream: of tables that are registered one by one DuckDB holds each to the transaction's
    end.
    """
    import duckdb

    first, failed = next(tables), list[Exception]()

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for table in chain([first], tables):
                yield from table.cast(first.schema).to_batches()
        except Exception as err:  # of which DuckDB would tell the text alone
            failed.append(err)
            raise

    connection.register("arrow", pa.RecordBatchReader.from_batches(first.schema, batches()))
    try:
        connection.execute(f"CREATE TABLE {TABLE} AS SELECT * FROM arrow")  # noqa: S608
    except duckdb.Error:
        if failed:
            raise failed[0] from None
        raise
    connection.unregister("arrow")
    return first.schema


def _run(connection: "duckdb.DuckDBPyConnection", expression: "ir.Table") -> pa.Table:
    import ibis

    return connection.sql(str(ibis.to_sql(expression, dialect="duckdb"))).to_arrow_table()
