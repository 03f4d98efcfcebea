"""Files as strangers have them -> a sample of texts, and how the files are written."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.errors import SourceError
from mlops_assets.init.plan import Wanted, plan
from mlops_assets.init.questions import Answers, UndecidedError
from mlops_assets.init.reading.files.sampling import MOST_ROWS
from mlops_assets.init.reading.names import safe_names
from mlops_assets.init.reading.table import Table, read_sample
from mlops_assets.ml.data.reading import read_table
from tests.support.tables.workbooks import write_workbook

RUSSIAN = "Привет, и это не шутка: ждём юг".replace(",", "")
CSV = "id,x,y\n" + "".join(f"{i},{i}.5,{i % 2}\n" for i in range(40))

NAMED_ROWS = b'"id","x","y"\n' + b"".join(b'"%d",%d,%d.5,1\n' % (i, i, i) for i in range(40))


def read(file: Path, content: str | bytes, **options: str) -> Table:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_sample(str(file), "y", Answers(options))


def zipped(data: bytes) -> bytes:
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        archive.writestr("inside.csv", data)
    return buffer.getvalue()


def zstandard(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("suffix", "packed"),
    [
        ("", bytes),
        (".gz", gzip.compress),
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
        (".zip", zipped),
        (".zst", zstandard),
    ],
)
def test_rule_sample_of_a_small_file_is_all_of_it(
    tmp_path: Path, suffix: str, packed: Callable[[bytes], bytes]
) -> None:
    table = read(tmp_path / f"a.csv{suffix}", packed(CSV.encode()))
    assert (table.rows, table.of_rows, table.whole) == (40, 40, True)
    assert table.columns["x"][3].as_py() == "3.5"
    (written,) = table.write(tmp_path)
    assert written.read_text() == CSV


@pytest.mark.parametrize(("suffix", "packed"), [("", bytes), (".gz", gzip.compress)])
def test_rule_sample_of_a_long_file_is_bounded_and_from_all_over(
    tmp_path: Path, suffix: str, packed: Callable[[bytes], bytes]
) -> None:
    rows = 400_000
    text = "id,x\n" + "".join(f"{i},{i % 97}\n" for i in range(rows))
    table = read(tmp_path / f"long.csv{suffix}", packed(text.encode()))
    ids = pd.to_numeric(pd.Series(table.columns["id"].to_pylist()))
    assert MOST_ROWS / 2 < table.rows < 2 * MOST_ROWS
    assert not table.whole
    assert 0.8 * rows < table.of_rows < 1.2 * rows
    assert ids.is_unique
    assert set(ids // (rows // 10)) == set(range(10)), "each tenth of the file"


def test_rule_sample_takes_only_the_head_where_values_hold_line_breaks(tmp_path: Path) -> None:
    text = "id,note\n" + "".join(f'{i},"a\nb, ""c"""\n' for i in range(200_000))
    table = read(tmp_path / "notes.csv", text)
    assert not table.whole
    assert set(table.columns["note"].to_pylist()) == {'a\nb, "c"'}


def test_rule_sample_of_many_files_is_of_some(tmp_path: Path) -> None:
    for day in range(30):
        (tmp_path / f"{day:02d}.csv").write_text(f"day,x\n{day},1\n{day},2\n")
    table = read_sample(f"{tmp_path}/*.csv", "y", Answers())
    days = set(table.columns["day"].to_pylist())
    assert {"0", "29"} < days
    assert len(days) == 8
    assert (table.rows, table.of_rows) == (16, 60)


def test_rule_folder_becomes_a_glob(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CSV)
    (tmp_path / "readme.md").write_text("text")
    assert read_sample(str(tmp_path), "y", Answers()).source["uri"].endswith("/*.csv")
    (tmp_path / "b.parquet").write_text("")
    with pytest.raises(SourceError, match=r"several kinds.*by a glob"):
        read_sample(str(tmp_path), "y", Answers())


def test_rule_encoding_of_western_letters_is_windows_1252(tmp_path: Path) -> None:
    table = read(tmp_path / "a.csv", "name,y\nMünchen,1\nKöln,0\n€uro,1\n".encode("cp1252"))
    assert table.source["encoding"] == "cp1252"
    assert table.columns["name"].to_pylist() == ["München", "Köln", "€uro"]


def test_rule_encoding_of_other_letters_is_asked(tmp_path: Path) -> None:
    data = ("name,y\n" + f"{RUSSIAN},1\n" * 20).encode("cp1251")
    with pytest.raises(UndecidedError, match=r"no UTF-8.*--encoding 'cp1251'"):
        read(tmp_path / "a.csv", data)
    table = read(tmp_path / "a.csv", data, encoding="cp1251")
    assert table.columns["name"][0].as_py() == RUSSIAN


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_rule_delimiter(tmp_path: Path, mark: str) -> None:
    table = read(tmp_path / "a.csv", CSV.replace(",", mark))
    assert list(table.columns) == ["id", "x", "y"]
    assert table.source.get("delimiter", ",") == mark


def test_rule_delimiter_of_blanks(tmp_path: Path) -> None:
    text = "  id   x\n" + "".join(f"  {i:3d}  {i / 4:6.2f}\n" for i in range(30))
    table = read(tmp_path / "a.txt", text)
    assert table.source["format"] == "whitespace"
    assert table.columns["x"][4].as_py() == "1.00"


def test_rule_blanks_around_values_are_left_out(tmp_path: Path) -> None:
    text = "age, work class , y\n" + "".join(f"{i}, State-gov, {i % 2} \n" for i in range(30))
    table = read(tmp_path / "a.csv", text)
    assert table.source["trim"] is True
    assert list(table.columns) == ["age", "work class", "y"]
    assert set(table.columns["y"].to_pylist()) == {"0", "1"}
    source = SourceSettings.model_validate(table.source)
    rows = read_table([tmp_path / "a.csv"], source, list(table.columns), "refuse")
    assert rows["work class"].unique().tolist() == ["State-gov"]
    assert "trim" not in read(tmp_path / "b.csv", CSV).source
    quoted = 'a, "b, c",y\n' * 9
    with pytest.raises(SourceError, match=r"has quotes.*Remove `source.trim`"):
        read_table([written(tmp_path / "c.csv", quoted)], source, ["a"], "drop")


def written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("before", "source"),
    [
        ("# by me\n# of today, and y\n", {"comment": "#"}),
        ("# by me\n\n% of the y\n", {"skip_rows": 3}),
        ("Sales of the y\n", {"skip_rows": 1}),
        ("Sales,,\n,,\n", {"skip_rows": 2}),
        ("a,b,c\nof,which,x\n", {"skip_rows": 2}),
        ("", {}),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", " "])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_rule_preamble(
    tmp_path: Path, before: str, source: dict[str, Any], delimiter: str, ends: str
) -> None:
    text = (before + CSV.replace(",", delimiter)).replace("\n", ends)
    table = read(tmp_path / "a.csv", text)
    assert {k: v for k, v in table.source.items() if k in ("skip_rows", "comment")} == source
    assert (list(table.columns), table.rows) == (["id", "x", "y"], 40)
    (file,) = table.write(tmp_path)
    settings = SourceSettings.model_validate(table.source)
    assert len(read_table([file], settings, ["id", "y"], "drop")) == 40


@pytest.mark.parametrize("rare", [1, 5])
@pytest.mark.parametrize("ends", ["", ",1.5"])
def test_rule_preamble_is_no_row_of_an_event_log(tmp_path: Path, rare: int, ends: str) -> None:
    if rare == 1 and not ends:
        return  # a text among texts, once: nothing tells it from a header
    kinds = ["view"] * 20 + ["buy"] * rare + ["view"] * 40
    rows = "".join(f"u{i},{kind}{ends}\n" for i, kind in enumerate(kinds))
    (tmp_path / "a.csv").write_text(f"user,kind{',amount' if ends else ''}\n{rows}")
    table = read_sample(str(tmp_path / "a.csv"), "buy", Answers())
    assert "skip_rows" not in table.source
    assert list(table.columns)[:2] == ["user", "kind"]


def test_rule_preamble_of_a_file_without_header(tmp_path: Path) -> None:
    rows = CSV.split("\n", 1)[1]
    table = read(tmp_path / "a.csv", f"# by me\n{rows}", columns="id,x,y")
    assert table.source["comment"] == "#"
    settings = SourceSettings.model_validate(table.source)
    assert len(read_table([tmp_path / "a.csv"], settings, ["id", "y"], "drop")) == 40


def test_rule_preamble_is_refused_where_no_line_names_the_target(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"2 lines stand before the header.*no line.*names 'y'"):
        read(tmp_path / "a.csv", "by me\nof today\n" + CSV.replace("y", "z"))


@pytest.mark.parametrize("rows", [40, 3 * MOST_ROWS])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "csv.gz"])
def test_rule_encoding_of_utf_16(tmp_path: Path, kind: str, rows: int) -> None:
    lines = [f"Größe {i},{i}.5,{i % 2}" for i in range(rows)]
    if kind == "jsonl":
        lines = [f'{{"id": "Größe {i}", "x": {i}.5, "y": {i % 2}}}' for i in range(rows)]
    text = "\n".join([*(["id,x,y"] if kind != "jsonl" else []), *lines, ""])
    data = text.encode("utf-16")
    table = read(tmp_path / f"a.{kind}", gzip.compress(data) if kind.endswith("gz") else data)
    assert table.source["encoding"] == "utf-16"
    assert table.columns["id"][0].as_py() == "Größe 0"
    assert table.rows == rows or MOST_ROWS / 2 < table.rows < 2 * MOST_ROWS
    assert 0.8 < table.of_rows / rows < 1.25
    (file,) = table.write(tmp_path)
    settings = SourceSettings.model_validate(table.source)
    assert len(read_table([file], settings, ["id", "y"], "drop")) == table.rows


def test_rule_encoding_of_utf_8_with_a_mark(tmp_path: Path) -> None:
    table = read(tmp_path / "a.csv", b"\xef\xbb\xbf" + CSV.encode())
    assert "encoding" not in table.source
    assert list(table.columns) == ["id", "x", "y"]


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_rule_partitions(tmp_path: Path, kind: str) -> None:
    frame = pd.read_csv(io.StringIO(CSV))
    writers = {"csv": "to_csv", "parquet": "to_parquet", "jsonl": "to_json"}
    how = {"orient": "records", "lines": True} if kind == "jsonl" else {"index": False}
    for year in (2022, 2023):
        for month in ("01", "02"):
            folder = tmp_path / "x=1" / "data" / f"year={year}" / f"month={month}"
            folder.mkdir(parents=True)
            getattr(frame, writers[kind])(folder / f"part.{kind}", **how)
    table = read_sample(str(tmp_path / "x=1" / "data"), "y", Answers())
    assert table.source["partitions"] == ["year", "month"]
    assert list(table.columns) == ["id", "x", "y", "year", "month"]
    assert table.columns["month"].to_pylist() == (["01"] * 40 + ["02"] * 40) * 2
    drafted = plan(table, Wanted("mine", "y", 8103), Answers(likely=True))
    assert drafted.left_out == {}
    assert drafted.attributes["contract"]["columns"]["month"] == {"dtype": "string"}
    (tmp_path / "part").mkdir()
    written = table.write(tmp_path / "part")
    settings = SourceSettings.model_validate(table.source)
    rows = read_table(written, settings, ["id", "year", "month"], "drop")
    assert rows["year"].tolist() == ["2022"] * 80 + ["2023"] * 80


def test_rule_partitions_of_one_file_are_none(tmp_path: Path) -> None:
    (tmp_path / "run=5").mkdir()
    assert "partitions" not in read(tmp_path / "run=5" / "a.csv", CSV).source


SHEET = [["id", "x", "y"], *([i, i + 0.5, i % 2] for i in range(40))]


def test_rule_sheet_is_the_one_that_names_the_target(tmp_path: Path) -> None:
    sheets = {"About": [["of y"]], "Data": [["Sales of y"], [None], *SHEET]}
    write_workbook(tmp_path / "a.xlsx", sheets)
    table = read_sample(str(tmp_path / "a.xlsx"), "y", Answers())
    assert table.source == {
        "uri": str(tmp_path / "a.xlsx"), "format": "excel", "sheet": "Data", "skip_rows": 2
    }  # fmt: skip
    assert (table.rows, table.whole) == (40, True)
    assert table.columns["x"][1].as_py() == "1.5"
    settings = SourceSettings.model_validate(table.source)
    assert len(read_table([tmp_path / "a.xlsx"], settings, ["id", "y"], "drop")) == 40

    write_workbook(tmp_path / "b.xlsx", {"A": SHEET, "B": SHEET})
    with pytest.raises(UndecidedError, match="--sheet 'A'"):
        read_sample(str(tmp_path / "b.xlsx"), "y", Answers())
    one = read_sample(str(tmp_path / "b.xlsx"), "y", Answers({"sheet": "B"}))
    assert one.source["sheet"] == "B"
    with pytest.raises(SourceError, match=r"none of the sheets \['A', 'B'\] has 'z'"):
        read_sample(str(tmp_path / "b.xlsx"), "z", Answers())


def test_rule_sheet_is_sampled_and_its_total_is_refused(tmp_path: Path) -> None:
    long = [["id", "y"], *([i, i % 2] for i in range(MOST_ROWS + 500))]
    write_workbook(tmp_path / "a.xlsx", {"Data": long})
    table = read_sample(str(tmp_path), "y", Answers())
    assert (table.rows, table.of_rows, table.whole) == (MOST_ROWS, MOST_ROWS + 500, False)
    write_workbook(tmp_path / "a.xlsx", {"Data": [*SHEET, ["Total", None, 20]]})
    with pytest.raises(SourceError, match=r"the last row, \['Total'.*is a total; delete it"):
        read_sample(str(tmp_path), "y", Answers())


def test_rule_header_is_where_the_target_is(tmp_path: Path) -> None:
    rows = CSV.split("\n", 1)[1]
    with pytest.raises(SourceError, match=r"values and no header.*--columns"):
        read(tmp_path / "a.csv", rows)
    table = read(tmp_path / "a.csv", rows, columns="id,x,y")
    assert table.rows == 40
    assert table.source["columns"] == ["id", "x", "y"]


def test_rule_marks_are_those_of_the_table_not_of_one_column(tmp_path: Path) -> None:
    text = "whole;rate\n" + "7.492;-1,07\n123;0,5\n" * 20
    table = read(tmp_path / "a.csv", text)
    assert (table.decimal, table.thousands) == (",", ".")


@pytest.mark.parametrize(
    ("values", "marks"),
    [
        (["1,5", "2,25", "-0,1"], (",", None)),
        (["1.234,5", "2,25", "1.000"], (",", ".")),
        (["1,234.5", "2.25", "1,000"], (".", ",")),
        (["1,234,567", "12", "1,000"], (".", ",")),
        (["1.5", "2", "3e4"], (".", None)),
        (["a,b", "c", "d,1"], (".", None)),
    ],
)
def test_rule_marks(tmp_path: Path, values: list[str], marks: tuple[str, str | None]) -> None:
    text = "x;k\n" + "".join(f"{value};a\n" for value in values * 10)
    table = read(tmp_path / "a.csv", text)
    assert (table.decimal, table.thousands) == marks


def test_rule_marks_are_asked_where_both_would_do(tmp_path: Path) -> None:
    text = "x;k\n" + "".join(f"{i},{100 + i};a\n" for i in range(30))
    with pytest.raises(UndecidedError, match=r"above one thousand.*--decimal ','"):
        read(tmp_path / "a.csv", text)
    assert read(tmp_path / "a.csv", text, decimal=".").source["thousands"] == ","


def test_rule_json_flattens_one_level(tmp_path: Path) -> None:
    text = '{"id": 1, "a": {"b": true, "c": null}, "tags": [1], "n": 2.5}\n' * 3
    table = read(tmp_path / "a.jsonl", text)
    assert list(table.columns) == ["id", "a.b", "a.c", "n"]
    assert table.columns["a.b"][0].as_py() == "true"
    assert table.columns["a.c"].null_count == 3
    assert "tags" in table.nested
    with pytest.raises(SourceError, match="one JSON array"):
        read(tmp_path / "b.json", "[{}]")


def test_rule_parquet_spells_values_whatever_their_type(tmp_path: Path) -> None:
    at = pd.date_range("2024-03-30", periods=3, freq="D", tz="Europe/Berlin")
    table = pa.table(
        {
            "d": pa.array(["1.50", None, "2.00"]).cast(pa.decimal128(5, 2)),
            "k": pa.array(["a", "b", "a"]).dictionary_encode(),
            "at": pa.array(at),
            "s": pa.array([{"age": 1}] * 3),
            "tags": pa.array([["x"]] * 3),
            "raw": pa.array([b"\xff"] * 3),
            "ms": pa.array([1.7e12, None, 1.7e12 + 1]),
            "half": pa.array([1.5, 2.0, 3.0], pa.float16()),
            "hash": pa.array([1, 2, 2**63], pa.uint64()),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    found = read_sample(str(tmp_path / "a.parquet"), "y", Answers())
    assert found.columns["d"].to_pylist() == ["1.50", None, "2.00"]
    assert found.columns["k"].to_pylist() == ["a", "b", "a"]
    assert found.columns["at"][2].as_py().startswith("2024-03-31 22:00:00"), "in UTC, in summer"
    assert found.columns["s.age"].to_pylist() == ["1", "1", "1"]
    assert found.columns["ms"].to_pylist() == ["1700000000000", None, "1700000000001"]
    assert found.columns["half"].to_pylist() == ["1.5", "2", "3"]
    assert set(found.nested) == {"tags", "raw", "hash"}
    assert found.nested["hash"].endswith("store them as text")


def test_rule_names() -> None:
    found = safe_names(
        [
            *("mean radius", "Größe (cm)", "od280/od315", "userId", "Age", "age", "2nd", "年齢"),
            *("row", "prediction", "", "HTTPServer", "Straße & Ort"),
        ]
    )
    assert list(found.values()) == [
        *("mean_radius", "groesse_cm", "od280_od315", "user_id", "age_2", "age", "n_2nd"),
        *("column_8", "row_value", "prediction_value", "column_11", "httpserver", "strasse_ort"),
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (b"PK\x03\x04....", "an Excel workbook or a zip archive of another name"),
        (b"SQLite format 3\0...", "a SQLite database"),
        ("id,y\n1,2\n".encode("utf-16-le"), "UTF-16 without a byte order mark"),
        (CSV.encode() + b"Total,,20\n", "'Total,,20', is no row but a footer.*head -n -1"),
        (CSV.encode() + b"Source: the census\n", "'Source: the census', is no row"),
        (CSV.encode() + b"\n\n", "ends with empty lines"),
        (NAMED_ROWS, r"3 names and every row 4 values: the first.*row.names = FALSE"),
        (NAMED_ROWS.replace(b",", b" "), "3 names and every row 4 values"),
        (CSV.replace("\n", ",\n").replace("y,", "y").encode(), "last one empty; delete the delim"),
        (CSV.replace("\n", "\r").encode(), r"carriage return alone.*tr '.r' '.n' < a.csv"),
        ((CSV + CSV).encode(), r"line 42 is the header again \(1 of.*sed -i 42d a.csv"),
        (f"# y of me\n{CSV}{CSV}".encode(), r"line 43 is the header again"),
        (
            CSV.replace(",0.5", ',"a\nb"').encode() + CSV.encode(),
            "row 41 of the sample is the header",
        ),
        (CSV.replace("y\n", "y\nid,m/s,flag\n").encode(), r"line 2 is no row.*'m/s'.*sed -i 2d"),
        (CSV.replace("y\n", "y\n,m/s,\n").encode(), r"line 2 is no row.*\{'x': 'm/s'\}"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"id,y\n1,2\n1,2,3\n4,5\n" + b"6,7\n" * 40, "have another number of values"),
        (b"id,id,y\n1,2,3\n" * 30, "occur twice"),
        (b"id,y\n", "no rows"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read(tmp_path / "a.csv", data)


@pytest.mark.parametrize(
    "first", ["?,-,NA", "unknown,1.5,0", "2024-01-01,1e3,-0.5", "a,0.1,1", ",,"]
)
def test_a_first_row_with_gaps_or_a_word_is_a_row(tmp_path: Path, first: str) -> None:
    assert read(tmp_path / "a.csv", CSV.replace("y\n", f"y\n{first}\n")).rows == 41


def test_files_of_other_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CSV)
    (tmp_path / "b.csv").write_text(CSV.replace("x", "z"))
    with pytest.raises(SourceError, match=r"also \['z'\], not \['x'\]"):
        read_sample(f"{tmp_path}/*.csv", "y", Answers())


def test_files_with_a_column_more_have_no_footer(tmp_path: Path) -> None:
    wider = "".join(f"{line},{'z' if n == 0 else n}\n" for n, line in enumerate(CSV.splitlines()))
    (tmp_path / "a.csv").write_text(CSV)
    (tmp_path / "b.csv").write_text(wider)
    with pytest.raises(SourceError, match=r"b.csv has other columns than .*a.csv: also \['z'\];"):
        read_sample(f"{tmp_path}/*.csv", "y", Answers())


def test_a_file_without_a_last_newline_is_said_to_be_one(tmp_path: Path) -> None:
    assert "final_newline" not in read(tmp_path / "a.csv", CSV).source
    assert read(tmp_path / "a.csv", CSV[:-1]).source["final_newline"] == "optional"


def test_the_memory_of_a_sample_does_not_grow_with_the_columns(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(500)]
    frame = pd.DataFrame(np.zeros((4000, 500)), columns=names)
    frame.to_csv(tmp_path / "wide.csv", index=False)
    assert read_sample(str(tmp_path / "wide.csv"), "y", Answers()).rows <= 2 * 3000


def test_a_table_of_2000_columns_is_read(tmp_path: Path) -> None:
    frame = pd.DataFrame(np.full((100, 2_000), 0.123456), columns=[f"c{i}" for i in range(2_000)])
    frame.assign(y=1).to_csv(tmp_path / "wide.csv", index=False)
    table = read_sample(str(tmp_path / "wide.csv"), "y", Answers())
    assert (table.rows, len(table.columns)) == (100, 2_001)
    with (tmp_path / "wide.csv").open("a") as file:
        file.write("Total" + "," * 1_999 + "100\n")
    with pytest.raises(SourceError, match="no row but a footer"):
        read_sample(str(tmp_path / "wide.csv"), "y", Answers())


@pytest.mark.parametrize("at", [0, 3, 39])
@pytest.mark.parametrize("length", [9_000, 140_000, 3_000_000])
def test_a_value_of_megabytes_is_read_as_one(tmp_path: Path, at: int, length: int) -> None:
    lines = CSV.splitlines(keepends=True)
    lines[at + 1] = f"{at},{'v' * length},1\n"
    table = read(tmp_path / "a.csv", "".join(lines))
    assert table.columns["id"].to_pylist() == [str(i) for i in range(40)]
    assert (table.rows, table.of_rows, table.whole) == (40, 40, True)


@pytest.mark.parametrize(("suffix", "packed"), [("", bytes), (".gz", gzip.compress)])
@pytest.mark.parametrize("at", [0, 100_000, 200_000])
def test_a_value_of_megabytes_makes_no_row_twice(
    tmp_path: Path, at: int, suffix: str, packed: Callable[[bytes], bytes]
) -> None:
    rows = [f"{i},{i % 97}\n" for i in range(200_001)]
    rows[at] = f"{at},{'v' * 3_000_000}\n"
    table = read(tmp_path / f"a.csv{suffix}", packed(("id,y\n" + "".join(rows)).encode()))
    ids = pd.to_numeric(pd.Series(table.columns["id"].to_pylist()))
    assert ids.is_unique
    assert ids.max() > 150_000
    assert table.columns["y"].is_valid().to_pylist() == [True] * table.rows
    assert table.of_rows >= table.rows


def test_rule_names_of_other_scripts() -> None:
    names = ["Возраст клиента", "Щука й ёж", "Ηλικία", "Ψάρι", "Київ", "العمر"]
    assert list(safe_names(names).values()) == [
        *("vozrast_klienta", "shchuka_i_ezh", "ilikia", "psari", "kiiv", "column_6"),
    ]


def test_a_name_that_is_safe_already_is_kept() -> None:
    assert safe_names(["User Name", "user_name", "USER-NAME"]) == {
        "User Name": "user_name_2", "user_name": "user_name", "USER-NAME": "user_name_3"
    }  # fmt: skip
