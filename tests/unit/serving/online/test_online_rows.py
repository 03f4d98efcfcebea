"""An entity's row beside its cells: it says what they say, whoever wrote to them last."""

import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.errors import FeatureStoreError
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.records.data import FeatureView
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.serving.online.lookup import EntityId
from mlops_assets.serving.online.sqlite import SqliteLookup, entity_key
from resources import online_table
from resources.online_table import write_newest
from tests.unit.serving.online.test_online_cells import FEATURES, VALUES


def view_of(features: dict[str, str]) -> FeatureView:
    entity = {"name": "who", "dtype": "string"}
    return FeatureView.model_validate(
        {"name": "shop", "entity": entity, "features": features, "ttl": "31d"}
    )


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
VIEW = view_of({"spend": "float64", "country": "string", "age": "float64"})
CELLS = '"shop_shop"'


def publish(path: Path, view: FeatureView, rows: dict[str, dict[str, Any]]) -> int:
    frame = pd.DataFrame({"who": list(rows), TIMESTAMP: pd.Timestamp(NOON)})
    for name, dtype in view.features.items():
        values = [row[name] for row in rows.values()]
        frame[name] = pd.Series(values, dtype="float64" if dtype == "float64" else object)
    return write_newest(str(path), view, frame, NOON - timedelta(days=1))


def opened(path: Path, view: FeatureView = VIEW) -> SqliteLookup:
    store = {
        "project": "shop",
        "online_store": {"type": "sqlite", "path": str(path)},
        "entity_key_serialization_version": 3,
    }
    return SqliteLookup(OnlineFeatures(store=store, view=view, as_of=NOON, lookup="direct"))


def statements(lookup: SqliteLookup, entities: list[EntityId]) -> list[str]:
    """What the file is asked for some entities."""
    found: list[str] = []
    lookup._connection().set_trace_callback(found.append)
    lookup.lookup(entities)
    lookup._connection().set_trace_callback(None)
    return found


def says(lookup: SqliteLookup, entity: str) -> dict[str, Any]:
    (row,) = lookup.lookup([entity]).rows
    return row


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "online.db"
    publish(file, VIEW, {f"c{n}": {"spend": n, "country": "ch", "age": None} for n in range(100)})
    return file


def change(path: Path, statement: str, *values: Any) -> None:
    """What another program does."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


@given(st.data(), FEATURES)
def test_any_values_are_found_as_they_were_published(
    data: st.DataObject, features: dict[str, str]
) -> None:
    view = view_of(features)
    values = {
        who: {name: data.draw(VALUES[dtype]) for name, dtype in features.items()}
        for who in data.draw(st.sets(st.text(max_size=5), min_size=1, max_size=4))
    }
    other = view_of(dict(data.draw(st.permutations([*features.items()]))))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "online.db")
        publish(file, view, values)
        for asked in (view, other):
            lookup = opened(file, asked)
            assert not [s for s in statements(lookup, [*values]) if CELLS in s]
            found = lookup.lookup([*values])
            assert found.as_of == [NOON] * len(values)
            assert [[*row.items()] for row in found.rows] == [
                [(n, row[n] if row[n] == row[n] else None) for n in asked.features]
                for row in values.values()
            ]
            alone = [lookup.lookup([who]).rows for who in values]  # by another, shorter way
            assert alone == [[row] for row in found.rows]


def test_of_an_entity_one_row_is_read_and_none_of_its_cells(path: Path) -> None:
    lookup, many = opened(path), [f"c{n}" for n in range(100)]
    asked = statements(lookup, many)
    assert sum('FROM "mlops_rows' in statement for statement in asked) == 1
    assert not [statement for statement in asked if CELLS in statement]
    assert len(asked) == 4  # the transaction's beginning and end, and which tables there are
    # Which sqlite has said once, until they change.
    assert len(statements(lookup, many)) == 3
    statements(lookup, ["c1"])
    assert len(statements(lookup, ["c2"])) == 1


def test_tables_that_are_gone_are_no_error(path: Path) -> None:
    """A release without them, or Feast, has written the file anew behind an open connection."""
    lookup, many = opened(path), [f"c{n}" for n in range(100)]
    assert says(lookup, "c7")["spend"] == 7
    lookup.lookup(many)
    change(path, 'DROP TABLE "mlops_rows shop_shop"')
    assert says(lookup, "c7")["spend"] == 7
    assert len(lookup.lookup(many).rows) == 100
    publish(path, VIEW, {"c7": {"spend": 8, "country": "ch", "age": None}})
    assert says(lookup, "c7")["spend"] == 8


def test_a_watch_that_is_gone_is_noticed_by_whoever_asks_next(path: Path) -> None:
    """Of many as of one: nothing else says that the rows no longer follow the cells."""
    one, many = opened(path), opened(path)
    assert says(one, "c7")["spend"] == says(many, "c7")["spend"] == 7
    many.lookup(["c7", "c8"])
    change(path, 'DROP TRIGGER "mlops_rows update shop_shop"')
    change(path, f"UPDATE {CELLS} SET value = x'' WHERE feature_name = 'spend'")
    assert says(one, "c7")["spend"] is None
    assert [row["spend"] for row in many.lookup(["c7", "c8"]).rows] == [None, None]


@pytest.mark.parametrize("many", [2, 3, 7, 8, 9, 511, 512, 513, 1_100])
def test_so_many_are_found_each_at_its_place(tmp_path: Path, many: int) -> None:
    plain = {"country": "nz", "age": 30.0}
    spend = {f"c{n}": {**plain, "spend": float(n)} for n in range(many)}
    publish(tmp_path / "online.db", VIEW, spend)
    asked = [*reversed(spend), "nobody", "c1"]
    found = opened(tmp_path / "online.db").lookup(asked)
    assert [row["spend"] for row in found.rows] == [*map(float, reversed(range(many))), 1.0]
    assert found.unknown == ["nobody"]


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE {CELLS} SET value = x'' WHERE entity_key = ? AND feature_name = 'spend'",
        f"INSERT OR REPLACE INTO {CELLS} (entity_key, feature_name, value, event_ts) "
        "VALUES (?, 'spend', x'', '2026-01-01T12:00:00+00:00')",
    ],
)
def test_what_another_program_writes_is_found_at_once(path: Path, statement: str) -> None:
    lookup = opened(path)
    assert says(lookup, "c7")["spend"] == 7
    change(path, statement, entity_key(VIEW.key, "c7"))
    assert (says(lookup, "c7")["spend"], says(lookup, "c8")["spend"]) == (None, 8)


def test_who_was_deleted_is_unknown(path: Path) -> None:
    lookup = opened(path)
    change(path, f"DELETE FROM {CELLS} WHERE entity_key = ?", entity_key(VIEW.key, "c7"))
    assert lookup.lookup(["c7", "c8"]).unknown == ["c7"]


@pytest.mark.parametrize("at_once", [1, 3, 10_000])
def test_who_has_left_the_source_is_unknown_and_nothing_of_him_is_kept(
    path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(online_table, "_AT_ONCE", at_once)
    lookup, gone = opened(path), ["c0", "c50", "c99"]
    assert len(lookup.lookup(gone).rows) == 3
    plain = {"country": "ch", "age": None}
    stay = {f"c{n}": {**plain, "spend": n} for n in range(100) if f"c{n}" not in gone}
    assert publish(path, VIEW, stay) == 9, "cells"
    assert lookup.lookup(gone).unknown == gone
    assert [row["spend"] for row in lookup.lookup(["c1", "c98"]).rows] == [1, 98]
    with closing(sqlite3.connect(path)) as connection:
        tables = (CELLS, f'"mlops_rows {CELLS[1:]}')
        left = [connection.execute(f"SELECT DISTINCT entity_key FROM {one}") for one in tables]
        assert [{*found} for found in left] == [{(key(who),) for who in stay}] * 2
    assert publish(path, VIEW, {**stay, "c0": {**plain, "spend": 5}}) == 3
    assert says(lookup, "c0")["spend"] == 5


def test_a_table_that_was_made_anew_is_believed_and_written_whole(path: Path) -> None:
    lookup = opened(path)
    assert says(lookup, "c7")["spend"] == 7
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE aside AS SELECT * FROM shop_shop")
        connection.execute("DROP TABLE shop_shop")  # and with it what watched it
        connection.execute("ALTER TABLE aside RENAME TO shop_shop")
        connection.execute("UPDATE shop_shop SET value = x'' WHERE feature_name = 'spend'")
        connection.execute("DELETE FROM shop_shop WHERE entity_key = ?", [key("c9")])
    assert says(lookup, "c7")["spend"] is None
    assert lookup.lookup(["c8", "c9"]).unknown == ["c9"]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE shop_shop")
    rows = {f"c{n}": {"spend": n, "country": "ch", "age": None} for n in range(100)}
    assert publish(path, VIEW, rows) == 300
    assert says(lookup, "c9")["spend"] == 9


def key(entity: str) -> bytes:
    return entity_key(VIEW.key, entity)


def test_a_version_with_other_features_reads_the_cells(path: Path) -> None:
    older = view_of({"spend": "float64"})
    lookup = opened(path, older)
    assert says(lookup, "c7") == {"spend": 7}
    newer = view_of({"spend": "float64", "country": "string", "age": "float64", "new": "string"})
    row = {"spend": 8, "country": "de", "age": 1, "new": "n"}
    publish(path, newer, {"c7": row, "c8": {**row, "spend": 9}})
    assert says(lookup, "c7") == {"spend": 8}
    assert says(opened(path), "c7") == {"spend": 8, "country": "de", "age": 1}
    assert says(opened(path), "c8")["spend"] == 9


def test_a_file_of_a_release_without_rows_is_read_and_then_written_anew(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute('DROP TABLE "mlops_rows shop_shop"')
        for event in ("insert", "update", "delete"):
            connection.execute(f'DROP TRIGGER "mlops_rows {event} shop_shop"')
        connection.execute('CREATE TABLE "mlops_published shop_shop" (entity_key BLOB, digest)')
    lookup = opened(path)
    assert says(lookup, "c7")["spend"] == 7
    assert publish(path, VIEW, {"c7": {"spend": 8, "country": "ch", "age": None}}) == 1
    assert says(lookup, "c7")["spend"] == 8
    assert not [s for s in statements(lookup, ["c7"]) if CELLS in s]
    change(path, "CREATE VIEW none AS SELECT 1")  # another table changes nothing
    assert not [s for s in statements(lookup, ["c7"]) if CELLS in s]


@pytest.mark.parametrize(
    "damage",
    ["texts = '[]'", 'texts = \'["ch"],["ch"]\'', "texts = x'ff'", "numbers = x'00'"],
)
def test_a_damaged_row_is_an_error_and_no_other_entity_s_features(path: Path, damage: str) -> None:
    lookup, key = opened(path), entity_key(VIEW.key, "c7")
    change(path, f'UPDATE "mlops_rows {CELLS[1:]} SET {damage} WHERE entity_key = ?', key)
    assert says(lookup, "c6")["spend"] == 6
    for asked in (["c6", "c7", "c8"], ["c7"]):
        with pytest.raises(FeatureStoreError, match="'shop' cannot be read"):
            lookup.lookup(asked)
