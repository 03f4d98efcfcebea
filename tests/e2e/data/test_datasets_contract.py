"""The data repository: the same assertions on DVC itself and on the fake."""

import hashlib
import os
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mlops_assets.errors import DatasetError
from mlops_assets.records.data import DatasetVersion
from resources.datasets.versions import DvcDatasets
from tests.support.fakes.features import FakeDatasets

pytestmark = pytest.mark.e2e


def build(kind: type[DvcDatasets], folder: Path) -> DvcDatasets:
    return kind(
        root=str(folder / "project"),
        cache=str(folder / "dvc" / "cache"),
        quarantine=str(folder / "quarantine"),
    )


@pytest.fixture(params=[DvcDatasets, FakeDatasets])
def datasets(request: pytest.FixtureRequest, tmp_path: Path) -> DvcDatasets:
    return build(request.param, tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "rows.csv"
    file.write_text("a\n1\n")
    return file


def test_every_version_can_be_read_again(datasets: DvcDatasets, file: Path) -> None:
    first = datasets.add("m", [file])
    file.write_text("a\n2\n")
    second = datasets.add("m", [file])

    assert first.md5 != second.md5
    for version, content in ((first, "a\n1\n"), (second, "a\n2\n")):
        with datasets.open(version) as (path,):
            assert path.name == "rows.csv"
            assert path.read_text() == content


def test_equal_content_is_the_same_version(datasets: DvcDatasets, file: Path) -> None:
    assert datasets.add("m", [file]) == datasets.add("m", [file])


@pytest.mark.parametrize("kind", [".csv", ".csv.gz", ""])
def test_a_date_in_the_name_leaves_no_copy_a_day(tmp_path: Path, kind: str) -> None:
    datasets = build(DvcDatasets, tmp_path)
    for day in ("2026-01-01", "2026-01-02"):
        file = tmp_path / f"sales.{day}{kind}"
        file.write_text(f"a\n{day}\n")
        version = datasets.add("m", [file])
        assert (version.files, version.pointer) == ((file.name,), f"data/m/raw_data{kind}.dvc")
    left = {path.name for path in (tmp_path / "project/data/m").iterdir()}
    assert left - {".gitignore"} == {f"raw_data{kind}.dvc", "delivered"}


def test_a_content_is_of_when_it_came_however_often_it_is_read(
    datasets: DvcDatasets, file: Path
) -> None:
    def added(day: int, text: str) -> str:
        file.write_text(text)
        moment = f"2026-01-0{day}T12:00:00.5+02:00"
        config = {name: getattr(datasets, name) for name in ("root", "cache", "quarantine")}
        version = type(datasets)(**config, pinned_now=moment).add("m", [file])
        return f"{version.delivered_at:%d %H:%M:%S %Z}"

    read = [(1, "a\n1\n"), (2, "a\n1\n"), (3, "a\n2\n"), (4, "a\n1\n")]
    days = ("01", "01", "03", "04")
    assert [added(*each) for each in read] == [f"{day} 10:00:00 UTC" for day in days]


def test_a_damaged_note_of_a_delivery_is_said_with_what_to_do(
    datasets: DvcDatasets, file: Path
) -> None:
    version = datasets.add("m", [file])
    note = Path(datasets.root, "data", "m", "delivered")
    note.write_text(f"{version.md5} yesterday")
    with pytest.raises(DatasetError, match=r"delivered is damaged: .* delete it"):
        datasets.add("m", [file])


def test_several_files_are_one_version(datasets: DvcDatasets, file: Path) -> None:
    other = file.with_name("more.csv")
    other.write_text("a\n2\n")
    version = datasets.add("m", [file, other])

    assert version.md5.endswith(".dir")
    with datasets.open(version) as paths:
        assert {path.name: path.read_text() for path in paths} == {
            "rows.csv": "a\n1\n",
            "more.csv": "a\n2\n",
        }


def test_files_are_kept_under_the_names_that_they_are_given(
    datasets: DvcDatasets, file: Path
) -> None:
    other = file.with_name("more.csv")
    other.write_text("a\n2\n")
    version = datasets.add("m", [file, other], ["year=2024/a.csv", "year=2025/a.csv"])
    assert version.files == ("year=2024/a.csv", "year=2025/a.csv")
    with datasets.open(version) as paths:
        assert [path.parent.name for path in sorted(paths)] == ["year=2024", "year=2025"]
        assert [path.read_text() for path in sorted(paths)] == ["a\n1\n", "a\n2\n"]
    one = datasets.add("m", [other], ["year=2025/a.csv"])
    with datasets.open(one) as (path,):
        assert path.parent.name == "year=2025"


def test_a_version_that_is_not_there_is_named(datasets: DvcDatasets, file: Path) -> None:
    missing = datasets.add("m", [file]).model_copy(update={"md5": "0" * 32})
    with pytest.raises(DatasetError, match=r"0{32}.*dvc fetch"), datasets.open(missing):
        pass


def test_a_disk_without_room_is_refused_before_dvc_asks_for_ever(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = DvcDatasets(
        **{name: str(tmp_path / name) for name in ("root", "cache", "quarantine")}
    )
    kept = datasets.add("shop", [file])
    file.write_text("id,x\n1,2\n", encoding="utf-8")
    found = shutil.disk_usage(tmp_path)._replace(free=300_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: found)
    with pytest.raises(OSError, match="No space left on device"):
        datasets.add("shop", [file])
    assert {path.name for path in (tmp_path / "root/data/shop").iterdir()} == {
        "delivered", Path(kept.pointer).name,
    }  # fmt: skip
    with datasets.open(kept) as (first,):
        assert first.read_bytes() != file.read_bytes()


def test_damage_in_the_cache_is_found(datasets: DvcDatasets, file: Path) -> None:
    version = datasets.add("m", [file])
    assert datasets.damaged_files(version) == []
    with datasets.open(version) as (path,):
        blob = path.resolve()
    blob.chmod(0o644)
    blob.write_text("a\n3\n")
    assert datasets.damaged_files(version) == ["rows.csv"]


def test_a_damaged_listing_of_a_folder_is_damage_too(tmp_path: Path, file: Path) -> None:
    datasets, more = build(DvcDatasets, tmp_path), file.with_name("more.csv")
    more.write_text("a\n2\n")
    version = datasets.add("m", [file, more])
    listing = Path(datasets.cache, "files", "md5", version.md5[:2], version.md5[2:])
    listing.chmod(0o644)
    listing.write_text("[{")
    assert datasets.damaged_files(version) == ["the folder's listing"]
    with pytest.raises(DatasetError, match=r"damaged.*dvc fetch"), datasets.open(version):
        pass


def test_a_restored_version_is_checked_file_by_file(tmp_path: Path, file: Path) -> None:
    datasets, restored = build(DvcDatasets, tmp_path), build(DvcDatasets, tmp_path / "other")
    more = file.with_name("more.csv")
    more.write_text("a\n2\n")
    version = datasets.add("m", [file, more])
    datasets.restore(version, Path(restored.cache))
    with restored.open(version) as paths:
        assert sorted(path.read_text() for path in paths) == ["a\n1\n", "a\n2\n"]

    with datasets.open(version) as paths:
        blob = next(path for path in paths if path.name == "more.csv").resolve()
    blob.chmod(0o644)
    blob.write_text("a\n3\n")
    found = hashlib.md5(b"a\n3\n").hexdigest()
    said = rf"more\.csv: md5 {blob.parent.name}{blob.name} expected, found {found}"
    with pytest.raises(DatasetError, match=said) as caught:
        datasets.restore(version, tmp_path / "again")
    assert "rows.csv: " not in str(caught.value)
    blob.unlink()
    with pytest.raises(DatasetError, match=r"more\.csv: .*found no such file"):
        datasets.restore(version, tmp_path / "again")


def test_rejected_rows_are_kept(datasets: DvcDatasets, file: Path) -> None:
    version = datasets.add("m", [file])
    rows = pd.DataFrame({"a": ["x"], "reason": ["a: not an int64"]})
    kept = datasets.keep_rejected("m", version, rows)
    pd.testing.assert_frame_equal(pd.read_parquet(kept), rows)


def test_dvc_itself_understands_the_pointer(tmp_path: Path, file: Path) -> None:
    datasets = build(DvcDatasets, tmp_path)
    version = datasets.add("m", [file])

    project = tmp_path / "project"
    pointer = yaml.safe_load((project / version.pointer).read_text())
    assert pointer["outs"][0]["md5"] == version.md5
    assert not (project / "data/m/raw_data.csv").exists(), "the bytes are in the cache alone"
    moved = tmp_path.rename(tmp_path.with_name(f"{tmp_path.name}-moved")) / "project"
    checkout = [sys.executable, "-m", "dvc", "checkout"]
    subprocess.run(checkout, cwd=moved, check=True, capture_output=True)
    assert (moved / "data/m/raw_data.csv").read_text() == "a\n1\n"


@pytest.mark.parametrize("below", [True, False])
def test_the_named_command_records_the_version_in_git(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, below: bool
) -> None:
    home = tmp_path / "it's a home"
    monkeypatch.setenv("MLOPS_HOME", str(home if below else tmp_path / "another"))
    datasets = build(DvcDatasets, home)
    version = datasets.add("m", [file])
    assert ("$MLOPS_HOME" in datasets.record_in_git(version)) is below
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "init", "--quiet", checkout], check=True)
    subprocess.run(datasets.record_in_git(version), shell=True, cwd=checkout, check=True)
    staged = subprocess.check_output(["git", "ls-files"], cwd=checkout, text=True)
    assert staged.split() == [version.pointer]
    assert version.md5 in (checkout / version.pointer).read_text()


def _add(folder: Path, number: int) -> DatasetVersion:
    file = folder / f"in{number}.csv"
    file.write_text(f"a\n{number}\n")
    return build(DvcDatasets, folder).add(f"m{number}", [file])


def test_processes_that_start_at_once_all_succeed(tmp_path: Path) -> None:
    with ProcessPoolExecutor(3) as pool:
        versions = list(pool.map(_add, [tmp_path] * 3, range(3)))
    assert len({version.md5 for version in versions}) == 3


@pytest.mark.parametrize("left", ["", '{"write": {"'])
def test_what_a_killed_process_left_of_dvcs_own_list_hinders_nobody(
    tmp_path: Path, file: Path, left: str
) -> None:
    datasets = build(DvcDatasets, tmp_path)
    datasets.add("m", [file])
    held = tmp_path / "project" / ".dvc" / "tmp" / "rwlock"
    assert held.exists()
    held.write_text(left)
    file.write_text("a\n2\n")
    version = datasets.add("m", [file])
    with datasets.open(version) as (path,):
        assert path.read_text() == "a\n2\n"


def test_settings_of_the_user_do_not_count(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home" / ".config" / "dvc").mkdir(parents=True)
    (tmp_path / "home" / ".config" / "dvc" / "config").write_text("[cache]\n    type = nonsense\n")
    for home in (tmp_path / "home", tmp_path / "rows.csv"):  # the second cannot even be read
        monkeypatch.setenv("HOME", str(home))
        assert build(DvcDatasets, tmp_path / home.name[:4]).add("m", [file]).size_bytes == 4
    assert "DVC_GLOBAL_CONFIG_DIR" not in os.environ


def _add_as(place: tuple[Path, int]) -> list[bool]:
    """Add five contents of one's own, as a state folder of one's own on a project of all."""
    folder, number = place
    datasets = DvcDatasets(
        root=str(folder / "project"),
        cache=str(folder / f"home{number % 2}" / "dvc" / "cache"),
        quarantine=str(folder / "quarantine"),
    )
    right = []
    for turn in range(5):
        file = folder / f"in{number}-{turn}.csv"
        file.write_bytes(os.urandom(20_000).hex().encode())
        version = datasets.add("m", [file])
        with datasets.open(version) as (path,):
            right.append(path.read_bytes() == file.read_bytes())
    return right


def test_two_state_folders_on_one_project_never_version_each_others_bytes(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        right = list(pool.map(_add_as, [(tmp_path, number) for number in range(4)]))
    assert right == [[True] * 5] * 4
