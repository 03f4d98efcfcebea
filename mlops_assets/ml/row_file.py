"""Parquet that is filled with one table after another, and read so.

That a file is put into its place whole or not at all is the caller's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_GROUP = 131_072
"""Rows of a row group."""
Options = Callable[[Sequence[str]], Mapping[str, Any]]
"""Names of the columns -> options of `ParquetWriter`."""


class RowFile:
    """One file; smaller tables wait until they make a row group."""

    def __init__(self, path: Path, options: Options = lambda _: {}) -> None:
        """Nothing is written before the first rows."""
        self.path, self._options = path, options
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []

    def append(self, rows: pa.Table) -> None:
        """Add rows, of the same schema each time."""
        self._waiting.append(rows)
        if sum(map(len, self._waiting)) >= _GROUP:
            self._flush()

    def close(self, metadata: Mapping[bytes, bytes] | None = None) -> None:
        """Write what waits, and the end, which may say something of the rows."""
        self._flush()
        if self._writer:
            self._writer.add_key_value_metadata(dict(metadata or {}))
            self._writer.close()

    def _flush(self) -> None:
        if not self._waiting:
            return
        rows = pa.concat_tables(self._waiting)
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self.path, rows.schema, **self._options(rows.column_names)
            )
        self._writer.write_table(rows)
        self._waiting = []


def row_batches(
    file: pq.ParquetFile, rows: int, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """All rows of these columns, at most so many at once.

    Group by group: over several pyarrow keeps what it has decoded until the last of them.
    """
    for group in range(file.num_row_groups):
        yield from file.iter_batches(
            rows, row_groups=[group], columns=list(columns), use_threads=False
        )
