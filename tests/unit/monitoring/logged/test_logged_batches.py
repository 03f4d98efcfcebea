"""Batches stand in the log as files of their own: read with it, and counted once a day."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.ml.inference.log_lines import parse
from mlops_assets.ml.monitoring.prediction_log import to_frame, to_table
from mlops_assets.ml.monitoring.profiles import profile_reference
from mlops_assets.records.monitoring import Window
from mlops_assets.records.profile import Counting
from resources.prediction_log.log import PredictionLog
from tests.unit.monitoring.logged.test_prediction_log import DAY, line, text, write

WINDOW = Window(start=DAY, end=DAY + timedelta(days=1))
REFERENCE = pd.DataFrame({"spend": [0.0, 1.0] * 50, "prediction": [0.2, 0.8] * 50})
COUNTING = Counting(
    bins=profile_reference(REFERENCE, {"spend": "float64"}).bins, window=timedelta(days=1)
)


@pytest.fixture
def log(tmp_path: Path) -> PredictionLog:
    return PredictionLog(endpoints=str(tmp_path / "endpoints"), root=str(tmp_path / "predictions"))


def add(log: PredictionLog, kind: str, batch: str, rows: int, hours: int = 0) -> None:
    """A batch of so many rows, logged some hours into the day."""
    lines = [line(batch, row=row, hours=hours, role="batch") for row in range(rows)]
    frame = to_frame([to_table(parse(text(*lines), "").lines, {})])
    logged = datetime.fromtimestamp(0, UTC) + timedelta(hours=hours)
    file = log.batches("toy").file(kind, DAY + timedelta(hours=hours), logged, batch)
    file.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(file, index=False)


def test_batches_are_read_with_the_log_and_stay_after_a_compaction(log: PredictionLog) -> None:
    write(log, text(line("live", hours=1)))
    add(log, "table", "b" * 32, 3, hours=2)
    for _ in range(2):
        found = log.read("toy", WINDOW.start, WINDOW.end)
        assert found["request_id"].tolist() == ["live", *["b" * 32] * 3]
        assert found["role"].tolist() == ["primary", *["batch"] * 3]
        assert log.newest("toy") == DAY + timedelta(hours=2)
        held = log.compact("toy").held
        assert held == {f"{DAY:%Y-%m-%d}": 4}
    assert log.batches("toy").holds("b" * 32)
    assert not log.batches("toy").holds("c" * 32)


def test_who_asks_for_everybody_ten_times_a_day_observes_each_once(log: PredictionLog) -> None:
    for hours in range(10):
        add(log, "snapshot", f"{hours:032x}", 5, hours)
    add(log, "table", "a" * 32, 2, 3)
    add(log, "table", "b" * 32, 4, 4)
    parts = log.parts("toy", [WINDOW], COUNTING, [1])
    assert sorted(part.profile.rows for part in parts) == [2, 4, 5]
    assert {part.role for part in parts} == {"batch"}
    assert len(log.read("toy", WINDOW.start, WINDOW.end)) == 56, "all of them stay"


def test_what_a_killed_batch_left_is_swept_and_nothing_else(log: PredictionLog) -> None:
    batches = log.batches("toy")
    torn = batches.folder / f".2026-03-01-table-20260301T000000-{'a' * 32}.parquet.x7"
    others = batches.folder / ".2026-03-01.parquet.x7"
    batches.folder.mkdir(parents=True)
    for file in (torn, others):
        file.write_bytes(b"PAR1")
    with batches.exclusive():
        assert not torn.exists()
        assert others.exists(), "a compaction may be writing it"
