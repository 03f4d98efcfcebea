"""Whatever was logged is read back exactly, compacted or not, whatever became of its version."""

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pandas as pd
from hypothesis import given

from mlops_assets.ml.inference.log_lines import LogLine
from mlops_assets.ml.monitoring.live_profiles import as_profiled
from resources.prediction_log.log import PredictionLog
from tests.worlds.effort import worlds
from tests.worlds.lines import logged

EVER = (datetime(1901, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
DEAD = 2**22 + 1
"""A pid that Linux never gives."""


def log_of(lines: Sequence[LogLine], folder: str) -> PredictionLog:
    """A log of the model `m`, of an endpoint that wrote these lines and ended."""
    file = Path(folder, "endpoints", "m", "predictions", f"2026-01-01-{DEAD}-0.jsonl")
    file.parent.mkdir(parents=True)
    file.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return PredictionLog(endpoints=f"{folder}/endpoints", root=f"{folder}/log")


@worlds(40)
@given(logged())
def test_a_line_is_read_back_exactly(lines: Sequence[LogLine]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = log_of(lines, folder)
        before = log.read("m", *EVER)
        log.compact("m")
        after = log.read("m", *EVER)

    same = [frame.astype(object).where(frame.notna(), None) for frame in (before, after)]
    pd.testing.assert_frame_equal(*same)
    ids = dict(zip(after["row"], after["entity"], strict=True))
    moments = dict(zip(after["row"], after["event_time"], strict=True))
    for line in lines:
        logged_id = ids[line.row]
        assert pd.isna(logged_id) if line.entity is None else logged_id == line.entity
        assert moments[line.row].timestamp() == line.event_time


@worlds(40)
@given(logged())
def test_no_name_of_a_feature_hides_a_column_of_the_log(lines: Sequence[LogLine]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = log_of(lines, folder)
        rows = as_profiled(log.read("m", *EVER))

    assert rows.columns.is_unique
    for line in lines:
        for name, value in line.features.items():
            if value is not None:
                assert value in rows[name].tolist()
