"""Files -> one table after another, for what need not be in memory at once.

The rows are those of `reading.read_table`, and as strictly read. Parquet is read by its row groups;
of texts one file at a time is in memory, as its bytes, and a piece of it as a table.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.ml.data.formats.delimited import cut, open_text, parse_text
from mlops_assets.ml.data.formats.json_lines import JsonLines
from mlops_assets.ml.data.formats.parquet import ParquetTable
from mlops_assets.ml.data.formats.workbook import open_sheet
from mlops_assets.ml.data.reading import (
    Extra,
    folder_values,
    match_columns,
    one_table,
    require_same_columns,
    with_folders,
)

ROWS = 131_072
"""Of a Parquet file at once."""
_PIECE = 8_000_000
"""Bytes of a text at once."""
_FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), "excel"),
}
_ARCHIVES = (".gz", ".bz2", ".xz", ".zst", ".zip")
_ROW_BYTES, _PACKED_ROW_BYTES = 40, 8
"""Of a short event in a text, and in a compressed one."""


class TableFiles:
    """Files of one table: the columns that are wanted of them, batch by batch."""

    def __init__(
        self, files: Sequence[Path], source: SourceSettings, columns: Sequence[str]
    ) -> None:
        """Nothing is read yet.

        Args:
            files: In order; each is read as its name says, else as `source` does.
            source: How a text is written: encoding, delimiter, marks, missing texts.
            columns: The source's names of those that are wanted, in order.
        """
        self._files, self._columns = files, columns
        self._source = source
        self.ignored: dict[str, None] = {}
        """Other columns, of the files that were opened by now."""

    def __iter__(self) -> Iterator[tuple[pa.Table, SourceSettings]]:
        """Each batch, and how it was written; `SourceError` of what cannot be read as declared."""
        for path in self._files:
            source = as_named(path, self._source)
            names, tables = _opened(path, source, self._columns, "drop")
            self.ignored |= dict.fromkeys(name for name in names if name not in self._columns)
            for table in tables:
                yield table, source


def read_batches(
    files: Sequence[Path], source: SourceSettings, columns: Sequence[str], extra: Extra
) -> Iterator[pa.Table]:
    """All rows of the files of a source, as `read_table` reads them, with one schema.

    Raises:
        SourceError: As `read_table`.
    """
    names: dict[str, Sequence[str]] = {}
    schema = _one_schema(files, source, columns, extra)
    for path in files:
        said = folder_values(path, source, columns, extra)
        inside = [name for name in columns if name not in said]
        found, tables = _opened(path, source, inside, extra)
        names[str(path)] = [*found, *said]
        require_same_columns(names, source)
        for table in tables:
            whole = with_folders(table, said, source, columns)
            differs = schema is not None and whole.schema != schema
            yield one_table([schema.empty_table(), whole], str(path)) if differs else whole


def _one_schema(
    files: Sequence[Path], source: SourceSettings, columns: Sequence[str], extra: Extra
) -> pa.Schema | None:
    """Of all files together, where they have types; None for texts."""
    if source.format != "parquet" or len(files) < 2:
        return None
    tables = {}
    for path in files:
        said = folder_values(path, source, columns, extra)
        stored = ParquetTable(path)
        keep = [name for name in columns if name not in said]
        keep = match_columns(stored.names, keep, extra, str(path))
        tables[path] = with_folders(stored.no_rows(keep), said, source, columns)
    return one_table([*tables.values()], str(files[0])).schema


def _opened(
    path: Path, source: SourceSettings, columns: Sequence[str], extra: Extra
) -> tuple[Sequence[str], Iterator[pa.Table]]:
    """The names of all columns of one file, and its rows batch by batch."""
    if source.format == "parquet":
        stored = ParquetTable(path)
        keep = match_columns(stored.names, columns, extra, str(path))
        return stored.names, stored.batches(keep, ROWS)
    if source.format == "jsonl":
        lines = JsonLines(path, source.encoding)
        keep = match_columns(lines.names, columns, extra, str(path))
        return lines.names, lines.batches(keep, source.missing)
    if source.format == "excel":
        sheet = open_sheet(path, source.sheet, source.skip_rows, source.columns)
        keep = match_columns(sheet.names, columns, extra, sheet.where)
        return sheet.names, iter([sheet.table(keep, source.missing)])
    text = open_text(path, source, columns)
    keep = match_columns(text.names, columns, extra, str(path))
    return text.names, (parse_text(piece, keep, source.missing) for piece in cut(text, _PIECE))


def about_rows(files: Sequence[Path], source: SourceSettings) -> int:
    """How many rows files have: of Parquet as it says, of others by their bytes, rather too many.

    Raises:
        SourceError: It is no Parquet.
    """
    if source.format == "parquet":
        return sum(ParquetTable(path).count for path in files)
    return sum(
        path.stat().st_size // (_PACKED_ROW_BYTES if path.suffix in _ARCHIVES else _ROW_BYTES)
        for path in files
    )


def as_named(path: Path, source: SourceSettings) -> SourceSettings:
    """How a file is written: its format as the end of its name says, the rest as the source's."""
    ends = [suffix.lower() for suffix in path.suffixes]
    if ends and ends[-1] in _ARCHIVES:
        ends.pop()
    named = _FORMATS.get(ends[-1] if ends else "", source.format)
    if named == "csv" and source.format == "whitespace":
        named = "whitespace"
    place = {} if named == source.format else {"sheet": "", "skip_rows": 0, "comment": ""}
    return source.model_copy(update={"format": named, **place})
