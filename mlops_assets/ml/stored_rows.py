"""Rows in Parquet files: appended table by table, and read again as far as they are needed.

That a file is put into its place whole or not at all is the caller's; what rows mean, and what made
them, says whoever hands them on.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_assets.blocks.base import one_line
from mlops_assets.errors import StateError

ROWS, VALUES = 500_000, 1_000_000
"""That are in memory at once at most, read batch by batch."""
_GROUP = 131_072
"""Rows of a row group at most."""
_MANY = 50_000_000
"""Values: a frame of more is made column by column, or twice as many were in memory."""
Options = Callable[[Sequence[str]], Mapping[str, Any]]
"""Names of the columns -> options of `ParquetWriter`."""


def plain(_: Sequence[str]) -> Mapping[str, Any]:
    """Options of a file whose schema is told at its end, with what is said of the rows."""
    return {"store_schema": False}


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
        if sum(map(len, self._waiting)) >= group_rows(len(rows.column_names)):
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
        self._writer.write_table(rows, row_group_size=group_rows(len(rows.column_names)))
        self._waiting = []


def schema_of(rows: pd.DataFrame) -> pa.Schema:
    """As pandas stores it, where objects are texts, also if there is none."""
    schema = pa.Schema.from_pandas(rows, preserve_index=False)
    for place, name in enumerate(rows.columns):
        if rows[name].dtype == object:
            schema = schema.set(place, pa.field(name, pa.string()))
    return schema


def table_of(rows: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """The rows as they are stored by a schema of `schema_of`."""
    return pa.Table.from_pandas(rows, schema, preserve_index=False)


def end_of(schema: pa.Schema, attributes: Mapping[str, Any]) -> dict[bytes, bytes]:
    """What is said at the end of a `plain` file, so that it is a frame with these attributes."""
    return {**(schema.metadata or {}), b"PANDAS_ATTRS": json.dumps(attributes).encode()}


def write_frames(
    path: Path, frames: Iterable[pd.DataFrame], attributes: Mapping[str, Any] | None = None
) -> "StoredRows":
    """Frames of the same columns, at least one, in one file, as one frame would be stored."""
    file, schema = RowFile(path, plain), pa.schema([])
    for frame in frames:
        schema = schema if len(schema) else schema_of(frame)
        file.append(table_of(frame, schema))
    file.close(end_of(schema, attributes or {}))
    return StoredRows(path)


class StoredRows:
    """The rows of one file, as it was when it was opened: another may take its place meanwhile."""

    def __init__(self, path: Path, until: tuple[str, datetime] | None = None) -> None:
        """Read what the file says of itself; an `OSError` or `ValueError` if that is damaged.

        Args:
            path: Parquet, as pandas writes a frame.
            until: A column, and the moment after which a row is left out.
        """
        self.path, self._until = path, until
        self._file = pq.ParquetFile(path)

    @property
    def columns(self) -> list[str]:
        """Their names."""
        return self._file.schema_arrow.names

    def __len__(self) -> int:
        return self.count

    @property
    def count(self) -> int:
        """How many rows the file has."""
        return self._file.metadata.num_rows

    @property
    def attributes(self) -> dict[str, Any]:
        """What a frame that was stored there said of itself; empty if nothing."""
        return json.loads((self._file.schema_arrow.metadata or {}).get(b"PANDAS_ATTRS", b"{}"))

    def until(self, column: str, moment: datetime) -> "StoredRows":
        """Without the rows whose moment in a column is later."""
        view = object.__new__(StoredRows)
        view.path, view._file, view._until = self.path, self._file, (column, moment)
        return view

    def frames(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        """All rows of these columns in their order, some at once; no frame is without rows."""
        read = [*columns, *([self._until[0]] if self._until else [])]
        for batch in self._batches([*dict.fromkeys(read)]):
            frame = self._kept(pa.Table.from_batches([batch]).to_pandas(split_blocks=True))
            if len(frame):
                yield frame[[*columns]]

    def frame(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The same as one frame, of all columns if none are named."""
        wanted = self.columns if columns is None else [*columns]
        read = [*dict.fromkeys([*wanted, *([self._until[0]] if self._until else [])])]
        try:
            if self.count * len(read) < _MANY:
                return self._kept(self._file.read(columns=read).to_pandas())[wanted]
            parts = {name: self._file.read(columns=[name]).to_pandas()[name] for name in read}
        except (pa.ArrowException, OSError) as err:
            raise self._damaged(err) from err
        rows = self._kept(pd.DataFrame(parts, copy=False))
        return rows if wanted == read else rows[wanted]  # a choice of columns copies them

    def take(self, places: np.ndarray, columns: Sequence[str]) -> pd.DataFrame:
        """The rows at these places of the file, in their order; of others their groups are read.

        Args:
            places: In any order. What `until` leaves out has a place, too.
            columns: Those of the frame.
        """
        groups = [self._file.metadata.row_group(g).num_rows for g in range(self._groups)]
        starts = np.cumsum([0, *groups])
        order = np.argsort(places, kind="stable")
        of_group = np.searchsorted(starts, places[order], side="right") - 1
        try:
            parts = [
                self._file.read_row_group(group, columns=list(columns), use_threads=False).take(
                    places[order][of_group == group] - starts[group]
                )
                for group in (np.unique(of_group) if len(places) else [0])
            ]
        except (pa.ArrowException, OSError) as err:
            raise self._damaged(err) from err
        return pa.concat_tables(parts).to_pandas().take(np.argsort(order))

    @property
    def _groups(self) -> int:
        return self._file.num_row_groups

    def _kept(self, frame: pd.DataFrame) -> pd.DataFrame:
        if self._until is None:
            return frame
        column, moment = self._until
        kept = frame[column] <= moment
        return frame if kept.all() else frame[kept]

    def _batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        try:
            yield from row_batches(self._file, _at_once(len(columns)), columns)
        except (pa.ArrowException, OSError) as err:
            raise self._damaged(err) from err

    def _damaged(self, err: Exception) -> StateError:
        return StateError(
            f"{self.path} cannot be read: {one_line(err)}; materialize that asset again"
        )


def group_rows(columns: int) -> int:
    """How many rows of so many columns a row group has at most."""
    return min(_GROUP, _at_once(columns))


def _at_once(columns: int) -> int:
    return min(ROWS, max(VALUES // max(columns, 1), 1))


AnyRows = pd.DataFrame | StoredRows


def frames_of(rows: AnyRows, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Frames with at least these columns, some rows at once: of a frame itself, if it has any."""
    if isinstance(rows, StoredRows):
        return rows.frames(columns)
    return iter([rows] if len(rows) else [])


def frame_of(rows: AnyRows, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Rows of either kind as one frame with at least these columns; with all if none are named."""
    return rows.frame(columns) if isinstance(rows, StoredRows) else rows


def some_of(rows: AnyRows, most: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The first five rows, at most so many from all over, and the last one; of a frame all."""
    if not isinstance(rows, StoredRows):
        return rows, rows, rows
    even = np.arange(0, rows.count, -(-rows.count // most) or 1)
    first, last = np.arange(min(5, rows.count)), np.array([rows.count - 1])
    head, sample, end = (rows.take(places, rows.columns) for places in (first, even, last))
    return head, sample, end


def newest_of(rows: AnyRows, column: str) -> pd.Timestamp | None:
    """The last moment in a column; None without rows."""
    return max((frame[column].max() for frame in frames_of(rows, [column])), default=None)


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
