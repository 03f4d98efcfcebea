"""Batch by batch the same rows are read as at once, and no row breaks in two."""

import gzip
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.errors import SourceError
from mlops_assets.ml.data import batches
from mlops_assets.ml.data.batches import TableFiles, about_rows, as_named
from mlops_assets.ml.data.contract import SeenKeys
from mlops_assets.ml.data.formats.delimited import cut, open_text, parse_text
from mlops_assets.ml.data.reading import read_table
from resources.engine import FeatureEngine
from tests.support.toy_models import event_log, flat_table
from tests.worlds.effort import worlds

SOURCE = SourceSettings(uri="x.csv")
COLUMNS = ["n", "text"]
FRAME = pd.DataFrame({"n": range(50), "text": [f"a{n}" for n in range(50)], "more": 1})


def tables(files: TableFiles) -> list[pa.Table]:
    return [table for table, _ in files]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.jsonl.gz", "a.parquet"])
def test_a_file_is_read_as_its_name_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "ROWS", 7)
    monkeypatch.setattr(batches, "_PIECE", 40)
    file = tmp_path / name
    if name.endswith(".parquet"):
        FRAME.to_parquet(file, row_group_size=20)
    else:
        text = FRAME.to_csv(index=False)
        if "jsonl" in name:
            text = FRAME.to_json(orient="records", lines=True)
        content = text.encode()
        file.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    read = TableFiles([file, file], SOURCE, COLUMNS)
    found = pa.concat_tables(tables(read)).to_pandas()
    assert found["n"].astype(int).tolist() == [*range(50), *range(50)]
    assert found["text"].tolist() == [*FRAME["text"], *FRAME["text"]]
    assert list(read.ignored) == ["more"]
    if "jsonl" not in name:
        assert len(tables(read)) > 10


def test_a_dialect_is_that_of_the_source() -> None:
    semicolons = SourceSettings(uri="x.csv", delimiter=";", decimal=",")
    assert as_named(Path("b.csv"), semicolons) == semicolons
    assert as_named(Path("b.parquet"), semicolons).format == "parquet"
    blanks = SourceSettings(uri="x.txt", format="whitespace")
    assert as_named(Path("new.2024.csv"), blanks) == as_named(Path("new"), blanks) == blanks


def test_how_many_rows_there_are_is_known_before_they_are_read(tmp_path: Path) -> None:
    FRAME.to_parquet(tmp_path / "a.parquet")
    stored = SOURCE.model_copy(update={"format": "parquet"})
    assert about_rows([tmp_path / "a.parquet"] * 2, stored) == 100
    (tmp_path / "a.csv").write_bytes(b"x" * 4000)
    (tmp_path / "a.csv.gz").write_bytes(b"x" * 4000)
    assert about_rows([tmp_path / "a.csv", tmp_path / "a.csv.gz"], SOURCE) == 100 + 500


@pytest.mark.parametrize("url", ["arrays", "auto", "duckdb://", "spark://a:1"])
def test_only_what_another_engine_aggregates_is_checked_in_batches(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.csv"
    FRAME.to_csv(file)
    engine = FeatureEngine(url=url, spill=str(tmp_path / "spill"))
    with engine.checking(flat_table({"x": "float64", "y": "float64"}), [file]) as folder:
        assert folder is None
    for least, by_size in ((10, True), (10_000, False)):
        monkeypatch.setattr("mlops_assets.engines.choice.AUTO_EVENTS", least)
        with engine.checking(event_log(), [file]) as folder:
            assert (folder is not None) == (by_size if url == "auto" else url != "arrays")
    assert not (tmp_path / "spill").exists() or not any((tmp_path / "spill").iterdir())


def test_a_needed_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    FRAME.drop(columns="text").to_parquet(file)
    with pytest.raises(SourceError, match=r"the columns \['text'\] are missing"):
        tables(TableFiles([file], SOURCE, COLUMNS))
    FRAME.head(0).to_parquet(file)
    with pytest.raises(SourceError, match=r"no rows\. Fetch or write the file again"):
        tables(TableFiles([file], SOURCE, COLUMNS))


CELLS = st.text(st.sampled_from('ab",\n'), max_size=4)


def test_wherever_a_text_is_cut_no_row_breaks_in_two() -> None:
    @worlds(200)
    @given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12), st.integers(1, 30))
    def in_a_world(rows: list[tuple[str, str]], size: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "x.csv")
            frame = pd.DataFrame([("x", "y"), *rows], columns=["a", "b"])
            frame.to_csv(file, index=False)
            whole = read_table([file], SOURCE, ["a", "b"], "refuse")
            text = open_text(file, SOURCE, ["a", "b"])
            pieces = list(cut(text, size))
            assert b"".join(piece.body for piece in pieces) == text.body
            read = pa.concat_tables(parse_text(piece, ["a", "b"], ("",)) for piece in pieces)
            assert read.to_pandas().equals(whole)
            assert [p.first_line for p in pieces][-1] + pieces[-1].body.count(b"\n") == (
                text.first_line + text.body.count(b"\n")
            )

    in_a_world()


def test_keys_of_earlier_batches_are_known_whatever_they_are() -> None:
    row = st.tuples(
        st.integers(0, 3),
        st.sampled_from(["a", "b", None]),
        st.sampled_from([0.0, -0.0, float("nan"), 1.5]),
        st.booleans(),
        st.sampled_from(
            [None, *map(pd.Timestamp, ("2024-01-01T00:00:00.5Z", "1950-05-05T00:00Z"))]
        ),
    )

    @worlds(100)
    @given(st.lists(row, min_size=1, max_size=40), st.integers(1, 9))
    def in_a_world(rows: list[tuple], size: int) -> None:
        keys = pd.DataFrame(rows, columns=list("ioftd")).astype({"o": object})
        keys["d"] = pd.to_datetime(keys["d"], utc=True).astype("datetime64[ns, UTC]")
        seen, found = SeenKeys(), []
        for start in range(0, len(keys), size):
            found += seen.again(keys.iloc[start : start + size]).tolist()
        assert found == keys.duplicated().tolist()

    in_a_world()


def test_memory_does_not_grow_with_the_row_groups(tmp_path: Path) -> None:
    file, rows = tmp_path / "a.parquet", 50_000
    frame = pd.DataFrame({"n": range(rows), "text": ["a"] * rows})
    with pq.ParquetWriter(file, pa.Schema.from_pandas(frame)) as writer:
        for _ in range(20):
            writer.write_table(pa.Table.from_pandas(frame))
    before, most = pa.total_allocated_bytes(), 0
    for _ in TableFiles([file], SOURCE, COLUMNS):
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 5 * 8 * rows * 2, "a few groups, not all twenty"
