"""The lookup of Feast's sqlite online store, read as a table, without Feast.

Feast keeps one row per entity and feature: the entity's key as `serialize_entity_key` writes it
(version 3), the value as a `feast.types.Value` message, and the time as seconds. Of these forms
only what a view can hold is read, and anything else is an error. That Feast finds the same is
compared before this lookup is chosen (`online_choice`).
"""

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from struct import pack, unpack_from
from urllib.parse import quote

from mlops_assets.blocks.data import EntitySettings
from mlops_assets.errors import FeatureStoreError
from mlops_assets.records.data import stored_name
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.serving.online import EntityId, FeatureValue, OnlineRows, Stored, collect

_KEY_VERSION = 3
_STRING, _INT64 = 2, 4
"""Members of Feast's `ValueType.Enum`."""
_STRING_VAL, _DOUBLE_VAL = 0x12, 0x29
"""First byte of a `Value`: the field's number, 2 and 5, and protobuf's wire type."""

_Cell = tuple[str, bytes, int]


class SqliteLookup:
    """A view's table, read by one connection per thread that can only read."""

    def __init__(self, online: OnlineFeatures) -> None:
        """Open the table and read one row, so that a broken store shows now.

        Raises:
            FeatureStoreError: There is no such table, or it cannot be read.
        """
        if reason := why_not_direct(online):
            raise FeatureStoreError(f"{reason}. Deploy again, which chooses another lookup.")
        self._view, self._as_of = online.view, online.as_of
        self._names = {name: stored_name(name) for name in online.view.features}
        self._stored_names = {*self._names.values()}
        self._path = Path(online.store["online_store"]["path"])
        self._prefix = key_prefix(online.view.entity)
        table = f"{online.store['project']}_{online.view.name}".replace('"', '""')
        self._where = f'FROM "{table}" WHERE entity_key = ?'
        self._select = f"SELECT feature_name, value, event_ts {self._where}"
        self._local = threading.local()
        self.lookup([0 if online.view.entity.dtype == "int64" else ""])
        (mode,) = self._connection().execute("PRAGMA journal_mode").fetchone()
        # Without a write-ahead log a reader waits while a publication is written down.
        self.is_short = mode == "wal"

    def lookup(self, entities: Sequence[EntityId]) -> OnlineRows:
        """See `OnlineLookup.lookup`; all entities are read from one state of the store."""
        try:
            stored = self._read(entities)
        except (OSError, sqlite3.Error, ValueError, TypeError) as err:
            raise FeatureStoreError(
                f"the online store of {self._view.name!r} cannot be read: "
                f"{type(err).__name__}: {err}. Materialize the features again."
            ) from err
        return collect(self._view, entities, stored, self._as_of or datetime.now(UTC))

    def has_several_times(self, entity: EntityId) -> bool:
        """Whether the entity's features, also those outside of the view, are of several times."""
        times = f"SELECT COUNT(DISTINCT event_ts) {self._where}"
        (count,) = self._connection().execute(times, (self._key(entity),)).fetchone()
        return count > 1

    def _read(self, entities: Sequence[EntityId]) -> dict[EntityId, Stored | None]:
        connection = self._connection()
        connection.execute("BEGIN")
        try:
            return {
                entity: self._stored(connection.execute(self._select, (self._key(entity),)))
                for entity in dict.fromkeys(entities)
            }
        finally:
            connection.rollback()

    def _connection(self) -> sqlite3.Connection:
        """This thread's; another one where the file was deleted and published anew."""
        file = self._path.stat().st_ino
        if getattr(self._local, "file", None) != file:
            address = f"file:{quote(str(self._path))}?mode=ro"
            self._local.connection = sqlite3.connect(address, uri=True, isolation_level=None)
            self._local.file = file
        return self._local.connection

    def _key(self, entity: EntityId) -> bytes:
        if isinstance(entity, int):
            return self._prefix + pack("<IIq", _INT64, 8, entity)
        text = entity.encode()
        return self._prefix + pack("<II", _STRING, len(text)) + text

    def _stored(self, cells: Iterable[_Cell]) -> Stored | None:
        known = {name: (value, seconds) for name, value, seconds in cells}
        if not known.keys() >= self._stored_names:
            return None
        features = {
            name: decode(known[self._names[name]][0], dtype)
            for name, dtype in self._view.features.items()
        }
        return Stored(_moment(min([known[name][1] for name in self._stored_names])), features)


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


def key_prefix(entity: EntitySettings) -> bytes:
    """What the keys of all entities start with: that there is one join key, and its name."""
    name = stored_name(entity.name).encode()
    return pack("<III", 1, _STRING, len(name)) + name


def decode(value: bytes, dtype: str) -> FeatureValue:
    """Read a serialized `feast.types.Value`; nothing in it means null, as does NaN.

    Raises:
        ValueError: It is no value of `dtype`.
    """
    if not value:
        return None
    if dtype == "float64" and value[0] == _DOUBLE_VAL and len(value) == 9:
        number: float = unpack_from("<d", value, 1)[0]
        return None if number != number else number
    if dtype == "string" and value[0] == _STRING_VAL:
        size, start = _varint(value, 1)
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


def _moment(seconds: int) -> datetime:
    # As Feast does: it writes the UTC clock's reading as if it were one of the local zone.
    return datetime.fromtimestamp(seconds).replace(tzinfo=UTC)  # noqa: DTZ006
