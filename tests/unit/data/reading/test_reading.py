import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.errors import DottedPathError, SourceError, StateError
from mlops_assets.ml.data.reading import check_columns, frame_to_parquet, read_table, run_loader
from mlops_assets.ml.data.sources import find_files, stored_name
from tests.support.tables.damaged_files import COLUMNS, DAMAGED, GOOD, ZST

Read = Callable[..., pd.DataFrame]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def write_and_read(
        data: bytes, *, name: str = "a.csv", extra: Any = "refuse", wanted=COLUMNS, **options: Any
    ) -> pd.DataFrame:
        path = tmp_path / name
        path.write_bytes(data)
        source = SourceSettings.model_validate({"uri": str(path), **options})
        return read_table([path], source, wanted, extra)

    return write_and_read


def good() -> pd.DataFrame:
    return pd.DataFrame({"id": ["1", "2"], "age": ["30", None]})


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (GOOD, {}),
        (b"\xef\xbb\xbf" + GOOD, {}),
        (GOOD.replace(b"\n", b"\r\n"), {}),
        (GOOD.rstrip(), {"final_newline": "optional"}),
        (GOOD.replace(b",", b";"), {"delimiter": ";"}),
        (b'"id","age"\n"1","30"\n"2",""\n', {}),
        (b"1,30\n2,\n", {"columns": ["id", "age"]}),
        (b"id,age\n1,30\n2,NA\n", {"missing": ["NA"]}),
        (b" id \t age\r\n  1   30\r\n2 NA \r\n", {"format": "whitespace", "missing": ["NA"]}),
        (gzip.compress(GOOD, mtime=0), {"name": "a.csv.gz"}),
        (bz2.compress(GOOD), {"name": "a.csv.bz2"}),
        (lzma.compress(GOOD), {"name": "a.CSV.XZ"}),
        (ZST, {"name": "a.csv.zst"}),
        (ZST + ZST[:0], {"name": "a.zst"}),
        (GOOD.decode().encode("utf-16"), {"encoding": "utf-16"}),
        (GOOD.decode().encode("utf-16-le"), {"encoding": "utf-16-le"}),
        (b"age,id\n30,1\n,2\n", {}),
    ],
)
def test_a_good_file_is_read_as_text(read: Read, data: bytes, options: dict[str, Any]):
    pd.testing.assert_frame_equal(read(data, **options), good())


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16-be", "utf-8", "UTF8"])
def test_a_text_of_any_encoding_is_read(read: Read, encoding: str):
    text = (
        "Größe (cm);café\n1,5;Łódź\n"
        if encoding.lower().startswith("u")
        else "Größe (cm);café\n1,5;é\n"
    )
    options = {"delimiter": ";", "encoding": encoding, "wanted": ["café", "Größe (cm)"]}
    frame = read(text.encode(encoding), **options)
    assert frame.to_dict("records") == [{"café": text.split(";")[-1].strip(), "Größe (cm)": "1,5"}]


def test_only_the_declared_texts_mean_no_value(read: Read):
    frame = read(b"id,age\nNA,nan\nnull,\n", missing=())
    assert frame.to_numpy().tolist() == [["NA", "nan"], ["null", ""]]


def test_extra_columns_are_dropped_when_asked(read: Read):
    frame = read(b"id,junk,age\n1,x,30\n2,y,\n", extra="drop")
    pd.testing.assert_frame_equal(frame, good())


@pytest.mark.parametrize("size", [131_073, 3_000_000])
def test_a_quoted_value_may_be_of_any_length(read: Read, size: int):
    text = "x," * (size // 2) + "\n"
    frame = read(f'id,age\n1,"{text}"\n2,"b"\n'.encode())
    assert frame["age"].tolist() == [text, "b"]


def test_a_quoted_value_keeps_its_delimiter_and_line_ends(read: Read):
    frame = read('id,age\n"a,\r\nb","say ""x"" \u2028"\n'.encode())
    assert frame.to_numpy().tolist() == [["a,\r\nb", 'say "x" \u2028']]


def test_an_empty_line_of_a_single_column_is_a_missing_value(read: Read):
    assert read(b"id\n1\n\n", wanted=["id"])["id"].tolist() == ["1", None]


def test_a_line_longer_than_a_block_is_read(read: Read):
    frame = read(b"id,age\n" + b"x" * 3_000_000 + b",1\n")
    assert len(frame["id"][0]) == 3_000_000


@pytest.mark.parametrize("before", [b"", b"# by me\n", b"# by me\r\n\r\n#of today\n"])
@pytest.mark.parametrize("quoted", [False, True])
def test_lines_before_the_header_are_left_out(read: Read, before: bytes, quoted: bool):
    data = GOOD.replace(b"1,30", b'1,"30"') if quoted else GOOD
    pd.testing.assert_frame_equal(read(before + data, comment="#"), good())
    rows = before.count(b"\n")
    pd.testing.assert_frame_equal(read(before + data, skip_rows=rows), good())
    body = data.partition(b"\n")[2]
    pd.testing.assert_frame_equal(read(before + body, comment="#", columns=COLUMNS), good())


def test_a_value_that_looks_like_a_comment_stays(read: Read):
    assert read(b"id,age\n#1,2\n", comment="#")["id"].tolist() == ["#1"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_folders_say_what_all_rows_of_a_file_have(tmp_path: Path, kind: str):
    files = []
    for folder in ("year=2023/city=K%C3%B6ln", "year=2024/city=__HIVE_DEFAULT_PARTITION__"):
        file = tmp_path / folder / f"a.{kind}"
        file.parent.mkdir(parents=True)
        frame = good()
        frame.to_parquet(file) if kind == "parquet" else frame.to_csv(file, index=False)
        files.append(file)
    source = SourceSettings(uri="x", format=kind, partitions=("year", "city"))
    frame = read_table(files, source, ["city", "id", "year"], "drop")
    assert list(frame.columns) == ["city", "id", "year"]
    assert frame["year"].tolist() == ["2023"] * len(good()) + ["2024"] * len(good())
    assert frame["city"].tolist() == ["Köln"] * len(good()) + [None] * len(good())
    assert [stored_name(file, source.partitions) for file in files] == [
        str(file.relative_to(tmp_path)) for file in files
    ]
    with pytest.raises(SourceError, match=r"folders say \['year'\].*contract.columns"):
        read_table(files, source, ["city", "id", "age"], "refuse")
    elsewhere = source.model_copy(update={"partitions": ("month",)})
    with pytest.raises(SourceError, match=r"no folder of it is named month=VALUE"):
        read_table(files, elsewhere, ["id"], "drop")


def test_a_zip_with_one_file_is_unpacked(tmp_path: Path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/", "")
        archive.writestr("folder/a.csv", GOOD)
    frame = read_table([path], SourceSettings(uri=str(path)), COLUMNS, "refuse")
    pd.testing.assert_frame_equal(frame, good())


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_refused_with_place_value_and_remedy(read: Read, case: str):
    data, options, words = DAMAGED[case]
    with pytest.raises(SourceError) as caught:
        read(data, **options)
    message = str(caught.value)
    for word in [options.get("name", "a.csv"), *words]:
        assert word in message
    assert message.endswith(".")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_missing_file_is_refused(tmp_path: Path, form: Any):
    source = SourceSettings(uri="gone", format=form)
    with pytest.raises(SourceError, match=r"gone: there is no such file.*source\.uri"):
        read_table([tmp_path / "gone"], source, COLUMNS, "refuse")
    with pytest.raises(SourceError, match="no file"):
        read_table([], source, COLUMNS, "refuse")


def test_a_folder_instead_of_a_file_is_refused(tmp_path: Path):
    with pytest.raises(SourceError, match="cannot be read"):
        read_table([tmp_path], SourceSettings(uri="x"), COLUMNS, "refuse")


def test_a_zip_with_two_files_is_refused(tmp_path: Path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", GOOD)
        archive.writestr("b.csv", GOOD)
    with pytest.raises(SourceError, match=r"2 files \['a.csv', 'b.csv'\].*Unpack"):
        read_table([path], SourceSettings(uri=str(path)), COLUMNS, "refuse")


def write_two(folder: Path, second: bytes) -> list[Path]:
    (folder / "a.csv").write_bytes(GOOD)
    (folder / "b.csv").write_bytes(second)
    return find_files(f"{folder}/*.csv")


def test_several_files_are_one_table_matched_by_name(tmp_path: Path):
    files = write_two(tmp_path, b"age,id\n7,3\n")
    frame = read_table(files, SourceSettings(uri="x"), COLUMNS, "refuse")
    assert frame["id"].tolist() == ["1", "2", "3"]
    assert frame["age"].tolist() == ["30", None, "7"]


def test_several_files_must_agree_in_columns(tmp_path: Path):
    files = write_two(tmp_path, b"id,age,more\n3,7,8\n")
    with pytest.raises(SourceError, match=r"b\.csv has .*more.*a\.csv has.*narrow the glob"):
        read_table(files, SourceSettings(uri="x"), COLUMNS, "drop")


def test_parquet_keeps_its_types_and_never_rounds_an_integer(tmp_path: Path):
    big = 2**53 + 1
    frame = pd.DataFrame(
        {"id": pd.array([big, None], "Int64"), "age": [1.5, None], "x": ["a", "b"]}
    )
    path = tmp_path / "a.parquet"
    frame_to_parquet(frame, path)
    source = SourceSettings(uri=str(path), format="parquet")
    read = read_table([path], source, COLUMNS, "drop")
    assert read["id"].tolist() == [big, None]
    assert read["age"].dtype == np.float64
    with pytest.raises(SourceError, match=r"\['x'\].*drop"):
        read_table([path], source, COLUMNS, "refuse")


def test_parquet_without_rows_or_of_two_schemas_is_refused(tmp_path: Path):
    frames = [pd.DataFrame({"id": [1]}), pd.DataFrame({"id": ["x"]}), pd.DataFrame({"id": [1]})[:0]]
    files = [tmp_path / f"{n}.parquet" for n in range(3)]
    for frame, file in zip(frames, files, strict=True):
        frame_to_parquet(frame, file)
    source = SourceSettings(uri="x", format="parquet")
    with pytest.raises(SourceError, match=r"0\.parquet and its siblings differ in types"):
        read_table(files[:2], source, ["id"], "refuse")
    with pytest.raises(SourceError, match=r"2\.parquet: no rows"):
        read_table(files[2:], source, ["id"], "refuse")


def test_check_columns_orders_and_does_not_modify():
    frame = pd.DataFrame({"age": [1], "id": [2], 3: [4]})
    assert list(check_columns(frame, COLUMNS, "drop", "here").columns) == COLUMNS
    assert list(frame.columns) == ["age", "id", 3]
    assert check_columns(frame[COLUMNS], COLUMNS, "refuse", "here").equals(frame[COLUMNS])
    with pytest.raises(SourceError, match=r"here: .*\[3\]"):
        check_columns(frame, COLUMNS, "refuse", "here")
    with pytest.raises(SourceError, match=r"\['name'\] are missing"):
        check_columns(frame, ["name"], "refuse", "here")


def no_frame() -> list[int]:
    return [1]


def no_rows() -> pd.DataFrame:
    return pd.DataFrame({"a": []})


def some_rows() -> pd.DataFrame:
    return pd.DataFrame({"a": [1]})


def test_a_loader_must_return_a_frame_with_rows():
    assert run_loader(f"{__name__}.some_rows").equals(some_rows())
    with pytest.raises(SourceError, match="returned a list; return a pandas DataFrame"):
        run_loader(f"{__name__}.no_frame")
    with pytest.raises(SourceError, match=r"shape \(0, 1\).*at least one row"):
        run_loader(f"{__name__}.no_rows")
    with pytest.raises(SourceError, match="is not a callable object"):
        run_loader(f"{__name__}.COLUMNS")
    with pytest.raises(DottedPathError, match="gone"):
        run_loader(f"{__name__}.gone")


def test_the_same_frame_gives_the_same_bytes(tmp_path: Path):
    frame = pd.DataFrame({"a": ["x", None], "t": pd.to_datetime([0, 1], utc=True)})
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    frame_to_parquet(frame, one)
    other = frame.copy()
    other.attrs["note"] = "not stored"
    frame_to_parquet(other, two)
    assert one.read_bytes() == two.read_bytes()
    pd.testing.assert_frame_equal(pd.read_parquet(one), frame)


def test_a_frame_that_parquet_cannot_hold_is_refused(tmp_path: Path):
    with pytest.raises(SourceError, match="one type"):
        frame_to_parquet(pd.DataFrame({"a": [1, "x"]}), tmp_path / "a.parquet")
    doubled = pd.DataFrame([[1, 2]], columns=pd.Index(["a", "a"]))
    with pytest.raises(SourceError, match="one name"):
        frame_to_parquet(doubled, tmp_path / "a.parquet")
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError):
        frame_to_parquet(pd.DataFrame({"a": [1]}), tmp_path / "file" / "a.parquet")
