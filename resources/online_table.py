"""Feast's sqlite online store written in bulk: what its SDK writes, cell by cell.

The SDK makes a protobuf message of each value and executes a statement for each: a million entities
of ten features take it more than 10 GB. Here columns become bytes, a few thousand entities at a
time, and sqlite is given an entity's in one statement, in the order of the table. Beside its cells
it is written as one row, for those who ask for many. Of an entity whose row is as it was published
last nothing is read or written but its digest.

`resources.online_cells` says what the cells are made of, and `resources.online_file` how a
publication is one change.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from mlops_assets.errors import FeatureStoreError
from mlops_assets.ml.features.point_in_time import Ids, Rows, newest_known
from mlops_assets.ml.file_part import Part, in_memory
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.records.data import FeatureView, stored_name
from mlops_assets.serving.online.rows import (
    COLUMNS,
    EVENTS,
    EntityRows,
    in_order,
    layout_of,
    rows_table,
    trigger_of,
)
from mlops_assets.serving.online.sqlite import table_of
from resources.online_cells import (
    MISSING,
    NUMBER_SIZE,
    digests_of,
    json_rows,
    keys_of,
    numbers,
    spelled,
    texts,
)
from resources.online_file import changing

_AT_ONCE = 10_000
"""Entities of which all values are held in Python at one time."""
_ABOVE_ALL = b"\xff"
"""No key begins so."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_FEATURES_AT_ONCE = 1_000
"""Of an entity in one statement; sqlite takes 32,766 values."""

_FEASTS_TABLE = (
    "(entity_key BLOB, feature_name TEXT, value BLOB, value_text TEXT, vector_value BLOB, "
    "event_ts timestamp, created_ts timestamp, PRIMARY KEY (entity_key, feature_name))"
)

_Row = tuple[bytes | str | None, ...]
"""An entity's key, the moment, all its numbers, and of each text its value and the text."""


def write_newest(path: str, view: FeatureView, rows: pd.DataFrame, oldest: datetime) -> int:
    """Write each entity's newest row, if it is not older than `oldest`, to the view's table.

    Of entities whose newest row is older the moment is noted, in place of what was noted before.
    Those that were published before and have no row any more are deleted.

    Args:
        path: Of the sqlite file; where there is none, one with what Feast would make in it.
        view: Whose entity and features are columns of `rows`, beside `event_timestamp`.
        rows: In any order; of two of one moment the later one counts.
        oldest: What may still be served.

    Returns:
        How many cells have changed: those that were there as they are stay untouched.

    Raises:
        FeatureStoreError: The file cannot be written.
    """
    newest = _newest(rows, view)
    fresh = newest.moments >= (oldest - _EPOCH) // timedelta(microseconds=1)
    late = newest.take(np.flatnonzero(~fresh))
    table = _Table(table_of(view.name, view.name), view)
    try:
        with changing(path) as connection:
            table.make_ready(connection)
            written = table.write(connection, rows, newest, fresh)
            table.watch(connection)
            _note_expired(connection, dict(zip(late.keys, spelled(late.moments), strict=True)))
    except sqlite3.Error as err:
        raise FeatureStoreError(
            f"cannot write to the online store {path}: {err}; free some space, or end what else "
            f"writes to it, and materialize {view.name}/features again"
        ) from err
    return written


def newest_of_each(rows: Part, view: FeatureView) -> pd.DataFrame:
    """What `write_newest` needs of rows in memory: of a part of a file one row for each entity."""
    if isinstance(rows, pd.DataFrame):
        return rows
    keys = in_memory(rows[[view.key.name, TIMESTAMP]])
    by_time = keys.sort_values(TIMESTAMP, kind="stable")
    last = by_time.index[~by_time[view.key.name].duplicated(keep="last")]
    return rows.take(np.sort(last.to_numpy()))


class _Newest(NamedTuple):
    """Entities in the order of their keys."""

    keys: list[bytes]
    places: np.ndarray
    """Where the newest row of each is."""
    moments: np.ndarray
    """Of that row; microseconds since 1970."""
    digests: np.ndarray
    """Of that row's features and moment; int64."""

    def take(self, these: np.ndarray) -> "_Newest":
        """Some of them."""
        keys = [self.keys[one] for one in these.tolist()]
        return _Newest(keys, self.places[these], self.moments[these], self.digests[these])


class _Table(NamedTuple):
    """A view's table, and beside it the digest of what was published of each entity.

    What another program writes is seen by triggers, and written over by the next publication.
    """

    name: str
    """Quoted."""
    view: FeatureView

    @property
    def _published(self) -> str:
        return rows_table(self.name)

    def make_ready(self, connection: sqlite3.Connection) -> None:
        """Give the table a single tree, in the order of its key: Feast's has three, one useless."""
        if not EntityRows(self.view, self.name).are_kept(connection):
            # Who made the table anew, or made it before there were rows, asked nobody.
            for gone in (self._published, f'"mlops_published {self.name[1:]}'):
                connection.execute(f"DROP TABLE IF EXISTS {gone}")
        connection.execute(f"CREATE TABLE IF NOT EXISTS {self._published} {COLUMNS}")
        for event in EVENTS:
            connection.execute(f"DROP TRIGGER IF EXISTS {trigger_of(event, self.name)}")
        connection.execute(f"CREATE TABLE IF NOT EXISTS {self.name} {_FEASTS_TABLE} WITHOUT ROWID")
        self._make_single(connection)
        # Feast would make this index of all rows; the key begins with its column.
        of_none = f"{self.name} (entity_key) WHERE entity_key IS NULL"
        connection.execute(f'CREATE INDEX IF NOT EXISTS {self.name[:-1]}_ek" ON {of_none}')

    def _make_single(self, connection: sqlite3.Connection) -> None:
        plain = self.name[1:-1].replace('""', '"')
        select = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
        (made,) = connection.execute(select, (plain,)).fetchone()
        if "WITHOUT ROWID" in made:
            return
        single = f'"mlops_new {self.name[1:]}'
        columns = made[made.index("(") :]
        connection.execute(f"CREATE TABLE {single} {columns} WITHOUT ROWID")
        connection.execute(f"INSERT INTO {single} SELECT * FROM {self.name} ORDER BY 1, 2")  # noqa: S608
        connection.execute(f"DROP TABLE {self.name}")
        connection.execute(f"ALTER TABLE {single} RENAME TO {self.name}")

    def watch(self, connection: sqlite3.Connection) -> None:
        """Forget the row of an entity when another program writes to its cells."""
        for event, cell in EVENTS.items():
            forget = f"DELETE FROM {self._published} WHERE entity_key = {cell}.entity_key"  # noqa: S608
            connection.execute(
                f"CREATE TRIGGER {trigger_of(event, self.name)} AFTER {event} ON {self.name} "
                f"BEGIN {forget}; END"
            )

    def write(
        self, connection: sqlite3.Connection, rows: pd.DataFrame, newest: _Newest, fresh: np.ndarray
    ) -> int:
        """How many cells are not as they were, or are gone."""
        written = 0
        columns = {
            name: rows[name].to_numpy() for name in sorted(self.view.features, key=stored_name)
        }
        for start in range(0, len(newest.keys), _AT_ONCE):
            end = min(start + _AT_ONCE, len(newest.keys))
            part = newest.take(np.arange(start, end))
            following = newest.keys[end] if end < len(newest.keys) else _ABOVE_ALL
            known = self._known(connection, part.keys[0] if start else b"", following)
            gone = [(key,) for key in known.keys() - {*part.keys}]
            digests = np.array([known.get(key) for key in part.keys], dtype=object)
            changed = part.take(np.flatnonzero(fresh[start:end] & (part.digests != digests)))
            if not (gone or changed.keys):
                continue
            forget = f"DELETE FROM {self._published} WHERE entity_key = ?"  # noqa: S608
            connection.executemany(forget, gone)
            before = connection.total_changes  # of the cells alone
            connection.executemany(f"DELETE FROM {self.name} WHERE entity_key = ?", gone)  # noqa: S608
            for names in _in_blocks(list(columns)):
                given = {name: columns[name][changed.places] for name in names}
                connection.executemany(self._upsert(names), self._rows(changed, given))
            written += connection.total_changes - before
            connection.executemany(
                f"INSERT OR REPLACE INTO {self._published} VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608
                self._whole(changed, {name: columns[name][changed.places] for name in columns}),
            )
        return written

    def _known(self, connection: sqlite3.Connection, first: bytes, end: bytes) -> dict[bytes, int]:
        """The digests of what was published, by the keys from `first` to before `end`."""
        keyed = "WHERE entity_key >= ? AND entity_key < ?"
        select = f"SELECT entity_key, digest FROM {self._published} {keyed}"  # noqa: S608
        return dict(connection.execute(select, (first, end)))

    def _upsert(self, names: Sequence[str]) -> str:
        """A statement that writes an entity; of its parameters `_Row` tells."""
        cells, number, text = list[str](), 1, 4
        for name in names:
            quoted = stored_name(name).replace("'", "''")
            if self.view.features[name] == "string":
                cells.append(f"('{quoted}', ?{text}, ?{text + 1})")
                text += 2
            else:
                cut = f"nullif(substr(?3, {number}, {NUMBER_SIZE}), x'{MISSING.hex()}')"
                cells.append(f"('{quoted}', ifnull({cut}, x''), NULL)")
                number += NUMBER_SIZE
        return (
            f"INSERT INTO {self.name} (entity_key, feature_name, value, value_text, event_ts) "  # noqa: S608
            f"SELECT ?1, column1, column2, column3, ?2 FROM (VALUES {', '.join(cells)}) WHERE true "
            "ON CONFLICT (entity_key, feature_name) DO UPDATE SET "
            "value = excluded.value, value_text = excluded.value_text, "
            "event_ts = excluded.event_ts, created_ts = NULL "
            "WHERE value IS NOT excluded.value OR event_ts IS NOT excluded.event_ts"
        )

    def _rows(self, part: _Newest, columns: dict[str, np.ndarray]) -> Iterable[_Row]:
        are_texts = {name: self.view.features[name] == "string" for name in columns}
        joined = numbers([columns[name] for name in columns if not are_texts[name]], len(part.keys))
        cells = [texts(columns[name]) for name in columns if are_texts[name]]
        moments = spelled(part.moments)
        return zip(part.keys, moments, joined, *chain.from_iterable(cells), strict=True)

    def _whole(self, part: _Newest, columns: dict[str, np.ndarray]) -> Iterable[tuple[Any, ...]]:
        """Each entity as one row; the columns of the table are `COLUMNS`."""
        of_numbers, of_texts = (
            [columns[name] for name in in_order(self.view, dtype)]
            for dtype in ("float64", "string")
        )
        rows = len(part.keys)
        return zip(
            part.keys,
            part.digests.tolist(),
            [layout_of(self.view)] * rows,
            spelled(part.moments),
            numbers(of_numbers, rows),
            json_rows(of_texts, rows),
            strict=True,
        )


def _in_blocks(names: list[str]) -> list[list[str]]:
    starts = range(0, len(names), _FEATURES_AT_ONCE)
    return [names[start : start + _FEATURES_AT_ONCE] for start in starts]


def _note_expired(connection: sqlite3.Connection, moments: dict[bytes, str]) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS mlops_expired (entity_key BLOB PRIMARY KEY, event_ts TEXT) "
        "WITHOUT ROWID"
    )
    known = dict(connection.execute("SELECT entity_key, event_ts FROM mlops_expired"))
    gone = [(key,) for key in known if key not in moments]
    connection.executemany("DELETE FROM mlops_expired WHERE entity_key = ?", gone)
    new = [(key, moment) for key, moment in moments.items() if known.get(key) != moment]
    connection.executemany("INSERT OR REPLACE INTO mlops_expired VALUES (?, ?)", new)


def _newest(rows: pd.DataFrame, view: FeatureView) -> _Newest:
    """Each entity's key as it is stored, and its newest row."""
    entity = view.key
    kind = pa.int64() if entity.dtype == "int64" else pa.string()
    ids = Ids.of(pa.array(rows[entity.name], type=kind, from_pandas=True))
    known = Rows(ids, pd.DatetimeIndex(rows[TIMESTAMP]).as_unit("us").asi8)
    everybody = ids._replace(codes=np.arange(len(ids.distinct)))
    at_last = np.full(len(ids.distinct), known.moments.max())
    order, keys = keys_of(entity, ids.distinct)
    places = newest_known(Rows(everybody, at_last), known, None)[order]
    moments = known.moments[places]
    return _Newest(keys, places, moments, digests_of(rows, view, places, moments))
