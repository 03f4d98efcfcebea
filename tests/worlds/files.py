"""A table as its owner would send it: in which format, and under which names of columns."""

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

FORMATS = ("csv", "csv", "csv", "semicolons", "utf-16", "jsonl", "nested jsonl")
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}
NAMINGS = ("{}", "{}", "{}", "Größe ({})", 'the "{}", 客户', " {} ", "{}.1", "a;b\t{}", "{{{}}}")
"""What the source calls a column."""

Row = Sequence[object]
"""Numbers, texts and None."""


def write(
    folder: Path, names: Sequence[str], rows: Iterable[Row], form: str, packing: str
) -> dict[str, Any]:
    """Write a table, whose names are the source's; returns the `source` of its YAML."""
    content, options = _WRITERS[form](names, rows)
    file = folder / f"table.txt{packing}"
    file.write_bytes(PACKERS[packing](content))
    return {"uri": str(file), **options}


def named(name: str, naming: str, form: str) -> str:
    """What the source calls a column in that format."""
    title = naming.format(name)
    return f"row.{title}" if form == "nested jsonl" else title


def _csv(names: Sequence[str], rows: Iterable[Row]) -> tuple[bytes, dict[str, Any]]:
    return _delimited(names, rows, ",", "."), {}


def _semicolons(names: Sequence[str], rows: Iterable[Row]) -> tuple[bytes, dict[str, Any]]:
    return _delimited(names, rows, ";", ","), {"delimiter": ";", "decimal": ",", "thousands": "."}


def _utf16(names: Sequence[str], rows: Iterable[Row]) -> tuple[bytes, dict[str, Any]]:
    text = _delimited(names, rows, "\t", ".").decode()
    return text.encode("utf-16"), {"delimiter": "\t", "encoding": "utf-16"}


def _delimited(names: Sequence[str], rows: Iterable[Row], delimiter: str, decimal: str) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(value, decimal) for value in row])
    return text.getvalue().encode()


def _cell(value: object, decimal: str) -> str:
    if value is None:
        return ""
    return repr(value).replace(".", decimal) if isinstance(value, float) else str(value)


def _jsonl(names: Sequence[str], rows: Iterable[Row]) -> tuple[bytes, dict[str, Any]]:
    lines = []
    for number, row in enumerate(rows):
        # Null in one line, left out in the next: both are no value.
        pairs = zip(names, row, strict=True)
        said = {name: value for name, value in pairs if number % 2 == 0 or value is not None}
        lines.append(json.dumps(said, ensure_ascii=number % 3 == 0))
    return "".join(f"{line}\n" for line in lines).encode(), {"format": "jsonl"}


def _nested(names: Sequence[str], rows: Iterable[Row]) -> tuple[bytes, dict[str, Any]]:
    content, options = _jsonl([name.removeprefix("row.") for name in names], rows)
    lines = content.decode().splitlines(keepends=False)
    return "".join(f'{{"row": {line}}}\n' for line in lines).encode(), options


_WRITERS: dict[str, Callable[..., tuple[bytes, dict[str, Any]]]] = {
    "csv": _csv,
    "semicolons": _semicolons,
    "utf-16": _utf16,
    "jsonl": _jsonl,
    "nested jsonl": _nested,
}
