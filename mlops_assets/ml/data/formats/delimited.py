"""Text files -> tables of strings, strictly: a file is read exactly as declared, or refused.

Every refusal names the file, the line where it is known, the value, and the remedy. Types, ranges
and missing values are the contract's business (`ml.data.contract`); here a value is just its
characters.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.csv as pa_csv

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.errors import SourceError
from mlops_assets.ml.data.formats.characters import NO_ROWS, clip, read_text, refuse

_DELIMITERS = (",", ";", "\t", "|", " ")


class TextFile(NamedTuple):
    """A file that passed every check that needs no table: decompressed, UTF-8, with its names."""

    where: str
    """The file's path, for messages."""
    names: list[str]
    body: bytes
    """The rows, without the header line."""
    first_line: int
    """Number of the body's first line in the file, from 1."""
    delimiter: str
    quoted: bool
    """Whether the body holds quotes, and so perhaps values with line breaks."""


def open_text(path: Path, source: SourceSettings, columns: Sequence[str]) -> TextFile:
    """Read and check one file of format csv or whitespace, up to its header.

    Args:
        path: Ends in .gz, .bz2, .xz, .zst or .zip if it is compressed.
        source: How it is written.
        columns: The names that are wanted, to tell a wrong delimiter by.

    Raises:
        SourceError: The file cannot be read as declared.
    """
    where = str(path)
    data = read_text(path, source.encoding)
    if data.startswith((b'{"', b'[{"')):
        refuse(where, f"begins with {data[:8]!r}, so it is JSON. Set `source.format: jsonl`")
    _check_end(data, where, source)
    data, before = _from_header(data, where, source)
    whitespace = source.format == "whitespace"
    quoted = not whitespace and b'"' in data
    if source.trim and quoted:
        refuse(where, "has quotes, within which blanks may count. Remove `source.trim`")
    if not quoted:
        data = _plain_blanks(_plain_lines(data, where, before), source)
    delimiter = " " if whitespace else source.delimiter
    first, _, rest = data.partition(b"\n")
    header = f"line {before + 1}"
    fields = _split(first.decode(), delimiter, where, header)
    if source.columns:
        names, body, first_line = list(source.columns), data, before + 1
        if fields == names:
            refuse(where, f"{header} is a header, {fields!r}. Remove `source.columns`")
    else:
        names, body, first_line = fields, rest, before + 2
    _check_delimiter(first.decode(), fields, source, columns, f"{where}: {header}")
    if not set(names) & set(columns):
        said = f"{header} has none of the columns {list(columns)}: {clip(first.decode())}"
        remedy = "If it is a row, name the columns in `source.columns`; if the header stands below"
        refuse(where, f"{said}. {remedy}, say how many lines are above it by `source.skip_rows`")
    if not body:
        refuse(where, f"only the header {first.decode()!r} and no rows. {NO_ROWS}")
    return TextFile(where, names, body, first_line, delimiter, quoted)


def _from_header(data: bytes, where: str, source: SourceSettings) -> tuple[bytes, int]:
    data, before = without_preamble(data, source.skip_rows, source.comment)
    if not data:
        refuse(where, f"has no line beside the {before} that `source` skips. Correct it")
    return data, before


def without_preamble(data: bytes, skip_rows: int, comment: str) -> tuple[bytes, int]:
    """The text from its header on, and how many lines stand before that."""
    start = lines = 0
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        line = data[start:end]
        is_comment = comment and (line.startswith(comment.encode()) or not line.strip())
        if lines >= skip_rows and not is_comment:
            break
        start, lines = end, lines + 1
    return data[start:], lines


def parse_text(file: TextFile, keep: Sequence[str], missing: Sequence[str]) -> pa.Table:
    """The rows of `file` as strings, null where the text is one of `missing`.

    Args:
        file: From `open_text`; its names must be unique.
        keep: Columns of the result, in order.
        missing: Texts that mean: no value.

    Raises:
        SourceError: A row is too short or too long, or a quote is not closed.
    """
    if file.quoted:
        check_quotes(file)
    elif len(file.names) > 1:
        _check_lines(file)
    try:
        return _parse(file, keep, missing, careful=False)
    except pa.ArrowInvalid:
        # Four times slower, but knows the row's number and has no limit on its length.
        return _parse(file, keep, missing, careful=True)


def cut(file: TextFile, size: int) -> Iterator[TextFile]:
    """The same rows as several files, each of some `size` bytes, cut where a row ends."""
    start, line = 0, file.first_line
    while start < len(file.body):
        end = _row_end(file, start, start + size)
        body = file.body[start:end]
        yield file._replace(body=body, first_line=line)
        start, line = end, line + body.count(b"\n")


def _row_end(file: TextFile, start: int, least: int) -> int:
    """Where the first row after `least` begins; a line break between quotes ends none."""
    counted, inside = start, False
    while True:
        end = file.body.find(b"\n", max(least, counted)) + 1
        if not end:
            return len(file.body)
        inside ^= file.quoted and file.body.count(b'"', counted, end) % 2 == 1
        if not inside:
            return end
        counted = end


def _parse(
    file: TextFile, keep: Sequence[str], missing: Sequence[str], *, careful: bool
) -> pa.Table:
    refused: list[Any] = []

    def refuse(row: Any) -> str:
        refused.append(row)
        return "error"

    size = min(len(file.body) + 1, 2**31 - 1) if careful else 2**20
    try:
        return pa_csv.read_csv(
            pa.BufferReader(file.body),
            read_options=pa_csv.ReadOptions(
                column_names=file.names, use_threads=not careful, block_size=size
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=file.delimiter,
                quote_char='"' if file.quoted else False,
                newlines_in_values=file.quoted,
                ignore_empty_lines=False,
                invalid_row_handler=refuse,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(file.names, pa.string()),
                include_columns=list(keep),
                null_values=list(missing),
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as err:
        if not careful:
            raise
        if not refused:
            raise SourceError(f"{file.where}: {err}. Correct the file.") from err
        row = refused[0]
        kind = "row" if file.quoted else "line"
        number = row.number + file.first_line - 1
        raise SourceError(
            f"{file.where}: {kind} {number} has {row.actual_columns} values instead of "
            f"{row.expected_columns}: {clip(row.text)}. Correct or delete it; if many lines are "
            f"like it, check `source.delimiter` (now {file.delimiter!r}) and `source.columns`."
        ) from err


def _plain_blanks(data: bytes, source: SourceSettings) -> bytes:
    """One blank for many where they delimit; none beside delimiters where `trim` is set."""
    if source.format == "whitespace":
        return b"\n".join(b" ".join(line.split()) for line in data.split(b"\n"))
    if not source.trim:
        return data
    mark = re.escape(source.delimiter.encode())
    return re.sub(rb" *(" + mark + rb"|\n) *", rb"\1", data).strip(b" ")


def _check_end(data: bytes, where: str, source: SourceSettings) -> None:
    if source.final_newline == "required" and not data.endswith((b"\n", b"\r")):
        line = data.count(b"\n") + 1
        last = re.split(rb"[\r\n]", data)[-1].decode()
        refuse(
            where,
            f"line {line}, the last, does not end: {clip(last)}. The file may "
            "have been cut; fetch it again, or set `source.final_newline: optional`",
        )


def _plain_lines(data: bytes, where: str, before: int) -> bytes:
    """Line feeds as the only line ends; there is no quote, so no value can hold one."""
    if b"\r" not in data:
        return data
    data = data.replace(b"\r\n", b"\n")
    if (at := data.find(b"\r")) >= 0:
        line = data.count(b"\n", 0, at) + before + 1
        refuse(where, f"line {line}: a lone carriage return '\\r'. Convert the line ends to '\\n'")
    return data


def _split(line: str, delimiter: str, where: str, header: str) -> list[str]:
    """The fields of a first line."""
    if delimiter == " ":
        return line.split()
    try:
        return next(_csv_rows([line], delimiter), [])
    except csv.Error as err:
        return refuse(where, f"{header}: {clip(line)} is no row ({err}). Correct its quotes")


def _csv_rows(lines: Sequence[str], delimiter: str) -> Any:
    """Python's own reader, with a value's length as the only limit that its file has."""
    csv.field_size_limit(2**31 - 1)  # of the whole process; 131,072 characters by default
    return csv.reader(lines, delimiter=delimiter, strict=True)


def _check_delimiter(
    line: str, fields: Sequence[str], source: SourceSettings, columns: Sequence[str], where: str
) -> None:
    """Refuse a first line that another delimiter splits better into what is wanted."""

    def score(parts: Sequence[str]) -> int:
        if source.columns:
            return int(len(parts) == len(source.columns))
        return len({part.strip('" ') for part in parts} & set(columns))

    best = max(_DELIMITERS, key=lambda d: score(line.split() if d == " " else line.split(d)))
    parts = line.split() if best == " " else line.split(best)
    if score(parts) <= score(fields):
        return
    spaced = source.format == "whitespace"
    remedy = "source.format: whitespace" if best == " " else f"source.delimiter: {best!r}"
    used = "white space" if spaced else repr(source.delimiter)
    refuse(
        where,
        f"not delimited by {used}: {clip(line)}. "
        f"Set {'`source.format: csv` and ' if spaced else ''}`{remedy}`; if the model's other "
        f"files are as declared, delimit this one by {used}, or score it as Parquet or JSON lines",
    )


def _check_lines(file: TextFile) -> None:
    """Refuse an empty line, which pyarrow would fill with missing values."""
    if (at := (b"\n" + file.body).find(b"\n\n")) >= 0:
        line = file.first_line + file.body.count(b"\n", 0, at)
        refuse(file.where, f"line {line} is empty. Delete it, or fetch the file again")


def check_quotes(file: TextFile) -> None:
    """Refuse what pyarrow would repair or fill in silently: text after a quote, an empty row.

    Raises:
        SourceError: With the number of the line.
    """
    lines = list(io.StringIO(file.body.decode(), newline=""))
    reader = _csv_rows(lines, file.delimiter)
    start = 0
    try:
        for row in reader:
            if not row and len(file.names) > 1:
                line = file.first_line + start
                refuse(file.where, f"line {line} is empty. Delete it, or fetch the file again")
            start = reader.line_num
    except csv.Error as err:
        raise SourceError(
            f"{file.where}: line {file.first_line + start}: a quote is misplaced or not closed "
            f"({err}): {clip(lines[start])}. Double the quotes inside a value."
        ) from err
