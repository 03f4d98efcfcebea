"""Files of one JSON object a line -> tables of strings, each value as it is written there.

An object inside a row is flattened one level: its fields are columns `object.field`. A field that a
line lacks, and null, are no value.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute

from mlops_assets.ml.data.formats.characters import clip, read_text, refuse

pc: Any = pyarrow.compute  # makes its functions when imported: unknown to type checkers

Row = dict[str, msgspec.Raw]

_LINES = 20_000
"""Of which the values are in memory as Python objects at once."""
_DECODER = msgspec.json.Decoder(Row)
_NULL = b"null"


class JsonLines:
    """One file: its columns, and its rows."""

    def __init__(self, path: Path, encoding: str) -> None:
        """Read the file, and look at each line once.

        Raises:
            SourceError: It cannot be read as declared.
        """
        self._where = str(path)
        data = read_text(path, encoding)
        if data.lstrip().startswith(b"["):
            refuse(self._where, "a JSON array. Write one object a line, e.g. by `jq -c '.[]'`")
        self._lines = data.removesuffix(b"\n").split(b"\n")
        self._fields = self._look_at_fields()

    @property
    def names(self) -> list[str]:
        """All columns, in the order of the lines that they are first in."""
        return [name for field, inside in self._fields.items() for name in inside or [field]]

    def table(self, keep: Sequence[str], missing: Sequence[str]) -> pa.Table:
        """The columns `keep` as strings, null where there is no value or one of `missing`.

        Raises:
            SourceError: A value is a list, or an object beside plain ones.
        """
        return pa.concat_tables(self.batches(keep, missing))

    def batches(self, keep: Sequence[str], missing: Sequence[str]) -> Iterator[pa.Table]:
        """The same rows, some at once; raises what `table` raises."""
        for start in range(0, len(self._lines), _LINES):
            rows = [row for _, _, row in self._rows(start, start + _LINES)]
            columns = {name: self._column(rows, name, start) for name in keep}
            yield pa.table({n: _without(c, missing) for n, c in columns.items()})

    def _look_at_fields(self) -> dict[str, dict[str, None]]:
        """Field -> the columns inside it if it is an object, none of a plain one."""
        found: dict[str, dict[str, None]] = {}
        for _, line, row in self._rows(0, len(self._lines)):
            if not row.keys() <= found.keys():
                found |= {name: {} for name in row if name not in found}
            for name, value in row.items() if line.count(b"{") > 1 else ():
                if bytes(value)[:1] == b"{":
                    inside = _DECODER.decode(value)
                    found[name].update(dict.fromkeys(f"{name}.{one}" for one in inside))
        return found

    def _rows(self, start: int, stop: int) -> Iterator[tuple[int, bytes, Row]]:
        """Number from 1, text and fields of some lines."""
        for number, line in enumerate(self._lines[start:stop], start + 1):
            try:
                yield number, line, _DECODER.decode(line)
            except msgspec.MsgspecError as err:
                if not line.strip():
                    refuse(self._where, f"line {number} is empty. Delete it")
                said = f"line {number}: {clip(line.decode())} is no JSON object ({err})"
                refuse(self._where, f"{said}. Correct it, or fetch the file again")

    def _column(self, rows: Sequence[Row], name: str, start: int) -> pa.Array:
        """One column of rows, of which the first stands in line `start` + 1."""
        outer = next(field for field, inside in self._fields.items() if name in (inside or [field]))
        values = [bytes(row.get(outer, _NULL)) for row in rows]
        if self._fields[outer]:
            field = name.removeprefix(f"{outer}.")
            values = [self._inside(value, field, start + n) for n, value in enumerate(values, 1)]
        text = pa.array(values, pa.binary()).cast(pa.string())
        nested = pc.match_substring_regex(text, r"^[\[{]").to_numpy(zero_copy_only=False)
        if nested.any():
            place = int(nested.argmax())
            said = f"line {start + place + 1}: {name!r} is {clip(text[place].as_py())}"
            refuse(self._where, f"{said}, no plain value. Flatten it by a `source.loader`")
        return self._unquoted(text, start)

    def _inside(self, value: bytes, field: str, number: int) -> bytes:
        if value == _NULL:
            return value
        if value[:1] != b"{":
            said = f"line {number}: {clip(value.decode())} stands where other lines have an object"
            refuse(self._where, f"{said}. Correct it")
        return bytes(_DECODER.decode(value).get(field, _NULL))

    def _unquoted(self, text: pa.Array, start: int) -> pa.Array:
        """JSON's plain values as strings: what stands between quotes, numbers as written."""
        quoted = pc.starts_with(text, '"')
        plain = pc.if_else(quoted, pc.utf8_slice_codeunits(text, 1, -1), text)
        plain = pc.if_else(pc.equal(text, "null"), pa.scalar(None, pa.string()), plain)
        escaped = pc.and_(quoted, pc.match_substring(text, "\\")).to_numpy(zero_copy_only=False)
        if not escaped.any():
            return plain
        values = plain.to_numpy(zero_copy_only=False).copy()
        for place in map(int, np.flatnonzero(escaped)):
            written = text[place].as_py()
            try:
                values[place] = msgspec.json.decode(written)
            except msgspec.MsgspecError as err:
                said = f"line {start + place + 1}: {clip(written)} is no JSON text ({err})"
                refuse(self._where, f"{said}. Correct it")
        return pa.array(values, pa.string())


def _without(column: pa.Array, missing: Sequence[str]) -> pa.Array:
    gone = pc.is_in(column, pa.array(missing, pa.string()))
    return pc.if_else(gone, pa.scalar(None, pa.string()), column)
