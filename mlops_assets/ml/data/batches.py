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
from mlops_assets.ml.data.reading import match_columns

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
            for table in self._batches(path, source):
                yield table, source

    def _batches(self, path: Path, source: SourceSettings) -> Iterator[pa.Table]:
        if source.format == "parquet":
            stored = ParquetTable(path)
            return stored.batches(self._match(stored.names, path), ROWS)
        if source.format == "jsonl":
            lines = JsonLines(path, source.encoding)
            return lines.batches(self._match(lines.names, path), source.missing)
        if source.format == "excel":
            sheet = open_sheet(path, source.sheet, source.skip_rows, source.columns)
            return iter([sheet.table(self._match(sheet.names, path), source.missing)])
        text = open_text(path, source, self._columns)
        keep = self._match(text.names, path)
        return (parse_text(piece, keep, source.missing) for piece in cut(text, _PIECE))

    def _match(self, names: Sequence[str], path: Path) -> list[str]:
        keep = match_columns(names, self._columns, "drop", str(path))
        self.ignored |= dict.fromkeys(name for name in names if name not in keep)
        return keep


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
