"""Rows of Python values, batch by batch -> one Parquet file of them all; a batch is in memory.

What a column is made of is known once its last value was seen, since the first batches may hold no
value and numbers of few digits. So each batch is put aside as it is, and all of them are written
once they are there. The same rows in the same order give the same bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather

from mlops_assets.errors import SourceError
from mlops_assets.runtime.atomic import write_atomically

BATCH = 16_384
"""Rows at once."""
_KEPT = {bool, int, float, Decimal, str, datetime, date}
_AS_TEXT: Mapping[type, Callable[[Any], str]] = {UUID: str, time: time.isoformat}
_TOGETHER = {int, float}
"""Kinds that one column may have beside each other, as in sqlite."""


class RowFile:
    """What becomes a Parquet file once all rows were added."""

    def __init__(self, folder: Path, columns: Sequence[str], where: str) -> None:
        """Nothing is read or written yet.

        Args:
            folder: An empty one, where batches are put aside.
            columns: Names, in the order of a row's values.
            where: What the rows are of, for the message.
        """
        self._folder, self._columns, self._where = folder, list(columns), where
        self._batches: list[Path] = []
        self._schema = pa.schema([(name, pa.null()) for name in columns])
        self._kinds: dict[str, set[type]] = {name: set() for name in columns}

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Put a batch aside.

        Raises:
            SourceError: A value is of a kind that no column can have, or beside another kind.
            StateError: The disk is full.
        """
        arrays = [
            self._array(name, values)
            for name, values in zip(self._columns, zip(*rows, strict=True), strict=True)
        ]
        table = pa.table(arrays, names=self._columns)
        self._schema = pa.schema(
            [self._wider(*fields) for fields in zip(self._schema, table.schema, strict=True)]
        )
        batch = self._folder / f"{len(self._batches)}.arrow"
        write_atomically(batch, lambda new: feather.write_feather(table, str(new)))
        self._batches.append(batch)

    def write(self, file: Path) -> None:
        """Write what was added.

        Raises:
            SourceError: Nothing was, or a number does not fit the others of its column.
            StateError: The disk is full.
        """
        if not self._batches:
            raise SourceError(
                f"{self._where} has no row; look whether it was filled, or correct `source`"
            )
        write_atomically(file, self._write)

    def _write(self, file: Path) -> None:
        with pq.ParquetWriter(file, self._schema, compression="zstd") as writer:
            for batch in self._batches:
                table = feather.read_table(str(batch))
                try:
                    writer.write_table(table.cast(self._schema))
                except pa.ArrowInvalid as err:
                    raise SourceError(
                        f"{self._where}: numbers of one column do not fit each other: {err}; cast "
                        "them to one type in `source.query`"
                    ) from err
                batch.unlink()

    def _array(self, name: str, values: Sequence[Any]) -> pa.Array:
        kinds = self._kinds[name]
        kinds |= {*map(type, values)} - {type(None)}
        if other := sorted(kind.__name__ for kind in kinds - _KEPT - _AS_TEXT.keys()):
            raise self._refused(name, f"holds values of the kind {other[0]}")
        if len(kinds) > 1 and kinds != _TOGETHER:
            found = " and ".join(sorted(kind.__name__ for kind in kinds))
            raise self._refused(name, f"holds {found} beside each other")
        if spell := _AS_TEXT.get(next(iter(kinds), str)):
            return pa.array([None if v is None else spell(v) for v in values], pa.string())
        if kinds == {Decimal} and not all(v.is_finite() for v in values if v is not None):
            raise self._refused(name, "holds a decimal that is no finite number")
        try:
            return pa.array(values, self._moments(name, values) if datetime in kinds else None)
        except (pa.ArrowException, OverflowError, ValueError) as err:
            raise self._refused(name, f"holds what cannot be kept without loss ({err})") from err

    def _moments(self, name: str, values: Sequence[Any]) -> pa.DataType:
        """Local times or moments; pyarrow would take one for the other."""
        zoned = {value.tzinfo is not None for value in values if value is not None}
        if not zoned:
            return pa.null()
        if len(zoned) > 1:
            raise self._refused(name, "holds times with and without a zone beside each other")
        return pa.timestamp("us", "UTC" if zoned == {True} else None)

    def _wider(self, known: pa.Field, new: pa.Field) -> pa.Field:
        try:
            schemas = [pa.schema([known]), pa.schema([new])]
            return pa.unify_schemas(schemas, promote_options="permissive").field(0)
        except (pa.ArrowTypeError, pa.ArrowInvalid) as err:
            kinds = f"holds {known.type} and {new.type} beside each other"
            raise self._refused(known.name, kinds) from err

    def _refused(self, name: str, what: str) -> SourceError:
        return SourceError(
            f"{self._where}: the column {name!r} {what}; cast it in `source.query`, e.g. to text"
        )
