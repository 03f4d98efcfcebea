"""`benchmarks.compaction` in small: what is read, written and held at once, and never the time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.compaction.parts import day, make, next_hour
from mlops_assets.errors import PredictionLogError
from resources.bucket import mirror
from resources.prediction_log import days, lines, merging
from resources.prediction_log.log import PredictionLog
from tests.unit.monitoring.logged.test_prediction_log import line, text, write

ROWS = 64


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were written, of a log that holds 64 rows and 4 kB at once."""
    names: list[str] = []
    write_atomically = mirror.write_atomically

    def counting(path: Path, write: Callable[[Path], object]) -> None:
        names.append(path.name)
        write_atomically(path, write)

    monkeypatch.setattr(mirror, "write_atomically", counting)
    monkeypatch.setattr(lines, "_BYTES_AT_ONCE", 4_000)
    for module in (merging, days):
        monkeypatch.setattr(module, "ROWS_AT_ONCE", ROWS)
    return names


def test_a_day_is_written_once_a_pass_and_in_groups(tmp_path: Path, replaced: list[str]) -> None:
    make(str(tmp_path), 500, lines=100)
    assert day(str(tmp_path))["rows"] == 500
    make(str(tmp_path), 150, seed=1, lines=100)
    assert next_hour(str(tmp_path))["rows"] == 150
    assert next_hour(str(tmp_path))["rows"] == 0

    assert replaced == ["2026-03-01.parquet"] * 2
    (file,) = Path(tmp_path, "log", "toy").glob("*.parquet")
    with pq.ParquetFile(file) as opened:
        groups = [opened.metadata.row_group(i).num_rows for i in range(opened.num_row_groups)]
    assert groups == [ROWS] * (650 // ROWS) + [650 % ROWS]
    found = pd.read_parquet(file)
    assert found["entity"].value_counts().sort_index().tolist() == [2] * 150 + [1] * 350
    assert found.filter(like="feature_x").notna().all(axis=None)


def test_a_day_that_gets_no_row_is_not_written(tmp_path: Path, replaced: list[str]) -> None:
    log = PredictionLog(endpoints=f"{tmp_path}/endpoints", root=f"{tmp_path}/log")
    every = [line(f"{hour}", hours=hour) for hour in range(48)]
    write(log, text(*every))
    log.compact("toy")
    write(log, text(*every, line("late", hours=30)), number=1)

    summary = log.compact("toy")

    assert (summary.rows, summary.duplicates, summary.days) == (1, 48, ("2026-03-02",))
    assert replaced == ["2026-03-01.parquet", "2026-03-02.parquet", "2026-03-02.parquet"]


def test_rows_of_several_shapes_and_files_are_the_rows_of_one(
    tmp_path: Path, replaced: list[str]
) -> None:
    """Cut where a part ends, a feature is text in one and a number, or not there, in another."""
    every = [
        line(f"{i}", hours=i % 30, entity=(i, f"é{i}", None)[i % 3], features=features)
        for i, features in enumerate([{"a": 1.5}, {"a": "x", "b": 2}, {}, {"b": None}] * 20)
    ]
    rows = []
    for name, parts in {"whole": [every], "parts": [every[:7], every[7:40], every[40:]]}.items():
        log = PredictionLog(endpoints=f"{tmp_path}/{name}", root=f"{tmp_path}/{name}/log")
        for number, part in enumerate(parts):
            write(log, text(*part), number=number)
            log.compact("toy")
        rows.append(pd.concat(map(pd.read_parquet, log._days("toy"))).sort_values("event_time"))
    whole, parts = (one.set_index("request_id").sort_index() for one in rows)
    pd.testing.assert_frame_equal(whole, parts[list(whole)])
    assert whole["feature_a"].dropna().unique().tolist() == ["1.5", "x"]
    assert replaced.count("2026-03-01.parquet") == 4


def test_a_wrong_line_is_named_by_its_number_in_the_file(
    tmp_path: Path, replaced: list[str]
) -> None:
    log = PredictionLog(endpoints=f"{tmp_path}/endpoints", root=f"{tmp_path}/log")
    write(log, text(*(line(f"{i}") for i in range(40)), {"request_id": "b"}))
    with pytest.raises(PredictionLogError, match=r"jsonl, line 41: .*`row`"):
        log.compact("toy")
    assert replaced == []


def test_what_a_killed_pass_set_aside_is_deleted_by_the_next(
    tmp_path: Path, replaced: list[str]
) -> None:
    left = tmp_path / "log" / "toy" / ".new-x7"
    left.mkdir(parents=True)
    (left / "2026-03-01-0.arrow").write_bytes(b"ARROW1")
    make(str(tmp_path), 100, lines=100)
    assert next_hour(str(tmp_path))["rows"] == 100
    assert not left.exists()
    assert replaced == ["2026-03-01.parquet"]
    assert np.all([not path.name.startswith(".new-") for path in left.parent.iterdir()])


def test_a_day_is_added_to_without_being_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (merging, days):
        monkeypatch.setattr(module, "ROWS_AT_ONCE", 1_000)
    make(str(tmp_path), 40_000)
    day(str(tmp_path))
    make(str(tmp_path), 500, seed=1)
    held = list[int]()
    as_schema = merging.as_schema

    def counting(table: pa.Table, schema: pa.Schema) -> pa.Table:
        held.append(pa.total_allocated_bytes())
        return as_schema(table, schema)

    monkeypatch.setattr(merging, "as_schema", counting)
    before = pa.total_allocated_bytes()
    assert next_hour(str(tmp_path))["rows"] == 500
    (file,) = Path(tmp_path, "log", "toy").glob("*.parquet")
    assert max(held) - before < file.stat().st_size / 4
