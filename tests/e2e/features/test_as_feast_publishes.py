"""The online table that is written in bulk is, cell by cell, what Feast's SDK writes."""

import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.errors import FeatureStoreError
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.records.data import FeatureView
from mlops_assets.serving.online.moments import spell
from resources import online_table
from resources.feature_store import FeastFeatureStore
from resources.offline_features import feast_objects
from resources.online_cells import MISSING, numbers, texts
from resources.online_table import write_newest
from tests.e2e.features.test_as_feast_joins import published, view_of
from tests.worlds.effort import worlds
from tests.worlds.tables import World, tables

pytestmark = pytest.mark.e2e

VIEW = FeatureView.model_validate(
    {
        "name": "shop",
        "entity": {"name": "who", "dtype": "int64"},
        "features": {"spend": "float64", "country": "string"},
        "ttl": "31d",
    }
)
JULY = pd.Timestamp("1998-07-01", tz="UTC")


def table(path: Path, name: str) -> list[tuple[Any, ...]]:
    # The texts of numbers, which the SDK reads nowhere, are left out.
    text = "CASE WHEN substr(value, 1, 1) = x'12' THEN value_text END"
    columns = f"entity_key, feature_name, value, {text}, vector_value, event_ts, created_ts"
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f'SELECT {columns} FROM "{name}" ORDER BY 1, 2').fetchall()


def by_feast(folder: str) -> tuple[FeastFeatureStore, Path]:
    """A store to which Feast's SDK writes, since its file is more than a path."""
    path = Path(folder, "sdk.db")
    config = {"type": "sqlite", "path": str(path), "text_search_enabled": False}
    return FeastFeatureStore(root=f"{folder}/sdk", online_store=json.dumps(config)), path


@worlds(8)
@given(tables(keyed=True), st.sampled_from(["1s", "1d", "400d", "36500d"]), st.booleans())
def test_any_world_is_written_as_feast_writes_it(world: World, ttl: str, again: bool) -> None:
    view = view_of(world, pd.Timedelta(ttl).to_pytimedelta())
    rows = published(world, view)
    with tempfile.TemporaryDirectory() as folder:
        own, (sdk, file) = FeastFeatureStore(root=f"{folder}/own"), by_feast(folder)
        for store in (own, sdk):
            if again:  # what changed in between, and who is gone, is then as the SDK leaves it
                store.publish(view, rows.iloc[: len(rows) // 2 + 1].assign(number=1.5))
            store.publish(view, rows)
        name = f"{view.name}_{view.name}"
        assert table(Path(own.root, view.name, "online.db"), name) == table(file, name)
        intervals = [
            store._store(view, store._folder(view) / "registry.db")
            .get_feature_view(view.name)
            .materialization_intervals
            for store in (own, sdk)
        ]
        assert [len(found) for found in intervals] == [1, 1]
        assert intervals[0][0][1] == intervals[1][0][1]


FLOATS = st.floats(allow_subnormal=True)


@given(st.lists(FLOATS, max_size=8), st.lists(st.none() | st.text(), max_size=8))
def test_values_are_the_messages_that_protobuf_makes(
    values: list[float], words: list[str | None]
) -> None:
    from feast.infra.online_stores.helpers import extract_text_and_num  # noqa: TID251 - the witness
    from feast.protos.feast.types.Value_pb2 import Value  # noqa: TID251 - the witness

    messages = [MISSING if n != n else Value(double_val=n).SerializeToString() for n in values]
    columns = [np.array(values, dtype=float), np.ones(len(values))]
    one = Value(double_val=1).SerializeToString()
    assert numbers(columns, len(values)) == [message + one for message in messages]
    of_words = [Value() if t is None else Value(string_val=t) for t in words]
    found, spelled = texts(np.array(words, dtype=object))
    assert found == [message.SerializeToString() for message in of_words]
    assert spelled == [extract_text_and_num(message, False)[0] for message in of_words]


@pytest.mark.parametrize("size", [127, 128, 16383, 16384, 2_097_152])
def test_long_texts_say_their_length_as_protobuf_does(size: int) -> None:
    from feast.protos.feast.types.Value_pb2 import Value  # noqa: TID251 - the witness

    (message,), _ = texts(np.array(["é" * (size // 2) + "x" * (size % 2)], dtype=object))
    assert len(message) > size
    assert Value.FromString(message).string_val.encode() == message[-size:]
    assert Value.FromString(message).SerializeToString() == message


def rows(many: int) -> pd.DataFrame:
    values = {"spend": np.arange(many) / 3, "country": ["ch", None] * (many // 2)}
    return pd.DataFrame({"who": np.arange(many), TIMESTAMP: JULY, **values})


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    store, path = FeastFeatureStore(root=str(tmp_path)), tmp_path / "shop" / "online.db"
    store.publish(VIEW, rows(100))
    oldest = JULY.to_pydatetime() - VIEW.ttl

    def written(changed: pd.DataFrame) -> int:
        return write_newest(str(path), VIEW, changed, oldest)

    assert written(rows(100)) == 0
    assert written(rows(100).sample(frac=1, random_state=1)) == 0
    assert written(rows(102)) == 2 * 2
    values = rows(102)
    values.loc[7, "spend"] = np.nan
    values.loc[8, "country"] = "de"
    assert written(values) == 2
    later = rows(102).astype({TIMESTAMP: "datetime64[us, UTC]"})
    later.loc[9, TIMESTAMP] += pd.Timedelta(microseconds=1)
    assert written(later) == 2 + 2, "both of the later row, and what was changed before"
    read = store.online_rows(VIEW, [9, 101])
    assert read[TIMESTAMP].tolist() == [JULY + pd.Timedelta(microseconds=1), JULY]
    assert written(later.head(100)) == 2 * 2, "of who has left, by Feast too"
    assert store.online_rows(VIEW, [9, 101])["who"].tolist() == [9]


def test_what_the_sdk_writes_in_between_is_written_over(tmp_path: Path) -> None:
    store, path = FeastFeatureStore(root=str(tmp_path)), tmp_path / "shop" / "online.db"
    store.publish(VIEW, rows(4))
    before = table(path, "shop_shop")
    sdk = store._store(VIEW, store._folder(VIEW) / "registry.db")
    given = pd.DataFrame({"who": [2], TIMESTAMP: [JULY], "spend": [9.0], "country": ["no"]})
    sdk.write_to_online_store("shop", given)
    assert table(path, "shop_shop") != before
    store.publish(VIEW, rows(4))
    assert table(path, "shop_shop") == before


def test_a_first_publication_is_written_once_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, seen = tmp_path / "shop", list[list[str]]()
    made, stopped = online_table._note_expired, True

    def at_the_end(*given: Any) -> None:
        seen.append([file.name for file in folder.iterdir() if "online.db" in file.name])
        if stopped:
            raise sqlite3.OperationalError("database or disk is full")
        made(*given)

    monkeypatch.setattr(online_table, "_note_expired", at_the_end)
    store = FeastFeatureStore(root=str(tmp_path))
    with pytest.raises(FeatureStoreError, match="full; free some space"):
        store.publish(VIEW, rows(4))
    assert [file.name for file in folder.iterdir() if "online.db" in file.name] == []
    stopped = False
    # Of a store that was deleted, but for its log, which is not to be taken for the new one's.
    (folder / "online.db-wal").write_bytes(b"of another file")
    store.publish(VIEW, rows(4))
    assert [len(files) for files in seen] == [1, 1], "the file itself, and no log of its pages"
    assert len(table(folder / "online.db", "shop_shop")) == 8
    with closing(sqlite3.connect(folder / "online.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA page_size").fetchone() == (16_384,), "a fifth of the CPU"


def test_of_an_entity_all_numbers_are_given_as_one_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, given = online_table._Table._rows, list[int]()

    def counted(*arguments: Any) -> list[Any]:
        found = list(made(*arguments))
        given.extend(map(len, found))
        return found

    monkeypatch.setattr(online_table._Table, "_rows", counted)
    FeastFeatureStore(root=str(tmp_path)).publish(VIEW, rows(4))
    assert given == [5] * 4, "key, moment, numbers, and of the text its message and itself"


def test_no_value_and_its_name_are_different_values(tmp_path: Path) -> None:
    store, path = FeastFeatureStore(root=str(tmp_path)), tmp_path / "shop" / "online.db"
    for country in ("None", None, "nan", np.nan, "None"):
        store.publish(VIEW, rows(2).assign(country=country))
        read = store.online_rows(VIEW, [1])["country"].item()
        assert (read if isinstance(read, str) else None) == (
            country if isinstance(country, str) else None
        )
    assert len(table(path, "shop_shop")) == 4


def test_a_table_of_feasts_own_making_becomes_ours(tmp_path: Path) -> None:
    """As an earlier release left it; who is in no later publication stays."""
    sdk, file = by_feast(str(tmp_path))
    sdk.publish(VIEW, rows(6))
    oldest = JULY.to_pydatetime() - VIEW.ttl
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    expected = table(file, "shop_shop")
    changed = rows(4).assign(spend=7.0)
    assert write_newest(str(file), VIEW, changed, oldest) == 4
    assert write_newest(str(file), VIEW, changed, oldest) == 0
    found = table(file, "shop_shop")
    assert found[8:] == expected[8:]
    assert [cell for cell in found if cell[1] == "country"] == [
        cell for cell in expected if cell[1] == "country"
    ]
    objects = feast_objects(VIEW, sdk._folder(VIEW) / "features.parquet")
    sdk._store(VIEW, sdk._folder(VIEW) / "registry.db").apply(objects)
    assert table(file, "shop_shop") == found
    assert sdk.online_rows(VIEW, [1, 5])["spend"].tolist() == [7.0, 5 / 3]


def test_as_many_features_as_anybody_has_are_written(tmp_path: Path) -> None:
    names = {f"f{number}": "float64" for number in range(2_500)}
    view = FeatureView.model_validate(VIEW.model_dump() | {"features": names})
    values = pd.DataFrame({name: [float(name[1:])] * 2 for name in names})
    given = pd.concat([rows(2)[["who", TIMESTAMP]], values], axis=1)
    store = FeastFeatureStore(root=str(tmp_path))
    store.publish(view, given)
    read = store.online_rows(view, [1])
    assert read[list(names)].iloc[0].tolist() == [float(number) for number in range(2_500)]


def test_moments_are_spelled_as_readers_parse_them(tmp_path: Path) -> None:
    store = FeastFeatureStore(root=str(tmp_path))
    texts = ["1700-02-03T04:05:06.7Z", "1969-12-31T23:59:59.999999Z", "2261-05-06T07:08:09Z"]
    moments = pd.Series(pd.to_datetime(texts, utc=True, format="ISO8601"))
    store.publish(VIEW, rows(4).head(3).assign(**{TIMESTAMP: moments}))
    with closing(sqlite3.connect(tmp_path / "shop" / "online.db")) as connection:
        there = connection.execute("SELECT event_ts FROM shop_shop UNION SELECT event_ts FROM "
                                   "mlops_expired ORDER BY 1").fetchall()  # fmt: skip
    assert [text for (text,) in there] == [spell(one.to_pydatetime()) for one in moments]


def test_a_store_that_another_writes_to_is_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.online_file._WAIT_SECONDS", 0.1)
    store, path = FeastFeatureStore(root=str(tmp_path)), tmp_path / "shop" / "online.db"
    store.publish(VIEW, rows(2))
    before = table(path, "shop_shop")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(FeatureStoreError, match="end what else writes to it, and materialize"):
            write_newest(str(path), VIEW, rows(4), JULY.to_pydatetime())
    assert table(path, "shop_shop") == before
