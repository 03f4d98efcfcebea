"""Older rows stay as long as they fit into the budget, and the newest is never given up."""

import json
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.errors import ConfigError
from mlops_assets.notebook.loading import load
from resources.kept_versions import budget_bytes, keep, kept_versions


def write(file: Path, md5: str, values: list[float]) -> int:
    """A stored value, as the I/O manager writes it; its bytes."""
    frame = pd.DataFrame({"amount": values})
    frame.attrs = {"raw": raw(md5), "checked_at": "2026-01-01T00:00:00+00:00"}
    following = file.with_suffix(".next")
    frame.to_parquet(following, index=False)
    following.replace(file)
    return file.stat().st_size


def raw(md5: str) -> dict[str, object]:
    return {"md5": md5, "files": ["a.csv"], "size_bytes": 1, "pointer": "p.dvc"}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLOPS_STORAGE", str(tmp_path / "assets"))
    monkeypatch.setenv("MLOPS_ENDPOINTS", str(tmp_path / "endpoints"))
    (tmp_path / "assets" / "shop").mkdir(parents=True)
    return tmp_path / "assets" / "shop" / "features.parquet"


def keep_four(file: Path, fitting: int) -> None:
    for number in range(4):
        size = write(file, f"{number}abc", [float(number)])
        keep(file, f"{number}abc", fitting * size)


@pytest.mark.parametrize(("fitting", "left"), [(0, "3"), (1, "32"), (2, "321"), (9, "3210")])
def test_as_many_older_versions_stay_as_fit(file: Path, fitting: int, left: str) -> None:
    keep_four(file, fitting)
    assert list(kept_versions(file)) == [f"{number}abc" for number in left]
    assert len(list(file.with_suffix("").iterdir())) == len(left)


def test_the_newest_shares_its_bytes_with_its_copy(file: Path) -> None:
    keep_four(file, 1)
    assert file.samefile(file.with_suffix("") / "3abc.parquet")


def test_the_same_data_computed_again_takes_the_place_of_the_version(file: Path) -> None:
    keep_four(file, 9)
    write(file, "1abc", [7.0])
    keep(file, "1abc", 10_000_000)
    assert list(kept_versions(file)) == ["1abc", "3abc", "2abc", "0abc"]
    assert load("shop/features", "1")["amount"].tolist() == [7.0]


def test_any_version_that_is_kept_is_read_by_how_it_begins(file: Path) -> None:
    keep_four(file, 9)
    found = [load("shop/features", version)["amount"].item() for version in (None, "0abc", "2")]
    assert found == [3.0, 0.0, 2.0]


def test_a_value_of_before_versions_were_kept_is_its_own(file: Path) -> None:
    write(file, "9abc", [9.0])
    assert load("shop/features", "9abc")["amount"].item() == 9.0


def test_rows_come_as_asked_for(file: Path) -> None:
    keep_four(file, 1)
    polars, arrow = (load("shop/features", to=kind) for kind in ("polars", "arrow"))
    assert polars.to_dict(as_series=False) == arrow.to_pydict() == {"amount": [3.0]}


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        ("shop", None, "'shop' names no asset; write e.g. customers/features"),
        ("shp/features", None, r"no model 'shp' has run here; there are \['shop'\].* 'shop'"),
        ("shop/feature", None, r"shop has no 'feature'; there are \['features', .*champion'\].*"),
        ("shop/features", "7", r"no version '7'; there are \['3abc', '2abc'\]"),
        ("shop/features", "", r"no version ''; there are"),
        ("shop/model", None, "shop/model@champion, or @3"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(
    file: Path, name: str, version: str | None, said: str
) -> None:
    keep_four(file, 1)
    with pytest.raises(ConfigError, match=said):
        load(name, version)


def test_several_versions_that_begin_alike_are_not_guessed(file: Path) -> None:
    for md5 in ("aa1", "aa2"):
        size = write(file, md5, [1.0])
        keep(file, md5, 2 * size)
    with pytest.raises(ConfigError, match=r"several versions begin with 'aa'.*\['aa2', 'aa1'\]"):
        load("shop/features", "aa")


def test_a_kind_of_frame_that_is_none_is_refused_before_any_work() -> None:
    with pytest.raises(ConfigError, match="to='spark' is none of"):
        load("shop/features", to="spark")  # ty: ignore[invalid-argument-type]


@pytest.mark.parametrize(("text", "budget"), [("", 1_000_000_000), ("0", 0), ("7", 7_000_000)])
def test_the_budget_is_a_number_of_megabytes(
    monkeypatch: pytest.MonkeyPatch, text: str, budget: int
) -> None:
    monkeypatch.setenv("MLOPS_KEEP_MB", text)
    assert budget_bytes() == budget


@pytest.mark.parametrize("text", ["-1", "1.5", "lots", "²"])
def test_what_is_no_number_of_megabytes_is_refused(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("MLOPS_KEEP_MB", text)
    with pytest.raises(ConfigError, match=r"MLOPS_KEEP_MB=.* is no number of megabytes"):
        budget_bytes()


def test_a_record_is_read_as_what_it_is(file: Path) -> None:
    content = {"name": "shop", "version": 3, "run_id": "r", "uri": "models:/shop/3"}
    (file.parent / "trained_model.json").write_text(json.dumps(content), encoding="utf-8")
    assert load("shop/trained_model").version == 3
    with pytest.raises(ConfigError, match="the newest value alone is kept, no version '2'"):
        load("shop/trained_model", "2")
