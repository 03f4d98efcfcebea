"""Feast's sqlite online store written in bulk: what its SDK writes, cell by cell, in one statement.

The SDK makes a protobuf message of each value and executes a statement for each: a million entities
of ten features take it more than 10 GB. Here columns become bytes, a few thousand entities at a
time, and sqlite is given them in the order of its index. All is one transaction: beside a
write-ahead log readers see the state before until it ends. What is there already is left alone.

`mlops_assets.serving.online.sqlite` reads the table, and says what its cells are made of.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat

import numpy as np
import pandas as pd
import pyarrow as pa

from mlops_assets.blocks.data import EntitySettings
from mlops_assets.errors import FeatureStoreError
from mlops_assets.ml.features.point_in_time import Ids, Rows, newest_known
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.records.data import FeatureView, stored_name
from mlops_assets.serving.online.sqlite import DOUBLE_VAL, STRING_VAL, entity_key, table_of

_AT_ONCE = 10_000
"""Entities of which all values are held in Python at one time."""
_WAIT_SECONDS = 60.0
"""For another writer, e.g. a Feast of one's own."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Cell = tuple[bytes, str, bytes, str | None, str]
"""An entity's key, a feature's name, its value, the value as text, the moment."""


def write_newest(path: str, view: FeatureView, rows: pd.DataFrame, oldest: datetime) -> int:
    """Write each entity's newest row, if it is not older than `oldest`, to the view's table.

    Of entities whose newest row is older the moment is noted, in place of what was noted before.

    Args:
        path: Of the sqlite file, in which Feast has made the table.
        view: Whose entity and features are columns of `rows`, beside `event_timestamp`.
        rows: In any order; of two of one moment the later one counts.
        oldest: What may still be served.

    Returns:
        How many cells have changed: those that were there as they are stay untouched.

    Raises:
        FeatureStoreError: The file cannot be written.
    """
    keys, places, moments = _newest(rows, view.key)
    fresh = moments >= (oldest - _EPOCH) // timedelta(microseconds=1)
    late = zip(keys[~fresh].tolist(), _spelled(moments[~fresh]), strict=True)
    cells = _cells(rows, view, keys[fresh], places[fresh], moments[fresh])
    try:
        with contextlib.closing(_opened(path)) as connection:
            written = _write(connection, table_of(view.name, view.name), cells)
            _note_expired(connection, dict(late))
            connection.execute("COMMIT")
            # What the log holds goes into the file now; a reader in the way leaves it for later.
            connection.execute("PRAGMA busy_timeout = 1000")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as err:
        raise FeatureStoreError(
            f"cannot write to the online store {path}: {err}; free some space, or end what else "
            f"writes to it, and materialize {view.name}/features again"
        ) from err
    return written


def _opened(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=_WAIT_SECONDS)


def _write(connection: sqlite3.Connection, table: str, cells: Iterable[Cell]) -> int:
    """How many cells were not as they are now."""
    connection.execute("BEGIN IMMEDIATE")
    before = connection.total_changes
    connection.executemany(
        f"INSERT INTO {table} (entity_key, feature_name, value, value_text, event_ts) "  # noqa: S608 - quoted
        "VALUES (?, ?, ?, ?, ?) ON CONFLICT (entity_key, feature_name) DO UPDATE SET "
        "value = excluded.value, value_text = excluded.value_text, event_ts = excluded.event_ts, "
        "created_ts = NULL "
        "WHERE value IS NOT excluded.value OR event_ts IS NOT excluded.event_ts",
        cells,
    )
    return connection.total_changes - before


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


def _newest(
    rows: pd.DataFrame, entity: EntitySettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each entity's key as it is stored, the place of its newest row, and that row's moment."""
    kind = pa.int64() if entity.dtype == "int64" else pa.string()
    ids = Ids.of(pa.array(rows[entity.name], type=kind, from_pandas=True))
    known = Rows(ids, pd.DatetimeIndex(rows[TIMESTAMP]).as_unit("us").asi8)
    everybody = ids._replace(codes=np.arange(len(ids.distinct)))
    at_last = np.full(len(ids.distinct), known.moments.max())
    places = newest_known(Rows(everybody, at_last), known, None)
    keys = np.array([entity_key(entity, who) for who in ids.distinct.to_pylist()], dtype=object)
    order = np.argsort(keys, kind="stable")
    return keys[order], places[order], known.moments[places[order]]


def _cells(
    rows: pd.DataFrame,
    view: FeatureView,
    keys: np.ndarray,
    places: np.ndarray,
    moments: np.ndarray,
) -> Iterator[Cell]:
    """All cells by their keys, as the table's index has them; of one in the view's order."""
    columns = {name: rows[name].to_numpy() for name in view.features}
    for start in range(0, len(keys), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        who, when = keys[part].tolist(), _spelled(moments[part])
        cells = [
            zip(
                who,
                repeat(stored_name(name)),
                *encoded(columns[name][places[part]], view.features[name]),
                when,
            )
            for name in view.features
        ]
        yield from chain.from_iterable(zip(*cells, strict=True))


def encoded(values: np.ndarray, dtype: str) -> tuple[Sequence[bytes], Sequence[str | None]]:
    """Values as Feast stores them: messages `feast.types.Value`, and their texts; null is none."""
    return _texts(values) if dtype == "string" else _numbers(values)


def _numbers(values: np.ndarray) -> tuple[list[bytes], list[str | None]]:
    numbers = values.astype("<f8")
    messages = np.full((len(numbers), 9), DOUBLE_VAL, dtype=np.uint8)
    messages[:, 1:] = numbers.view(np.uint8).reshape(-1, 8)
    whole = messages.tobytes()
    found = [whole[start : start + 9] for start in range(0, len(whole), 9)]
    texts: list[str | None] = list(map(repr, numbers.tolist()))
    for missing in np.flatnonzero(np.isnan(numbers)):
        found[missing], texts[missing] = b"", None
    return found, texts


def _texts(values: np.ndarray) -> tuple[list[bytes], list[str | None]]:
    texts = [None if value is None or value != value else str(value) for value in values]
    messages = {text: _message(text) for text in set(texts)}
    return [messages[text] for text in texts], texts


def _message(text: str | None) -> bytes:
    if text is None:
        return b""
    content = text.encode()
    size, length = len(content), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((STRING_VAL, *length, size)) + content


def _spelled(moments: np.ndarray) -> list[str]:
    """As `mlops_assets.serving.online.moments.spell` has them."""
    texts = np.datetime_as_string(moments.astype("datetime64[us]"), unit="us").tolist()
    return [f"{text}+00:00" for text in texts]
