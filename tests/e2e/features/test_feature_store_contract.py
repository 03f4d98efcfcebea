"""The feature store: the same assertions on Feast itself (DuckDB, sqlite) and on the fake."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_assets.errors import ConfigError, FeatureStoreError
from mlops_assets.ml import stored_rows
from mlops_assets.ml.file_part import FilePart
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.stored_rows import write_frames
from mlops_assets.records.data import FeatureView
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.serving.online.choice import choose_lookup, open_online
from resources.feature_store import FeastFeatureStore
from tests.support.fakes.features import FakeFeatureStore

pytestmark = pytest.mark.e2e

VIEW = FeatureView.model_validate(
    {
        "name": "shop",
        "entity": {"name": "customer_id", "dtype": "int64"},
        "features": {"spend": "float64", "country": "string"},
        "ttl": "31d",
    }
)
JUNE, JULY = (pd.Timestamp(day, tz="UTC") for day in ("1998-06-01", "1998-07-01"))
ROWS = pd.DataFrame(
    {
        "customer_id": [1, 2, 1, 2, 3],
        TIMESTAMP: [JUNE, JUNE, JULY, JULY, JUNE - pd.Timedelta(days=60)],
        "spend": [1.5, np.nan, 2.5, 0.1 + 0.2, 9.0],
        "country": ["ch", "de", "ch", "fr", "it"],
    }
)


@pytest.fixture(scope="module", params=[FeastFeatureStore, FakeFeatureStore])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> FeastFeatureStore:
    store = request.param(root=str(tmp_path_factory.mktemp("feast")))
    assert store.publish(VIEW, ROWS) == JULY
    return store


def keys(*rows: tuple[int, pd.Timestamp]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["customer_id", TIMESTAMP]).assign(bought=1.0)


def test_training_rows_are_point_in_time(store: FeastFeatureStore) -> None:
    day = pd.Timedelta(days=1)
    joined = store.training_rows(VIEW, keys((1, JULY - day), (1, JULY), (1, JULY + day)))
    assert joined["spend"].tolist() == [1.5, 2.5, 2.5]
    assert joined["bought"].tolist() == [1.0] * 3


def test_no_row_is_lost_whatever_its_features(store: FeastFeatureStore) -> None:
    """Feast's default store drops the expired, the future and the duplicate one."""
    asked = keys(
        (1, JUNE), (1, JUNE), (2, JUNE), (3, JULY), (1, JUNE - pd.Timedelta(days=1)), (99, JULY)
    )
    joined = store.training_rows(VIEW, asked)
    assert len(joined) == len(asked)
    assert joined["spend"].isna().sum() == 4, "missing, expired, in the future, unknown"


def test_joined_in_a_file_the_rows_are_those_of_memory(
    store: FeastFeatureStore, tmp_path: Path
) -> None:
    asked = keys((2, JULY), (1, JUNE), (99, JULY), (2, JUNE), (1, JULY))
    found = store.training_file(VIEW, asked, tmp_path / "joined.parquet", {"made": "today"})
    known = store.training_rows(VIEW, asked)
    same = (rows.astype({"country": "string"}) for rows in (found.frame(), known))
    pd.testing.assert_frame_equal(*same)
    assert found.attributes == {"made": "today"}
    assert [file.name for file in tmp_path.iterdir()] == ["joined.parquet"]


def test_published_from_a_file_the_features_are_those_of_memory(
    store: FeastFeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_rows, "VALUES", 8)
    again = type(store)(root=str(tmp_path / "store"))
    rows = write_frames(tmp_path / "rows.parquet", [ROWS.iloc[:3], ROWS.iloc[3:]])
    part = FilePart(rows, dict.fromkeys(rows.columns, lambda column: column.array))
    assert again.publish(VIEW, part) == JULY
    offline = [pd.read_parquet(each.offline_file(VIEW)) for each in (again, store)]
    pd.testing.assert_frame_equal(*offline)
    online = [each.online_rows(VIEW, [3, 1, 2]) for each in (again, store)]
    pd.testing.assert_frame_equal(*online)


def test_equal_questions_give_equal_order(store: FeastFeatureStore) -> None:
    asked = keys((2, JULY), (1, JUNE), (2, JUNE), (1, JULY))
    joined = store.training_rows(VIEW, asked.sample(frac=1, random_state=1))
    assert list(zip(joined["customer_id"], joined[TIMESTAMP], strict=True)) == [
        *((1, JUNE), (2, JUNE), (1, JULY), (2, JULY))
    ]


def test_online_rows_equal_the_newest_offline_rows(store: FeastFeatureStore) -> None:
    online = store.online_rows(VIEW, [2, 99, 1])
    assert online["customer_id"].tolist() == [2, 1]
    assert online["spend"].tolist() == [0.1 + 0.2, 2.5]
    assert online["country"].tolist() == ["fr", "ch"]
    assert online[TIMESTAMP].tolist() == [JULY, JULY]


def test_publishing_again_replaces(tmp_path: Path) -> None:
    store = FeastFeatureStore(root=str(tmp_path))
    store.publish(VIEW, ROWS)
    wider = VIEW.model_copy(update={"features": {**VIEW.features, "visits": "float64"}})
    later = ROWS.assign(visits=3.0, spend=ROWS["spend"] + 1)
    store.publish(wider, later)

    assert store.online_rows(wider, [1])["spend"].tolist() == [3.5]
    assert store.training_rows(wider, keys((1, JUNE)))["visits"].tolist() == [3.0]


def test_an_unpublished_view_is_named(tmp_path: Path) -> None:
    with pytest.raises(FeatureStoreError, match="shop"):
        FeastFeatureStore(root=str(tmp_path)).training_rows(VIEW, keys((1, JUNE)))


def test_what_was_published_before_the_settings_changed_is_told(tmp_path: Path) -> None:
    store = FeastFeatureStore(root=str(tmp_path))
    store.publish(VIEW, ROWS)
    wider = VIEW.model_copy(update={"features": {**VIEW.features, "visits": "float64"}})
    with pytest.raises(FeatureStoreError, match=r"without the features \['visits'\]; materialize"):
        store.training_rows(wider, keys((1, JUNE)))
    texts = keys((1, JUNE)).assign(customer_id="one")
    with pytest.raises(FeatureStoreError, match="ids of type int64, not as they are asked for"):
        store.training_rows(VIEW, texts)


def test_a_store_of_ones_own_is_opened_with_its_secret_and_never_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE_SECRET", "s3cret")
    path = f"{tmp_path}/${{STORE_SECRET}}.db"
    own = FeastFeatureStore(
        root=str(tmp_path / "feast"), online_store=json.dumps({"type": "sqlite", "path": path})
    )
    assert own.publish(VIEW, ROWS) == JULY
    assert (tmp_path / "s3cret.db").exists()
    config = own.serving_config(VIEW)
    assert "s3cret" not in json.dumps(config)
    online = OnlineFeatures(store=config, view=VIEW, as_of=JULY.to_pydatetime())
    chosen = choose_lookup(online, [1])
    assert "s3cret" not in chosen.model_dump_json()
    assert open_online(chosen).lookup([1]).rows == [{"spend": 2.5, "country": "ch"}]

    monkeypatch.delenv("STORE_SECRET")
    with pytest.raises(FeatureStoreError, match=r"variable STORE_SECRET.*cluster\.secrets"):
        open_online(chosen)
    bad = FeastFeatureStore(root=str(tmp_path), online_store="redis:6379")
    with pytest.raises(ConfigError, match="MLOPS_ONLINE_STORE is no JSON object"):
        bad.serving_config(VIEW)


TAKEN = ("rn", "rn_", "entity_row_id", "event_expire_timestamp", "pos_y", "pos_y_y", "x", "x__ts")
ORDINARY = ("index", "select", "order", "class", "created", "self", "feature_name", "value", "size")


def named(entity: str, target: str, ids: list[int] | list[str]) -> tuple[FeatureView, pd.DataFrame]:
    """Two rows of each id, the features numbered by their places; the newest has `target` 1."""
    names = [name for name in TAKEN + ORDINARY if name not in (entity, target)]
    view = FeatureView.model_validate(
        {
            "name": "order",
            "entity": {"name": entity, "dtype": "int64" if isinstance(ids[0], int) else "string"},
            "features": dict.fromkeys(names, "float64"),
            "ttl": "31d",
        }
    )
    rows = [(who, day, float(day == JULY)) for day in (JUNE, JULY) for who in ids]
    frame = pd.DataFrame(rows, columns=[entity, TIMESTAMP, target])
    values = np.arange(frame.shape[0] * len(names), dtype=float).reshape(frame.shape[0], -1)
    return view, pd.concat([frame, pd.DataFrame(values, columns=names)], axis=1)


@pytest.mark.parametrize(
    ("entity", "target", "ids"),
    [
        ("device", "failed", [0, -1, 2**53 + 1, 2**53 + 2, 2**63 - 1, -(2**63)]),
        ("entity_row_id", "rn", ["007", "7", " 7", "", "nan", "null", "None", "日本", "x" * 5000]),
        ("rn", "event_expire_timestamp", ["a'b\"c;--", "a\nb", "Ä", "ä", "A\u0308"]),
        ("device_y", "entity_row_id", [1, 2]),
        ("event_expire_timestamp", "target_y", [1, 2]),
        ("x__ts", "group", [1, 2]),
    ],
)
def test_every_name_and_id_is_the_same_offline_and_online(
    tmp_path: Path, entity: str, target: str, ids: list[int] | list[str]
) -> None:
    store, (view, rows) = FeastFeatureStore(root=str(tmp_path)), named(entity, target, ids)
    computed = rows.drop(columns=target)
    store.publish(view, computed)

    joined = store.training_rows(view, rows[[entity, TIMESTAMP, target]])
    expected = rows.sort_values([TIMESTAMP, entity], ignore_index=True)
    pd.testing.assert_frame_equal(joined, expected, check_column_type=False)

    newest = rows[rows[TIMESTAMP] == JULY].drop(columns=target).reset_index(drop=True)
    pd.testing.assert_frame_equal(
        store.online_rows(view, ids), newest[[entity, TIMESTAMP, *view.features]]
    )

    online = OnlineFeatures(store=store.serving_config(view), view=view, as_of=JULY)
    chosen = choose_lookup(online, ids)
    assert chosen.lookup == "direct", chosen.lookup_reason
    found = open_online(chosen).lookup(ids)
    assert pd.DataFrame(found.rows).equals(newest[list(view.features)])


def test_without_an_entity_rows_are_joined_by_their_number_and_nothing_is_online(
    tmp_path: Path,
) -> None:
    view = VIEW.model_copy(update={"entity": None})
    rows = ROWS.rename(columns={"customer_id": "row"}).assign(row=range(len(ROWS)))
    for kind in (FeastFeatureStore, FakeFeatureStore):
        store = kind(root=str(tmp_path))
        assert store.publish(view, rows) == JULY
        assert store.oldest(view) == rows[TIMESTAMP].min()
        joined = store.training_rows(view, rows[["row", TIMESTAMP]])
        expected = rows.sort_values([TIMESTAMP, "row"], ignore_index=True)
        pd.testing.assert_frame_equal(joined, expected, check_dtype=False)
    assert {file.name for file in (tmp_path / "shop").iterdir()} == {
        "features.parquet", "lock", "registry.db"
    }  # fmt: skip
