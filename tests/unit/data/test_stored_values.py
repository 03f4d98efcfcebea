"""Values and manifests on disk: damaged they are one sentence, moved they are found."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from mlops_assets.blocks.data import EntitySettings
from mlops_assets.errors import FeatureStoreError, StateError
from mlops_assets.ml.documented import DocumentedRows, Labels, TracedFile, TracedRows
from mlops_assets.records.data import DatasetVersion, FeatureView, Maturity, Origin
from mlops_assets.records.rollout import Candidate
from mlops_assets.records.serving import Manifest, OnlineFeatures
from mlops_assets.serving.online.sqlite import SqliteLookup
from resources.dagster.io import ParquetStorage
from resources.feature_store import FeastFeatureStore
from tests.support.served.served_models import no_online

KEY = dg.AssetKey(["shop", "rows"])
VERSION = DatasetVersion(md5="0" * 32, files=("a.csv",), size_bytes=1, pointer="a.dvc")
FRAME = pd.DataFrame({"a": range(100)})
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TRACED = TracedRows(FRAME, Origin(raw=VERSION, checked_at=NOON))


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def garbage(file: Path) -> None:
    file.write_bytes(b"\x00\xff garbage\n" * 100)


def unreadable(file: Path) -> None:
    file.unlink()
    file.mkdir()


def stored(root: Path, value: pd.DataFrame | DocumentedRows | TracedFile | BaseModel) -> Path:
    storage = ParquetStorage(root=str(root))
    with dg.build_output_context(asset_key=KEY) as output:
        storage.handle_output(output, value)
    return storage.path(KEY, type(value))


def loaded(root: Path, wanted: type) -> Any:
    kind = dg.DagsterType(lambda _context, _value: True, name="any", typing_type=wanted)
    with dg.build_input_context(asset_key=KEY, dagster_type=kind) as context:
        return ParquetStorage(root=str(root)).load_input(context)


@pytest.mark.parametrize(
    "value",
    [TRACED, Labels(FRAME, Maturity(known_until=NOON)), Labels(FRAME, Maturity(known_until=None))],
    ids=["origin", "known", "nothing known"],
)
def test_rows_and_their_record_are_one_file_and_come_back_as_either(
    tmp_path: Path, value: DocumentedRows
) -> None:
    rows = FRAME.copy()
    rows.attrs["of a loader"] = object()  # for which pyarrow would drop all attributes
    stored(tmp_path, replace(value, rows=rows))
    assert len({file.stat().st_ino for file in tmp_path.rglob("*.*")}) == 1, "a version is a link"
    found = loaded(tmp_path, type(value))
    assert found.record == value.record
    pd.testing.assert_frame_equal(found.rows, FRAME)
    pd.testing.assert_frame_equal(loaded(tmp_path, pd.DataFrame), FRAME)


def test_a_file_of_rows_is_what_a_frame_of_them_is(tmp_path: Path) -> None:
    path = stored(tmp_path / "frame", TRACED)
    file = loaded(tmp_path / "frame", TracedFile)
    assert (file.rows.count, file.rows.columns, file.record) == (100, ["a"], TRACED.record)
    stored(tmp_path / "frame", replace(TRACED, rows=FRAME + 1))
    pd.testing.assert_frame_equal(file.rows.frame(), FRAME)  # as it was when it was asked for
    moved = stored(tmp_path / "file", loaded(tmp_path / "frame", TracedFile))
    assert not path.exists()
    assert len({found.stat().st_ino for found in tmp_path.joinpath("file").rglob("*.*")}) == 1
    again = loaded(tmp_path / "file", TracedRows)
    pd.testing.assert_frame_equal(again.rows, FRAME + 1)
    assert again.record == TRACED.record
    with moved.open("r+b") as content:
        content.write(b"\0" * 300)
    with pytest.raises(StateError, match=r"rows.parquet cannot be read: .*materialize"):
        loaded(tmp_path / "file", TracedFile).rows.frame()


def test_a_frame_made_column_by_column_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = pd.to_datetime(["2024-01-01T00:00:00.000000001Z", None], utc=True)
    frame = pd.DataFrame({"a": [1.5, None], "t": moments, "s": ["x", None], "b": [True, False]})
    stored(tmp_path, replace(TRACED, rows=frame))
    whole = loaded(tmp_path, TracedRows).rows
    monkeypatch.setattr("mlops_assets.ml.stored_rows._MANY", 1)
    pd.testing.assert_frame_equal(loaded(tmp_path, TracedRows).rows, whole)
    pd.testing.assert_frame_equal(whole, frame)
    known = loaded(tmp_path, TracedFile).rows.until("t", NOON)
    pd.testing.assert_frame_equal(known.frame(["s", "a"]), frame[["s", "a"]].head(1))


def test_rows_of_an_earlier_state_folder_say_what_they_were_made_of(tmp_path: Path) -> None:
    old = FRAME.copy()
    old.attrs = {
        "dataset": VERSION.md5,
        "raw": VERSION.model_dump(mode="json"),
        "checked_at": "2026-01-01T12:00:00+00:00",
    }
    stored(tmp_path, old)
    assert loaded(tmp_path, TracedRows).record == TRACED.record


def test_rows_that_do_not_say_what_they_were_made_of_must_be_made_again(tmp_path: Path) -> None:
    stored(tmp_path, FRAME)
    with pytest.raises(StateError, match=r"before versions were recorded.*; materialize"):
        loaded(tmp_path, TracedRows)


@pytest.mark.parametrize("damage", [cut, empty, garbage, unreadable])
@pytest.mark.parametrize(
    ("value", "wanted"),
    [(FRAME, None), (TRACED, None), (TRACED, TracedFile), (VERSION, None)],
    ids=["frame", "frame and record", "file", "record"],
)
def test_a_damaged_value_is_one_sentence(
    tmp_path: Path,
    value: pd.DataFrame | DocumentedRows | BaseModel,
    wanted: type | None,
    damage: Callable[[Path], None],
) -> None:
    file = stored(tmp_path, value)
    damage(file)
    with pytest.raises(StateError, match=r"shop/rows cannot be read: .*materialize") as caught:
        loaded(tmp_path, wanted or type(value))
    assert str(file) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def manifest(home: Path, elsewhere: Path) -> Manifest:
    versions = home / "endpoints" / "shop" / "versions"
    store = {
        "registry": {"path": str(home / "feast/shop/registry.db")},
        "online_store": {"type": "sqlite", "path": str(elsewhere / "online.db")},
    }
    return Manifest(
        generation=3,
        model_name="shop",
        model_version=2,
        folder=str(versions / "2"),
        previous=str(versions / "1"),
        online=no_online().model_copy(update={"store": store}),
        max_rows=1,
        max_body_bytes=1,
        candidate=Candidate(model_version=3, folder=str(versions / "3"), role="shadow", weight=1),
    )


_NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
_FOLDERS = _NAMES.filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)


@given(_FOLDERS, _FOLDERS)
def test_what_lies_in_the_state_folder_moves_with_it_and_nothing_else(old: str, new: str) -> None:
    before, after = Path("/nowhere") / old, Path("/srv/nowhere") / new
    elsewhere = Path("/big/feast")
    content = manifest(before, elsewhere).written(before / "endpoints" / "shop")
    assert Manifest.read(content, before / "endpoints/shop") == manifest(before, elsewhere)
    assert Manifest.read(content, after / "endpoints/shop") == manifest(after, elsewhere)


def test_a_state_folder_behind_a_link_is_the_same(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    endpoint = real / "endpoints" / "shop"
    endpoint.mkdir(parents=True)
    link.symlink_to(real, target_is_directory=True)
    content = manifest(link, link / "feast/shop").written(endpoint)
    assert Manifest.read(content, endpoint) == manifest(real, real / "feast/shop")
    shutil.move(real, tmp_path / "moved")
    link.unlink()
    moved = tmp_path / "moved"
    found = Manifest.read(content, moved / "endpoints" / "shop")
    assert found == manifest(moved, moved / "feast/shop")


def test_endpoints_at_the_root_keep_full_paths_of_all_else() -> None:
    wanted = manifest(Path("/srv/state"), Path("/big"))
    content = wanted.written(Path("/endpoints/shop"))
    assert Manifest.read(content, Path("/other/shop")) == wanted


def test_a_damaged_online_store_is_said_with_what_repairs_it(tmp_path: Path) -> None:
    store = FeastFeatureStore(root=str(tmp_path))
    moments = pd.to_datetime(["2026-01-01", "2026-01-02"], utc=True)
    rows = pd.DataFrame({"id": [1, 2], "event_timestamp": moments, "x": [1.0, 2.0]})
    view = FeatureView(
        name="shop",
        entity=EntitySettings(name="id"),
        features={"x": "float64"},
        ttl=timedelta(days=9),
    )
    online = OnlineFeatures(store=store.serving_config(view), view=view, as_of=moments[-1])
    file = tmp_path / "shop" / "online.db"
    file.parent.mkdir()
    garbage(file)
    remedy = f"It is damaged: delete {file}*, then materialize shop/features."
    with pytest.raises(FeatureStoreError, match=re.escape(remedy) + "$"):
        SqliteLookup(online)
    with pytest.raises(FeatureStoreError, match=re.escape(f"delete {file}*")):
        store.publish(view, rows)

    for left in file.parent.glob("online.db*"):
        left.unlink()
    store.publish(view, rows)
    assert len(SqliteLookup(online).lookup([1, 2]).rows) == 2
