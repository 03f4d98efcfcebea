"""A sample of JSON lines or Parquet -> columns of texts, inner objects by one level."""

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute

from mlops_assets.errors import SourceError
from mlops_assets.init.reading.files.sampling import TextSample
from mlops_assets.ml.data.formats.characters import clip

pc: Any = pyarrow.compute  # makes its functions when imported: unknown to type checkers

_MOST_FIELDS = 20


def parse_json(sample: TextSample, nested: dict[str, str]) -> dict[str, pa.Array]:
    """Source name -> texts; adds to `nested` what is no single value, and why.

    Raises:
        SourceError: A line is no JSON object.
    """
    # Of a part of a file it is not known which line it begins with.
    places = f"{sample.path}: line {{}}" if sample.whole else f"{sample.path}"
    rows = [
        _json_row(line, places.format(number), nested)
        for number, line in enumerate(sample.data.split(b"\n"), 1)
        if line.strip()
    ]
    names = list(dict.fromkeys(name for row in rows for name in row if name not in nested))
    return {name: pa.array([row.get(name) for row in rows], pa.string()) for name in names}


def _json_row(line: bytes, place: str, nested: dict[str, str]) -> dict[str, str | None]:
    text = line.decode(errors="replace")
    try:
        row = json.loads(line)
    except ValueError as err:
        said = str(err)
        if isinstance(err, json.JSONDecodeError):  # which would speak of a line of its own
            said = f"{err.msg} at its {err.colno}. character"
        raise SourceError(f"{place}: {clip(text)} is no JSON ({said}); correct it") from err
    if not isinstance(row, dict):
        raise SourceError(f"{place}: {clip(text)} is no JSON object; write one a line")
    found: dict[str, str | None] = {}
    for name, value in row.items():
        inner = value if isinstance(value, dict) else {}
        for key, part in inner.items():
            found |= _json_value(f"{name}.{key}", part, nested)
        if not inner:
            found |= _json_value(name, value, nested)
    return found


def _json_value(name: str, value: Any, nested: dict[str, str]) -> dict[str, str | None]:
    if isinstance(value, list | dict):
        nested[name] = f"a JSON {type(value).__name__} is no single value"
        return {}
    if value is None:
        return {name: None}
    return {name: value if isinstance(value, str) else json.dumps(value)}


def flattened(table: pa.Table, nested: dict[str, str]) -> Iterable[tuple[str, pa.Array]]:
    """Name and texts of every column of values; structs of few fields by one level."""
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if pa.types.is_struct(kind) and kind.num_fields <= _MOST_FIELDS:
            for at in range(kind.num_fields):
                inner = pc.struct_field(column, at)
                yield from _spelled(f"{name}.{kind.field(at).name}", inner, nested)
        else:
            yield from _spelled(name, column, nested)


def _spelled(
    name: str, column: pa.ChunkedArray, nested: dict[str, str]
) -> Iterable[tuple[str, pa.Array]]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        column = column.cast(pa.timestamp(kind.unit, "UTC"))  # one offset, whatever the season
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        nested[name] = f"{kind} is no column of single values"
        return
    if pa.types.is_time(kind) or pa.types.is_duration(kind):  # the contract has no such type
        nested[name] = f"{kind} is no column of moments; write it as a number, e.g. of hours"
        return
    if pa.types.is_uint64(kind) and (pc.max(column).as_py() or 0) >= 2**63:
        nested[name] = (
            "whole numbers of 2**63 and more, which no contract reads; store them as text"
        )
        return
    if pa.types.is_floating(kind) and _are_whole(column):
        column = column.cast(pa.int64())  # 1.7e12 with all its digits
    try:
        texts = column.cast(pa.string()).combine_chunks()
    except pa.ArrowException:
        nested[name] = f"{kind} is no column of numbers, texts, booleans or moments"
        return
    yield name, texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def _are_whole(numbers: pa.ChunkedArray) -> bool:
    """Whether each is a whole number that a float keeps exactly."""
    known = numbers.drop_null().cast(pa.float64())
    whole = pc.and_(pc.equal(pc.floor(known), known), pc.less(pc.abs(known), 2.0**53))
    return bool(pc.all(whole).as_py())
