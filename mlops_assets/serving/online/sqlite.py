"""The lookup of Feast's sqlite online store, read as a table, without Feast.

Feast keeps one row per entity and feature: the entity's key as `serialize_entity_key` writes it
(version 3), the value as a `feast.types.Value` message, and the time as `moments` spells it.
Of these forms only what a view can hold is read, and anything else is an error. That Feast finds
the same is compared before this lookup is chosen (`choice`).

Beside Feast's table stand two of ours: what was published of each entity as one row (`rows`), and
when the features of those entities were from that had expired before they were published. All are
written by `resources.online_table`.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from struct import Struct, pack, unpack_from
from urllib.parse import quote

from mlops_assets.blocks.data import EntitySettings
from mlops_assets.errors import FeatureStoreError
from mlops_assets.records.data import FeatureView, stored_name
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.serving.online.lookup import (
    EntityId,
    Expired,
    FeatureValue,
    OnlineRows,
    Stored,
    collect,
)
from mlops_assets.serving.online.moments import parse
from mlops_assets.serving.online.rows import EntityRows, picking

_KEY_VERSION = 3
_STRING, _INT64 = 2, 4
"""Members of Feast's `ValueType.Enum`."""
STRING_VAL, DOUBLE_VAL = 0x12, 0x29
"""First byte of a `Value`: the field's number, 2 and 5, and protobuf's wire type."""

_pack_whole, _pack_size = Struct("<IIq").pack, Struct("<II").pack
_DOUBLE_SIZE = 9
"""Bytes of a `Value` that holds a number."""

_Cell = tuple[str, bytes, str | int]


class SqliteLookup:
    """A view's table, read by one connection per thread that can only read."""

    def __init__(self, online: OnlineFeatures) -> None:
        """Open the table and read one row; `FeatureStoreError` now if there is none to be read."""
        if reason := why_not_direct(online):
            raise FeatureStoreError(f"{reason}. Deploy again, which chooses another lookup.")
        self._view, self._as_of = online.view, online.as_of
        self._cells = Cells(online.view)
        self._path = Path(online.store["online_store"]["path"])
        self._file = str(self._path)
        self._entity = online.view.key
        table = table_of(online.store["project"], online.view.name)
        self._rows = EntityRows(online.view, table)
        self._where = f"FROM {table} WHERE entity_key = ?"
        self._select = f"SELECT feature_name, value, event_ts {self._where}"
        self._local = threading.local()
        self.lookup([0 if online.view.key.dtype == "int64" else ""])
        (mode,) = self._connection().execute("PRAGMA journal_mode").fetchone()
        # Without a write-ahead log a reader waits while a publication is written down.
        self.is_short = mode == "wal"

    def lookup(self, entities: Sequence[EntityId]) -> OnlineRows:
        """See `OnlineLookup.lookup`; all entities are read from one state of the store."""
        try:
            stored = self._read(entities)
        except (OSError, sqlite3.Error, ValueError, TypeError, IndexError) as err:
            raise FeatureStoreError(
                f"the online store of {self._view.name!r} cannot be read: "
                f"{type(err).__name__}: {err}. {remedy(err, self._path, self._view.name)}"
            ) from err
        return collect(self._view, entities, stored, self._as_of or datetime.now(UTC))

    def has_several_times(self, entity: EntityId) -> bool:
        """Whether the entity's features, also those outside of the view, are of several times."""
        times = f"SELECT COUNT(DISTINCT event_ts) {self._where}"
        (count,) = self._connection().execute(times, (entity_key(self._entity, entity),)).fetchone()
        return count > 1

    def _read(self, entities: Sequence[EntityId]) -> dict[EntityId, Stored | Expired | None]:
        connection, keys = self._connection(), self._keys(entities)
        try:
            return self._of_one_state(connection, keys)
        except sqlite3.OperationalError:  # the rows' table may be gone, which nothing compiled says
            self._local.has_rows, self._local.compiled = False, True
            return self._of_one_state(connection, keys)

    def _of_one_state(
        self, connection: sqlite3.Connection, keys: Mapping[EntityId, bytes]
    ) -> dict[EntityId, Stored | Expired | None]:
        local = self._local
        if len(keys) == 1 and not local.compiled and local.has_rows:
            ((entity, key),) = keys.items()
            one = self._rows.find_one(connection, key)  # one statement needs no transaction
            if one is not None and not local.compiled:
                return {entity: one}
        cursor = connection.execute("BEGIN")
        try:
            found = self._rows_of(connection, keys)
            if local.compiled:
                before, local.has_rows = local.has_rows, self._rows.are_kept(connection)
                found = found if local.has_rows == before else self._rows_of(connection, keys)
                local.compiled = False  # all of it so far for the tables of this one state
            for entity in [entity for entity, stored in found.items() if stored is None]:
                found[entity] = self._by_cells(connection, keys[entity])
            return found
        finally:
            cursor.execute("ROLLBACK")

    def _keys(self, entities: Sequence[EntityId]) -> dict[EntityId, bytes]:
        prefix = _key_prefix(self._entity.name)
        return {entity: prefix + _key_value(entity) for entity in entities}

    def _rows_of(
        self, connection: sqlite3.Connection, keys: Mapping[EntityId, bytes]
    ) -> dict[EntityId, Stored | Expired | None]:
        """What is kept of them in one row; None of one that has none."""
        has_rows = self._local.has_rows
        rows = self._rows.find(connection, [*keys.values()]) if has_rows else {}
        return {entity: rows.get(key) for entity, key in keys.items()}

    def _by_cells(self, connection: sqlite3.Connection, key: bytes) -> Stored | Expired | None:
        cells = connection.execute(self._select, (key,)).fetchall()
        return self._cells.stored(cells) or _expired(connection, key)

    def _connection(self) -> sqlite3.Connection:
        """This thread's; another one where the file was deleted and published anew."""
        file = os.stat(self._file).st_ino  # noqa: PTH116 a path's own costs as much again
        if getattr(self._local, "file", None) != file:
            self._local.connection = _open(self._path)
            self._local.file, self._local.has_rows, self._local.compiled = file, False, True
            self._local.connection.set_authorizer(self._compiled)
        return self._local.connection

    def _compiled(self, *_: object) -> int:
        """Note that sqlite compiles a statement: for the first time, or since its tables changed.

        So whether `EntityRows.are_kept` is asked when it may be another answer, and not each time.
        """
        self._local.compiled = True
        return sqlite3.SQLITE_OK


class Cells:
    """What the features of a view are read from: of most entities all their numbers at once."""

    def __init__(self, view: FeatureView) -> None:
        """Of a view, whose features keep their order."""
        self._dtypes = view.features
        self._names = {name: stored_name(name) for name in view.features}
        self._stored_names = {*self._names.values()}
        self._in_table = tuple(sorted(self._stored_names))
        numbers = [name for name, dtype in view.features.items() if dtype == "float64"]
        self._texts = [name for name in view.features if name not in numbers]
        place = {name: self._in_table.index(self._names[name]) for name in view.features}
        self._pick_numbers = picking([place[name] for name in numbers])
        self._pick_texts = picking([place[name] for name in self._texts])
        read = [*numbers, *self._texts]
        self._as_in_view = picking([read.index(name) for name in view.features])
        self._unpack = Struct("<" + "xd" * len(numbers)).unpack
        self._tags = bytes([DOUBLE_VAL]) * len(numbers)
        self._sizes = {_DOUBLE_SIZE} if numbers else set[int]()

    def stored(self, cells: Sequence[_Cell]) -> Stored | None:
        """An entity, or None if a feature is missing."""
        if len(cells) == len(self._in_table):
            names, values, times = zip(*cells, strict=True)
            if names == self._in_table and times.count(times[0]) == len(times):
                return Stored(parse(times[0]), self._features(values))
        return self._one_by_one(cells)

    def _features(self, values: tuple[bytes, ...]) -> dict[str, FeatureValue]:
        """Of the values in the order of the table."""
        numbers = self._pick_numbers(values)
        content = b"".join(numbers)
        if {*map(len, numbers)} == self._sizes and content[::_DOUBLE_SIZE] == self._tags:
            found = self._unpack(content)
            total = sum(found)
            if total == total:  # else one may be NaN, which is null
                texts = [decode(text, "string") for text in self._pick_texts(values)]
                return dict(zip(self._names, self._as_in_view((*found, *texts)), strict=True))
        return self._decoded(dict(zip(self._in_table, values, strict=True)))

    def _one_by_one(self, cells: Sequence[_Cell]) -> Stored | None:
        """Of cells among which may be others, of several times, or not all."""
        values = {name: value for name, value, _ in cells}
        if not values.keys() >= self._stored_names:
            return None
        times = {time for name, _, time in cells if name in self._stored_names}
        return Stored(min(map(parse, times)), self._decoded(values))

    def _decoded(self, values: Mapping[str, bytes]) -> dict[str, FeatureValue]:
        return {
            name: decode(values[stored], self._dtypes[name]) for name, stored in self._names.items()
        }


def why_not_direct(online: OnlineFeatures) -> str | None:
    """Say what of the store's configuration this lookup cannot read; None if it can."""
    store = online.store
    kind, registry = store.get("online_store", {}), store.get("registry", {})
    if kind.get("type") != "sqlite":
        return f"the online store is {kind.get('type')!r}, no sqlite file"
    if not Path(kind.get("path", "")).is_absolute():
        return f"the online store's path {kind.get('path')!r} is not absolute"
    if (version := store.get("entity_key_serialization_version")) != _KEY_VERSION:
        return f"keys are serialized by version {version}, not {_KEY_VERSION}"
    if registry.get("enable_online_feature_view_versioning"):
        return "the store keeps several versions of the view"
    return None


def remedy(err: BaseException, path: str | Path | None, view: str) -> str:
    """What to do about a store that cannot be read: nobody can publish to a damaged file."""
    name = getattr(err, "sqlite_errorname", "")
    if path and name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return f"It is damaged: delete {path}*, then materialize {view}/features."
    return "Materialize the features again."


def table_of(project: str, view: str) -> str:
    """What Feast calls the table of a view, quoted."""
    name = f"{project}_{view}".replace('"', '""')
    return f'"{name}"'


def entity_key(entity: EntitySettings, value: EntityId) -> bytes:
    """As Feast serializes the key of an entity: that there is one join key, its name, its value."""
    return _key_prefix(entity.name) + _key_value(value)


def _key_value(value: EntityId) -> bytes:
    if isinstance(value, int):
        return _pack_whole(_INT64, 8, value)
    text = value.encode()
    return _pack_size(_STRING, len(text)) + text


@lru_cache(maxsize=256)
def _key_prefix(entity: str) -> bytes:
    name = stored_name(entity).encode()
    return pack("<III", 1, _STRING, len(name)) + name


def expired(
    path: str, entity: EntitySettings, values: Iterable[EntityId]
) -> dict[EntityId, Expired | None]:
    """What was noted of each entity by who published them; None of one of which nothing was."""
    with contextlib.closing(_open(path)) as connection:
        return {value: _expired(connection, entity_key(entity, value)) for value in values}


def _open(path: str | Path) -> sqlite3.Connection:
    address = f"file:{quote(str(path))}?mode=ro"
    return sqlite3.connect(address, uri=True, isolation_level=None)


def _expired(connection: sqlite3.Connection, key: bytes) -> Expired | None:
    # An earlier release kept no such table.
    there = "SELECT 1 FROM sqlite_master WHERE name = 'mlops_expired'"
    if connection.execute(there).fetchone() is None:
        return None
    select = "SELECT event_ts FROM mlops_expired WHERE entity_key = ?"
    found = connection.execute(select, (key,)).fetchone()
    return Expired(parse(found[0])) if found else None


def decode(value: bytes, dtype: str) -> FeatureValue:
    """Read a `feast.types.Value`; empty and NaN mean null; `ValueError` if it is no `dtype`."""
    if not value:
        return None
    if dtype == "float64" and value[0] == DOUBLE_VAL and len(value) == _DOUBLE_SIZE:
        number: float = unpack_from("<d", value, 1)[0]
        return None if number != number else number
    if dtype == "string" and value[0] == STRING_VAL:
        short = len(value) > 1 and value[1] < 0x80
        size, start = (value[1], 2) if short else _varint(value, 1)
        if len(value) == start + size:
            return value[start:].decode()
    raise ValueError(f"{value[:20].hex()} is no {dtype} as Feast stores one")


def _varint(content: bytes, start: int) -> tuple[int, int]:
    """Protobuf's variable-length integer at `start`, and where it ends."""
    number = shift = 0
    for place in range(start, len(content)):
        number |= (content[place] & 0x7F) << shift
        if content[place] < 0x80:
            return number, place + 1
        shift += 7
    raise ValueError(f"{content[:20].hex()} ends in the middle of a number")
