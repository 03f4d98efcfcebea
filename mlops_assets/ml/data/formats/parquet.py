"""Parquet files -> tables whose physical types agree where their meaning does.

Of one glob, each file may have been written by another library or with other gaps: a category
beside texts, integers beside floats, a column without any value. No value changes its meaning, so
texts beside numbers, or local times beside those of a zone, stay an error. An object is flattened
one level: its fields are columns `object.field`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mlops_assets.errors import SourceError
from mlops_assets.ml.data.formats.characters import NO_ROWS
from mlops_assets.ml.stored_rows import row_batches


class ParquetTable:
    """One file: its columns, and its rows."""

    def __init__(self, path: Path) -> None:
        """Read the schema.

        Raises:
            SourceError: It is not there, or no Parquet file.
        """
        self._path = path
        try:
            known = pq.read_metadata(path)
        except FileNotFoundError as err:
            raise SourceError(f"{path}: there is no such file. Check `source.uri`.") from err
        except (pa.ArrowException, OSError) as err:
            raise self._unreadable(err) from err
        self._schema = known.schema.to_arrow_schema()
        self.names: list[str] = self._schema.empty_table().flatten().column_names
        """All columns, in their order."""
        self.count: int = known.num_rows
        """How many rows."""

    def table(self, keep: Sequence[str]) -> pa.Table:
        """The columns `keep`, in that order.

        Raises:
            SourceError: The file is damaged, or has no rows.
        """
        try:
            with pq.ParquetFile(self._path) as file:
                table = file.read(columns=self._needed(keep)).flatten().select(keep)
        except (pa.ArrowException, OSError) as err:
            raise self._unreadable(err) from err
        if not table.num_rows:
            raise self._empty()
        return _without_storage(table)

    def no_rows(self, keep: Sequence[str]) -> pa.Table:
        """A table of the same types."""
        return _without_storage(self._schema.empty_table().flatten().select(keep))

    def batches(self, keep: Sequence[str], rows: int) -> Iterator[pa.Table]:
        """The same rows, at most so many at once; raises what `table` raises."""
        try:
            with pq.ParquetFile(self._path) as file:
                if not file.metadata.num_rows:
                    raise self._empty()
                for batch in row_batches(file, rows, self._needed(keep)):
                    yield _without_storage(pa.Table.from_batches([batch]).flatten().select(keep))
        except (pa.ArrowException, OSError) as err:
            raise self._unreadable(err) from err

    def _needed(self, keep: Sequence[str]) -> list[str]:
        return [name for name in self._schema.names if _is_needed(name, keep)]

    def _empty(self) -> SourceError:
        return SourceError(f"{self._path}: no rows. {NO_ROWS}.")

    def _unreadable(self, err: Exception) -> SourceError:
        return SourceError(
            f"{self._path}: not a readable parquet file ({err}). Check `source.format`, "
            "or write the file again."
        )


def joined(tables: Sequence[pa.Table]) -> pa.Table:
    """All rows, in order, of tables with the same columns in the same order.

    Raises:
        ArrowInvalid: Two types of one column do not agree, or a value does not fit the wider one.
        ArrowTypeError: The same.
    """
    wider = [_wider([table.schema[place].type for table in tables]) for place in _places(tables)]
    widened = [
        table.cast(
            pa.schema(
                (field.name, become.get(field.type, field.type))
                for field, become in zip(table.schema, wider, strict=True)
            )
        )
        for table in tables
    ]
    return pa.concat_tables(widened, promote_options="permissive")


def _places(tables: Sequence[pa.Table]) -> range:
    return range(tables[0].num_columns)


def _is_needed(stored: str, keep: Sequence[str]) -> bool:
    return any(name == stored or name.startswith(f"{stored}.") for name in keep)


def _without_storage(table: pa.Table) -> pa.Table:
    """The same values, of types that say nothing of how they are stored."""
    plain = pa.schema([(field.name, _plain(field.type)) for field in table.schema])
    return table.replace_schema_metadata(None).cast(plain)


def _plain(kind: pa.DataType) -> pa.DataType:
    """A type that means the same, without what only says how it is stored."""
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.timestamp(kind.unit, "UTC")
    return kind


def _wider(kinds: Sequence[pa.DataType]) -> dict[pa.DataType, pa.DataType]:
    """What types of one column must become first, so that Arrow finds a common one for all."""
    dates = [kind for kind in kinds if pa.types.is_date(kind)]
    decimals = [kind for kind in kinds if pa.types.is_decimal(kind)]
    if dates and any(pa.types.is_timestamp(kind) and kind.tz is None for kind in kinds):
        return dict.fromkeys(dates, pa.timestamp("us"))
    if decimals and any(pa.types.is_integer(kind) for kind in kinds):
        finest = max(kind.scale for kind in decimals)
        return dict.fromkeys(decimals, pa.decimal256(76, finest))  # with room for any integer
    return {}
