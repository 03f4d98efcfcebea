"""A sample of JSON lines -> columns of texts, the fields of inner objects by one level."""

import json
from typing import Any

import pyarrow as pa

from mlops_assets.errors import SourceError
from mlops_assets.init.reading.sampling import TextSample


def parse_json(sample: TextSample, nested: dict[str, str]) -> dict[str, pa.Array]:
    """Source name -> texts; adds to `nested` what is no single value, and why.

    Raises:
        SourceError: A line is no JSON object.
    """
    rows = [_json_row(line, sample, nested) for line in sample.data.splitlines() if line.strip()]
    names = list(dict.fromkeys(name for row in rows for name in row if name not in nested))
    return {name: pa.array([row.get(name) for row in rows], pa.string()) for name in names}


def _json_row(line: bytes, sample: TextSample, nested: dict[str, str]) -> dict[str, str | None]:
    try:
        row = json.loads(line)
    except ValueError as err:
        raise SourceError(f"{sample.path}: {line[:80]!r} is no JSON ({err}); correct it") from err
    if not isinstance(row, dict):
        raise SourceError(f"{sample.path}: {line[:80]!r} is no JSON object; write one a line")
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
