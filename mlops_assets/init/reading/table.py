"""A sample of any format -> columns of texts, and the same rows as files for a rehearsal.

Texts, whatever the format: one set of rules tells what a column is, as the product's own contract
reads most sources as texts too. What has no value is null; texts that mean none are `missing`.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from mlops_assets.errors import SourceError
from mlops_assets.init.questions import Answers
from mlops_assets.init.reading.column import with_hyphens
from mlops_assets.init.reading.dialect import UTF16, Dialect, find_dialect, find_marks, trimmed
from mlops_assets.init.reading.files.alike import require_same_columns
from mlops_assets.init.reading.files.found import (
    find_data,
    is_packed,
    is_parquet,
    is_workbook,
    partition_names,
    some_of,
)
from mlops_assets.init.reading.files.sampling import (
    ParquetSample,
    SheetSample,
    TextSample,
    head_of,
    rows_of_all,
    sample_parquet,
    sample_texts,
)
from mlops_assets.init.reading.objects import flattened, parse_json
from mlops_assets.init.reading.preamble import require_no_footer, require_rows
from mlops_assets.init.reading.workbook import columns_of, find_place, sample_sheet
from mlops_assets.ml.data.formats.delimited import TextFile, check_quotes
from mlops_assets.ml.data.sources import partitions_of, stored_name

pc: Any = pyarrow.compute  # makes its functions when imported: unknown to type checkers


class Table(NamedTuple):
    """A bounded sample of a source."""

    source: dict[str, Any]
    """The YAML's block."""
    columns: dict[str, pa.Array]
    """Source name -> texts."""
    nested: dict[str, str]
    """Source name -> why it is no column of values."""
    samples: Sequence[TextSample | ParquetSample | SheetSample]
    rows: int
    """Looked at."""
    of_rows: int
    """Of the whole source; an estimate unless `whole`."""
    whole: bool
    decimal: str = "."
    thousands: str | None = None
    sample_rows: Sequence[int] = ()
    """Rows of each of the samples."""

    @property
    def looked_at(self) -> str:
        """How many rows, of how many."""
        if self.whole:
            return f"all {self.rows} rows"
        if self.of_rows > self.rows:
            return f"{self.rows} of about {self.of_rows} rows"
        return f"the first {self.rows} rows"

    def written_source(self, source: dict[str, Any]) -> dict[str, Any]:
        """The YAML's block for what `write` writes: not compressed, and of a workbook as CSV."""
        if source.get("format") != "excel":
            return source
        return {key: source[key] for key in source.keys() & {"uri", "missing", "partitions"}}

    def write(self, folder: Path) -> list[Path]:
        """Write the sample as `written_source` is; its files."""
        written = []
        for number, sample in enumerate(self.samples):
            file = folder / stored_name(sample.path, self.source.get("partitions", ()))
            file = file.with_name(f"{number}-{sample.path.name.split('.')[0]}.part")
            file.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(sample, TextSample):
                file.write_bytes(sample.as_written)
            elif isinstance(sample, SheetSample):
                pa_csv.write_csv(sample.table, file)
            else:
                pq.write_table(sample.table, file)
            written.append(file)
        return written

    def named(self, said: str, written: Sequence[Path]) -> str:
        """A message of what was written, with the files of the source in place of those."""
        for sample, file in zip(self.samples, written, strict=True):
            said = said.replace(str(file), str(sample.path) if "uri" in self.source else "the rows")
        return said


def read_sample(data: str, target: str, answers: Answers) -> Table:
    """Look at a bounded part of a source.

    Raises:
        SourceError: It is no table that can be read.
        UndecidedError: It can be read in several ways.
    """
    uri, files = find_data(data)
    if is_workbook(files[0]):
        table = _workbook(uri, files, target, answers)
    elif is_parquet(files[0], head_of(files[0])):
        table = _parquet_table(uri, files)
    else:
        table = _text(uri, files, target, answers)
    if not table.rows:
        raise SourceError(f"{files[0]}: only a header and no rows; fetch the file again")
    return _with_partitions(table, files)


def _with_partitions(table: Table, files: Sequence[Path]) -> Table:
    """With what the names of the folders say of the rows, if those of every file do."""
    names = [name for name in partition_names(files) if name not in table.columns]
    if not names:
        return table
    said = [partitions_of(sample.path, names) for sample in table.samples]
    texts = {
        name: pa.concat_arrays(
            [
                pa.repeat(pa.scalar(one[name] or None, pa.string()), rows)
                for one, rows in zip(said, table.sample_rows, strict=True)
            ]
        )
        for name in names
    }
    source = {**table.source, "partitions": names}
    return table._replace(source=source, columns={**table.columns, **texts})


def _workbook(uri: str, files: Sequence[Path], target: str, answers: Answers) -> Table:
    place = find_place(files[0], target, answers)
    samples = [sample_sheet(path, place) for path in some_of(files)]
    require_same_columns([(one.path, one.table.column_names) for one in samples])
    columns = columns_of(samples)
    said = {
        "sheet": place.sheet,
        "skip_rows": place.skip_rows,
        "columns": list(place.columns),
    }
    source = {"uri": uri, "format": "excel", **{key: one for key, one in said.items() if one}}
    rows = len(next(iter(columns.values())))
    whole = len(samples) == len(files) and all(one.whole for one in samples)
    of_rows = rows if whole else rows_of_all(samples, len(files))
    lengths = [one.table.num_rows for one in samples]
    return Table(source, columns, {}, samples, rows, of_rows, whole, sample_rows=lengths)


def _parquet_table(uri: str, files: Sequence[Path]) -> Table:
    samples = sample_parquet(files)
    require_same_columns([(one.path, one.table.column_names) for one in samples])
    columns: dict[str, list[pa.Array]] = {}
    nested: dict[str, str] = {}
    for sample in samples:
        for name, column in flattened(sample.table, nested):
            columns.setdefault(name, []).append(column)
    lengths = [one.table.num_rows for one in samples]
    rows = sum(lengths)
    whole = len(samples) == len(files) and all(one.whole for one in samples)
    of_rows = rows if whole else rows_of_all(samples, len(files))
    joined = {name: with_hyphens(pa.concat_arrays(parts)) for name, parts in columns.items()}
    source = {"uri": uri, "format": "parquet"}
    return Table(source, joined, nested, samples, rows, of_rows, whole, sample_rows=lengths)


def _text(uri: str, files: Sequence[Path], target: str, answers: Answers) -> Table:
    head = head_of(files[0])
    dialect = find_dialect(files[0], head, target, answers)
    lines_are_rows = dialect.format != "csv" or not _has_breaks(head, dialect)
    header = dialect.format != "jsonl" and not dialect.columns
    samples = sample_texts(
        files, len(dialect.names) or 20, header=header, lines_are_rows=lines_are_rows
    )
    if dialect.format == "csv" and dialect.encoding != UTF16:
        if header:
            require_same_columns([(one.path, dialect.header(one.data)) for one in samples])
        width = len(dialect.columns or dialect.names)
        for plain in (one.path for one in samples if not is_packed(one.path)):
            require_no_footer(plain, dialect.encoding, dialect.delimiter, width)
    nested: dict[str, str] = {}
    if dialect.format == "jsonl":
        parts = [parse_json(sample, nested) for sample in samples]
    else:
        parts = [_parse_csv(sample, dialect) for sample in samples]
        for sample, part in zip(samples, parts, strict=True):
            line = _first_line(sample, part, dialect)
            require_rows(sample.path, part, line, alone=len(files) == 1)
    require_same_columns([(s.path, list(p)) for s, p in zip(samples, parts, strict=True)])
    columns = {
        name: with_hyphens(pa.concat_arrays([part[name] for part in parts])) for name in parts[0]
    }
    rows = len(next(iter(columns.values())))
    whole = len(samples) == len(files) and all(one.whole for one in samples)
    decimal, thousands = (".", None)
    if dialect.format != "jsonl":
        decimal, thousands = find_marks(columns, dialect.delimiter, answers)
    source = _source(uri, dialect, decimal, thousands) | _final_newline(samples)
    of_rows = rows if whole else rows_of_all(samples, len(files))
    lengths = [len(next(iter(part.values()))) for part in parts]
    return Table(
        source, columns, nested, samples, rows, of_rows, whole, decimal, thousands, lengths
    )


def _first_line(sample: TextSample, part: dict[str, pa.Array], dialect: Dialect) -> int | None:
    """The line of the first row, if rows are lines of a file that was looked at as a whole."""
    line = dialect.skip_rows + (0 if dialect.columns else 1) + 1
    lines = sample.data.count(b"\n") + (not sample.data.endswith(b"\n"))
    rows = len(next(iter(part.values())))
    return line if sample.whole and lines == rows + line - 1 else None


def _source(uri: str, dialect: Dialect, decimal: str, thousands: str | None) -> dict[str, Any]:
    """The YAML's block, without what is the default."""
    said = {
        "format": dialect.format,
        "delimiter": dialect.delimiter if dialect.format == "csv" else ",",
        "trim": dialect.trim,
        "comment": dialect.comment,
        "skip_rows": 0 if dialect.comment else dialect.skip_rows,
        "encoding": dialect.encoding,
        "decimal": decimal,
        "thousands": thousands or "",
        "columns": list(dialect.columns),
    }
    usual = {"format": "csv", "delimiter": ",", "encoding": "utf-8", "decimal": "."}
    kept = {key: value for key, value in said.items() if value and value != usual.get(key)}
    return {"uri": uri, **kept}


def _final_newline(samples: Sequence[TextSample]) -> dict[str, str]:
    cut = [one for one in samples if one.whole and not one.data.endswith(b"\n")]
    return {"final_newline": "optional"} if cut else {}


def _has_breaks(head: bytes, dialect: Dialect) -> bool:
    """Whether a quoted value holds a line break, as far as the head tells."""
    text = dialect.text(head)
    return any(line.count('"') % 2 for line in text.split("\n")[:-1])


def _parse_csv(sample: TextSample, dialect: Dialect) -> dict[str, pa.Array]:
    text = dialect.text(sample.data)
    if dialect.format == "whitespace":
        text = "\n".join(" ".join(line.split()) for line in text.splitlines())
    elif sample.whole and '"' in text:
        line, names, body = dialect.skip_rows + 1, list(dialect.names), text.encode()
        check_quotes(TextFile(str(sample.path), names, body, line, dialect.delimiter, quoted=True))
    if dialect.trim:
        text = trimmed(text, dialect.delimiter)
    wrong: list[Any] = []

    def skip(row: Any) -> str:
        wrong.append(row)
        return "skip"

    names = list(dialect.columns) or None
    try:
        table = pa_csv.read_csv(
            io.BytesIO(text.encode()),
            read_options=pa_csv.ReadOptions(
                column_names=names, use_threads=False, block_size=len(text) * 4 + 1
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=dialect.delimiter,
                newlines_in_values='"' in text,
                invalid_row_handler=skip,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names or dialect.names, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except (pa.ArrowException, KeyError) as err:
        raise SourceError(f"{sample.path}: {err}; correct the file") from err
    if wrong:
        row = wrong[0]
        raise SourceError(
            f"{sample.path}: {len(wrong)} of the rows looked at have another number of values than "
            f"the header's {row.expected_columns}, e.g. {row.actual_columns} in {row.text[:80]!r}; "
            "correct or delete them"
        )
    if doubled := sorted({n for n in table.column_names if table.column_names.count(n) > 1}):
        raise SourceError(f"{sample.path}: the columns {doubled} occur twice; rename one")
    texts = [column.cast(pa.string()).combine_chunks() for column in table.columns]
    return dict(zip(table.column_names, texts, strict=True))
