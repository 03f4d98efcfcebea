"""What was published of an entity last as one row, beside Feast's cells, of which there are many.

`resources.online_table` writes both, and triggers forget the row of an entity when another program
writes to its cells: what is not here is read from there (`sqlite`).
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from struct import Struct
from typing import Any

from msgspec.json import Decoder

from mlops_assets.records.data import FeatureView, stored_name
from mlops_assets.serving.online.lookup import FeatureValue, Stored
from mlops_assets.serving.online.moments import parse

COLUMNS = (
    "(entity_key BLOB PRIMARY KEY, digest INTEGER, layout INTEGER, event_ts TEXT, numbers BLOB, "
    "texts BLOB) WITHOUT ROWID"
)
"""Digest: of what was published. Layout: `layout_of` the view. Numbers: the messages of
`resources.online_cells.numbers`. Texts: a JSON array. Both in the order of `in_order`."""
EVENTS = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}
"""What forgets a row -> which of the two versions of a cell says whose it is."""


_AT_ONCE = 512
"""Entities of one statement at most; a power of two."""


def rows_table(table: str) -> str:
    """What the table of rows is called beside Feast's `table`; both quoted."""
    return f'"mlops_rows {table[1:]}'


def trigger_of(event: str, table: str) -> str:
    """What the trigger on Feast's `table` is called; both quoted."""
    return f'"mlops_rows {event.lower()} {table[1:]}'


def in_order(view: FeatureView, dtype: str) -> list[str]:
    """The features of a type as they follow each other in a row."""
    return sorted((n for n, kind in view.features.items() if kind == dtype), key=stored_name)


def layout_of(view: FeatureView) -> int:
    """64 bits that say which features a row holds, and of which types."""
    features = {stored_name(name): dtype for name, dtype in view.features.items()}
    digest = hashlib.sha256(json.dumps(features, sort_keys=True).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


class EntityRows:
    """The rows of a view, of the features that it has."""

    def __init__(self, view: FeatureView, table: str) -> None:
        """Of Feast's `table`, quoted; nothing is read yet."""
        self._table = table
        numbers, texts = in_order(view, "float64"), in_order(view, "string")
        stored = [*numbers, *texts]
        self._names = list(view.features)
        self._as_in_view = picking([stored.index(name) for name in self._names])
        self._messages = Struct("<" + "xd" * len(numbers))
        self._has_texts = bool(texts)
        self._decode_one = Decoder(list[str | None]).decode
        self._decode = Decoder(list[list[str | None]]).decode
        select = (
            f"SELECT entity_key, event_ts, numbers, texts FROM {rows_table(table)} "  # noqa: S608
            f"WHERE layout = {layout_of(view)} AND entity_key IN "
        )
        # Of few sizes, so that sqlite has compiled the statement before.
        sizes = [1 << power for power in range(_AT_ONCE.bit_length())]
        self._selects = {size: f"{select} ({', '.join('?' * size)})" for size in sizes}

    def are_kept(self, connection: sqlite3.Connection) -> bool:
        """Whether there are rows, which change with the cells."""
        names = [rows_table(self._table), *(trigger_of(event, self._table) for event in EVENTS)]
        plain = [name[1:-1].replace('""', '"') for name in names]
        among = ", ".join("?" * len(plain))
        select = f"SELECT COUNT(*) FROM sqlite_master WHERE name IN ({among})"  # noqa: S608
        (found,) = connection.execute(select, plain).fetchone()
        return found == len(plain)

    def find_one(self, connection: sqlite3.Connection, key: bytes) -> Stored | None:
        """The entity of a key; None if it has no row. For less than `find` takes for one."""
        found = connection.execute(self._selects[1], (key,)).fetchone()
        if found is None:
            return None
        _, time, message, texts = found
        (values,) = self._numbers((message,))
        if self._has_texts:
            values = (*values, *self._decode_one(texts))
        return Stored(parse(time), dict(zip(self._names, self._as_in_view(values), strict=True)))

    def find(self, connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Stored]:
        """The entities that have a row, by their keys."""
        found = dict[bytes, Stored]()
        inserted = sorted(keys)  # as sqlite puts them in order too, for twice what Python takes
        for first in range(0, len(inserted), _AT_ONCE):
            some = inserted[first : first + _AT_ONCE]
            size = 1 << (len(some) - 1).bit_length()
            asked = [*some, *[some[0]] * (size - len(some))]
            if rows := connection.execute(self._selects[size], asked).fetchall():
                found |= self._stored(rows)
        return found

    def _stored(self, rows: Sequence[tuple[bytes, str, bytes, bytes]]) -> dict[bytes, Stored]:
        """What the rows say, read at once: one by one they cost half as much again."""
        keys, times, messages, texts = zip(*rows, strict=True)
        moments = {time: parse(time) for time in {*times}}
        values: Iterable[Sequence[FeatureValue]] = self._numbers(messages)
        if self._has_texts:
            decoded = self._decode(b"[" + b",".join(texts) + b"]")
            values = [(*one, *other) for one, other in zip(values, decoded, strict=True)]
        return {
            key: Stored(moments[time], dict(zip(self._names, self._as_in_view(one), strict=True)))
            for key, time, one in zip(keys, times, values, strict=True)
        }

    def _numbers(self, messages: Sequence[bytes]) -> list[tuple[float | None, ...]]:
        size = self._messages.size
        if wrong := {len(one) for one in messages} - {size}:
            raise ValueError(f"a row has {wrong.pop()} bytes of numbers, not {size}")
        if not size:
            return [()] * len(messages)
        numbers = list(self._messages.iter_unpack(b"".join(messages)))
        total = sum(map(sum, numbers))
        if total == total:
            return numbers
        # One may be NaN, which is null.
        return [tuple(None if value != value else value for value in row) for row in numbers]


def picking(places: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """The values at these places, as `itemgetter` has them of two and more."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: tuple(values[place] for place in places)
