"""Features by partition: the same of the same rows, however they are read."""

from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlops_assets.blocks.sources.partitions import PartitionSettings
from mlops_assets.ml import stored_rows
from mlops_assets.ml.features.by_partition import by_partition
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.stored_rows import write_frames
from tests.support.toy_models import event_log
from tests.worlds.effort import worlds

WEEKS = event_log().model_copy(
    update={"partitions": PartitionSettings(cadence="week", start=date(2024, 1, 1))}
)
ROWS = st.lists(
    st.tuples(
        st.datetimes(pd.Timestamp("2024-01-01"), pd.Timestamp("2024-02-15")),
        st.floats() | st.none(),
        st.sampled_from(["a", "", "ä"]) | st.none(),
    ),
    min_size=1,
    max_size=30,
)


def frame_of(rows: list[tuple]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=[TIMESTAMP, "spend", "shop"])
    moments = pd.to_datetime(frame[TIMESTAMP]).dt.tz_localize("UTC").dt.as_unit("us")
    return frame.assign(**{TIMESTAMP: moments, "spend": frame["spend"].astype("float64")})


@worlds(30)
@given(rows=ROWS)
@example(rows=[(datetime.fromisoformat("2024-01-01"), -float("nan"), None)])
def test_rows_in_a_file_are_those_in_memory_whatever_the_batches(
    rows: list[tuple], tmp_path_factory: pytest.TempPathFactory
) -> None:
    frame, file = frame_of(rows), Path(tmp_path_factory.mktemp("rows"), "rows.parquet")
    found = by_partition(frame, WEEKS)
    with pytest.MonkeyPatch.context() as few:
        few.setattr(stored_rows, "VALUES", 9)
        assert by_partition(write_frames(file, [frame]), WEEKS) == found
    mondays = frame[TIMESTAMP].dt.tz_localize(None).dt.to_period("W-SUN").dt.start_time
    assert found.rows == mondays.dt.strftime("%Y-%m-%d").value_counts().to_dict()


@pytest.mark.parametrize(
    "other",
    [
        {"spend": 2.0000000000000004},
        {"spend": None},
        {"shop": "b"},
        {"shop": None},
        {TIMESTAMP: pd.Timestamp("2024-01-09 00:00:00.000001", tz="UTC")},
    ],
)
def test_a_changed_value_changes_its_partition_alone(other: dict) -> None:
    rows = [(pd.Timestamp(day), 2.0, "a") for day in ("2024-01-02", "2024-01-09", "2024-01-16")]
    frame = frame_of(rows)
    changed = frame.copy()
    for name, value in other.items():
        changed.loc[1, name] = value
    one, two = by_partition(frame, WEEKS), by_partition(changed, WEEKS)
    assert [one.versions[day] == two.versions[day] for day in one.versions] == [True, False, True]
    assert one.version != two.version


def test_rows_in_another_order_are_another_version() -> None:
    frame = frame_of([(pd.Timestamp("2024-01-02"), float(n), "a") for n in range(3)])
    assert by_partition(frame[::-1], WEEKS).version != by_partition(frame, WEEKS).version
