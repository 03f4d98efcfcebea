"""A bounded sample of files: their heads, and of long plain texts blocks from all over.

Which files there are is `files`, what is in the bytes `dialect` and `table`; here a row is a line.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from mlops_assets.errors import SourceError
from mlops_assets.init.reading.files.found import is_packed, some_of
from mlops_assets.init.reading.files.opening import is_utf16, opened
from mlops_assets.ml.data.formats.characters import DAMAGED, NO_TEXT

HEAD = 1_000_000
"""Bytes that the dialect is told by."""
MOST_ROWS = 20_000
MOST_CELLS = 1_500_000
_BLOCKS = 24
_LONGEST_STREAM = 500_000_000
_FOREIGN = NO_TEXT | {
    (b"PK\x03\x04",): "an Excel workbook or a zip archive of another name; call it *.xlsx or *.zip",
    (b"\xd0\xcf\x11\xe0",): "an Excel workbook of another name; call it *.xls",
    (b"SQLite format 3\0",): "a SQLite database; export the table as CSV or Parquet",
}


class TextSample(NamedTuple):
    """Whole lines of one file, the first one first."""

    path: Path
    data: bytes
    """Of one that is UTF-16, as UTF-8."""
    rows: int
    """An estimate, of the whole file."""
    whole: bool
    utf16: bool = False

    @property
    def as_written(self) -> bytes:
        """In the encoding of the file."""
        return self.data.decode().encode("utf-16") if self.utf16 else self.data


class ParquetSample(NamedTuple):
    """Rows of one Parquet file, from its first row group and others."""

    path: Path
    table: pa.Table
    rows: int
    whole: bool


class SheetSample(NamedTuple):
    """The first rows of one workbook's sheet."""

    path: Path
    table: pa.Table
    """Of strings."""
    rows: int
    whole: bool


def head_of(path: Path) -> bytes:
    """The first bytes of a file, decompressed.

    Raises:
        SourceError: It is empty, cannot be read, or is no table that can be read.
    """
    try:
        with opened(path) as file:
            head = file.read(HEAD)
            head = (
                _whole_lines(head) if len(head) == HEAD and not head.startswith(b"PAR1") else head
            )
    except (*DAMAGED, OSError, pa.ArrowException) as err:
        raise SourceError(f"{path}: cannot be read: {err}; fetch the file again") from err
    if not head.strip():
        raise SourceError(f"{path}: the file is empty; fetch it again")
    if head.startswith(b"PAR1"):
        return head
    for starts, what in _FOREIGN.items():
        if head.startswith(starts):
            raise SourceError(f"{path}: begins with {head[:8]!r}, so it is {what}")
    if b"\0" in head[:1_000]:
        raise SourceError(
            f"{path}: holds NUL bytes, so it is no text, or UTF-16 without a byte order mark; "
            "convert it, e.g. by iconv -f UTF-16LE -t UTF-8"
        )
    return head


def sample_texts(
    files: Sequence[Path], columns: int, *, header: bool, lines_are_rows: bool
) -> list[TextSample]:
    """Lines of some of the files.

    Args:
        files: All of them.
        columns: Of a row: the more, the fewer rows are taken.
        header: Whether the first line of each is no row.
        lines_are_rows: False if a value may hold a line break; then only heads are taken.
    """
    chosen = some_of(files)
    rows = _bounded_rows(columns) // len(chosen)
    found = [_sample_text(path, rows, lines_are_rows=lines_are_rows) for path in chosen]
    return [one._replace(rows=one.rows - header) for one in found]


def sample_parquet(files: Sequence[Path]) -> list[ParquetSample]:
    """Rows of some of the files.

    Raises:
        SourceError: One is no readable Parquet file, or has no row.
    """
    chosen = some_of(files)
    found = [_sample_parquet(path, len(chosen)) for path in chosen]
    if empty := next((one for one in found if not one.rows), None):
        raise SourceError(f"{empty.path}: no rows; write the file again")
    return found


def rows_of_all(samples: Sequence[TextSample | ParquetSample | SheetSample], files: int) -> int:
    """An estimate of the rows of all files, from those that were looked at."""
    return sum(one.rows for one in samples) * files // len(samples)


def _bounded_rows(columns: int) -> int:
    return max(500, min(MOST_ROWS, MOST_CELLS // max(columns, 1)))


def _sample_text(path: Path, rows: int, *, lines_are_rows: bool) -> TextSample:
    head = head_of(path)
    width = max(1, len(head) // max(1, head.count(b"\n")))
    budget = max(rows * width, 20_000)
    utf16, size = is_utf16(path), path.stat().st_size
    packed = utf16 or is_packed(path)
    with opened(path) as file:
        start = file.read(2 * budget)
        if not (more := file.read(1)):
            return TextSample(path, start, _lines(start), whole=True, utf16=utf16)
        if not lines_are_rows:
            total = (4 if packed else 1) * size // width
            return TextSample(path, _whole_rows(start), total, whole=False, utf16=utf16)
        if packed:
            data, size = _strided(file, start + more, budget // _BLOCKS)
    if not packed:
        data, size = _blocks(path, size, budget)
    whole = not packed and len(data) == size
    rows = _lines(data) if whole else size * data.count(b"\n") // len(data)
    return TextSample(path, data, rows, whole=whole, utf16=utf16)


def _strided(file: IO[bytes], start: bytes, length: int) -> tuple[bytes, int]:
    """Blocks at even distances of a stream that can be read but once; and how long it is.

    Of what lies beyond half a gigabyte nothing is read.
    """
    first = max(start.find(b"\n"), start.rfind(b"\n", 0, length)) + 1
    kept, stride, at = [start[:first]], 1, length
    rest, number = start[length:], 1
    while at < _LONGEST_STREAM:
        block = rest[:length] if rest else b""
        rest = rest[length:]
        block += file.read(length - len(block))
        if not block:
            break
        at += len(block)
        if number % stride == 0:
            lines = block.partition(b"\n")[2]
            kept.append(lines[: lines.rfind(b"\n") + 1])
        if len(kept) > 2 * _BLOCKS:
            kept, stride = kept[::2], 2 * stride
        number += 1
    return b"".join(kept), at


def _blocks(path: Path, size: int, budget: int) -> tuple[bytes, int]:
    """The head, and whole lines at places spread evenly over the rest; and what they stand for.

    That is the size without the lines cut at those places: one of megabytes is like no other.
    """
    parts, end, cut = [], 0, 0
    with path.open("rb") as file:
        for number in range(_BLOCKS):
            place = max(end, size * number // _BLOCKS)
            file.seek(place)
            cut += len(file.readline()) if place > end else 0  # the rest of a row
            parts.append(file.read(budget // _BLOCKS) + file.readline())
            end = file.tell()
    return b"".join(parts), size - cut


def _lines(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n"))


def _whole_lines(data: bytes) -> bytes:
    end = data.rfind(b"\n")
    return data[: end + 1] if end >= 0 else data


def _whole_rows(data: bytes) -> bytes:
    """Without the last row if it was cut, also between two lines of a quoted value."""
    data = _whole_lines(data)
    while data.count(b'"') % 2 and b"\n" in data[:-1]:
        data = _whole_lines(data[:-1])
    return data


def _sample_parquet(path: Path, files: int) -> ParquetSample:
    try:
        with pq.ParquetFile(path) as file:
            rows = file.metadata.num_rows
            most = _bounded_rows(len(file.schema_arrow.names)) // files
            groups = sorted({0, file.num_row_groups // 2, file.num_row_groups - 1} - {-1})
            parts = [_first_rows(file, group, most // len(groups) or 1) for group in groups]
            if rows <= most:
                parts = [file.read()]
    except (pa.ArrowException, OSError) as err:
        raise SourceError(f"{path}: not a readable parquet file ({err}); write it again") from err
    table = pa.concat_tables(parts) if parts else file.schema_arrow.empty_table()
    return ParquetSample(path, table, rows, whole=table.num_rows == rows)


def _first_rows(file: pq.ParquetFile, group: int, rows: int) -> pa.Table:
    batch = next(file.iter_batches(rows, row_groups=[group]), None)
    return file.schema_arrow.empty_table() if batch is None else pa.Table.from_batches([batch])
