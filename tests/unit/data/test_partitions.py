"""Rows by partition: as they are without, whatever comes, goes or changes; and no more is read."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mlops_assets.blocks.sources.partitions import PartitionSettings
from mlops_assets.config import ModelSettings
from mlops_assets.errors import ContractError, SourceError
from mlops_assets.ml.data.delivered import checked_rows
from mlops_assets.ml.data.piecewise.partitions import UNDATED, partition_keys
from resources.datasets.partitions import PartitionFiles, Renewed
from tests.support.loans import loans_yaml
from tests.worlds.values.zones import process_zone

NOW = datetime(2024, 12, 1, tzinfo=UTC)
FIRST = "2024-03-01"
TIMES = [
    *("2024-03-09 23:59:59.999999", "2024-03-10", "2024-03-10 00:00:00.000001"),
    *("2024-03-10 02:30:00", "2024-03-11", "2024-03-31 02:30", "2024-03-31T22:00"),  # no such time
    *("2024-11-03 01:30:00", "2024-10-27 02:30", "2024-10-31 23:30", "2024-03-01 00:00"),  # twice
    *("2024-02-29 23:59:59", "1970-01-01", "", "soon"),
]
ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(TIMES),
        st.sampled_from(["1.5", "0.1", "-1", "", "x"]),
        st.sampled_from(["a", "", "é"]),
        st.sampled_from(["0", "1"]),
    ),
    min_size=1,
    max_size=6,
)
NAMES = ("1.csv", "2.csv", "2-late.csv")


def model(
    folder: Path, cadence: str = "day", zone: str = "UTC", time: dict[str, str] | None = None
) -> ModelSettings:
    attributes = loans_yaml(folder / "*.csv")
    columns = attributes["contract"]["columns"]
    columns["time"] |= {"timezone": zone, **(time or {})}
    columns["amount"]["nullable"] = True
    attributes["contract"] |= {"unique": ["id", "time"]}
    start = {"day": FIRST, "week": "2024-02-26", "month": FIRST}[cadence]
    attributes["partitions"] = {"cadence": cadence, "start": start}
    return ModelSettings.model_validate(attributes)


def deliver(folder: Path, files: dict[str, list[tuple[object, ...]]]) -> dict[str, Path]:
    """The files as they are now, and no other."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.csv"):
        old.unlink()
    for name, rows in files.items():
        lines = ["id,time,amount,grade,label", *(",".join(map(str, row)) for row in rows)]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {name: folder / name for name in sorted(files)}


def check(kept: PartitionFiles, made: ModelSettings, files: dict[str, Path]) -> Renewed:
    kept.read(made, files)
    return kept.check(made, files, [], NOW)


def require_equal(found: Renewed, files: dict[str, Path], made: ModelSettings) -> None:
    whole = checked_rows(list(files.values()), made, NOW)
    pd.testing.assert_frame_equal(found.rows.rows, whole.rows)
    pd.testing.assert_frame_equal(found.rows.bad, whole.bad)


def lines_by_partition(
    files: dict[str, list[tuple[object, ...]]], made: ModelSettings, zone: str
) -> dict[str, list[tuple[object, ...]]]:
    """Partition -> its rows, each with its file and its place in it; by Python's own calendar."""
    found: dict[str, list[tuple[object, ...]]] = {}
    partitions = made.partitions
    assert partitions is not None
    for name in sorted(files):
        for place, row in enumerate(files[name]):
            day = utc_day(str(row[1]), zone)
            dated = day is not None and day >= partitions.start
            key = partitions.first_day(day).isoformat() if day and dated else UNDATED
            found.setdefault(key, []).append((name, place, *row))
    return found


def utc_day(text: str, zone: str) -> date | None:
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    except ValueError:
        return None
    if moment.utcoffset() != moment.replace(fold=1).utcoffset():
        return None
    return moment.astimezone(UTC).date()


@st.composite
def deliveries(draw: st.DrawFn) -> list[dict[str, list[tuple[object, ...]]]]:
    """Each is the one before with files that came, went or were written anew."""
    found: list[dict[str, list[tuple[object, ...]]]] = [{"1.csv": draw(ROWS)}]
    for _ in range(draw(st.integers(1, 3))):
        files = dict(found[-1])
        for name in draw(st.sets(st.sampled_from(NAMES), min_size=1)):
            if name in files and len(files) > 1 and draw(st.booleans()):
                del files[name]
            elif name in files and draw(st.booleans()):
                files[name] = [*files[name], *draw(ROWS)]
            else:
                files[name] = draw(ROWS)
        found.append(files)
    return found


@hypothesis_settings(max_examples=30)
@given(
    steps=deliveries(),
    cadence=st.sampled_from(["day", "week", "month"]),
    zone=st.sampled_from(["UTC", "America/New_York", "Europe/Berlin"]),
    machine=st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York"]),
)
def test_rows_are_as_without_partitions_and_only_what_changed_is_read_and_checked(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[dict[str, list[tuple[object, ...]]]],
    cadence: str,
    zone: str,
    machine: str,
) -> None:
    folder = tmp_path_factory.mktemp("partitions")
    made, kept = model(folder / "source", cadence, zone), PartitionFiles(root=str(folder / "kept"))
    before: dict[str, list[tuple[object, ...]]] = {}
    known: set[tuple[str, str]] = set()
    with process_zone(machine):
        for step in steps:
            files = deliver(folder / "source", step)
            contents = {(name, file.read_text()) for name, file in files.items()}

            read = kept.read(made, files)
            found = kept.check(made, files, [], NOW)

            require_equal(found, files, made)
            assert {*read.new} == {name for name, text in contents - known}
            now = lines_by_partition(step, made, zone)
            assert {*found.new} == {key for key in now if now[key] != before.get(key)}
            before, known = now, known | contents


@given(
    later=st.timedeltas(timedelta(0), timedelta(days=370)),
    cadence=st.sampled_from(["day", "week", "month"]),
)
def test_each_moment_is_of_the_partition_that_python_says(later: timedelta, cadence: str) -> None:
    made = PartitionSettings.model_validate({"cadence": cadence, "start": "2024-01-01"})
    moment = datetime(2024, 1, 1, tzinfo=UTC) + later
    (key,) = partition_keys(pd.Series([moment]).astype("datetime64[ns, UTC]"), made)
    day = moment.date()
    begins = {"day": day, "week": day - timedelta(days=day.weekday()), "month": day.replace(day=1)}
    assert key == begins[cadence].isoformat()
    assert made.keys_until(key)[-1] == key
    assert len({*made.keys_until(key)}) == len(made.keys_until(key))


def test_a_row_of_the_future_is_checked_again_until_its_time_has_come(tmp_path: Path) -> None:
    made, kept = model(tmp_path / "source"), PartitionFiles(root=str(tmp_path / "kept"))
    rows = [(0, "2024-03-02", "1", "a", "0"), (1, "2024-12-01 08:00", "2", "a", "0")]
    files = deliver(tmp_path / "source", {"1.csv": rows})
    kept.read(made, files)
    early = [kept.check(made, files, [], NOW + timedelta(hours=hours)) for hours in (0, 1, 9, 10)]
    assert [len(found.rows.bad) for found in early] == [1, 1, 0, 0]
    assert [found.new for found in early[1:]] == [["2024-12-01"], ["2024-12-01"], []]


def test_a_moment_in_two_columns_is_of_one_partition(tmp_path: Path) -> None:
    attributes = model(tmp_path).model_dump(mode="json", by_alias=True)
    attributes["contract"]["columns"]["time"] |= {
        "from": ["day", "clock"],
        "timezone": "Asia/Tokyo",
    }
    made, kept = ModelSettings.model_validate(attributes), PartitionFiles(root=str(tmp_path / "k"))
    file = tmp_path / "1.csv"
    rows = ["0,2024-03-02,08:59,1,a,0", "1,2024-03-02,09:00,1,a,0", "2,,09:00,1,a,0"]
    file.write_text("\n".join(["id,day,clock,amount,grade,label", *rows]) + "\n")
    found = check(kept, made, {"1.csv": file})
    assert found.new == [UNDATED, "2024-03-01", "2024-03-02"]
    require_equal(found, {"1.csv": file}, made)


def test_files_must_agree_as_without_partitions(tmp_path: Path) -> None:
    made, kept = model(tmp_path / "source"), PartitionFiles(root=str(tmp_path / "kept"))
    row = (0, "2024-03-02T00:00:00Z", "1", "a", "0")
    other = (0, "2024-03-04T00:00:00+01:00", "1", "a", "0")
    files = deliver(tmp_path / "source", {"1.csv": [row], "2.csv": [other]})
    with pytest.raises(ContractError, match="mixes UTC offsets"):
        kept.read(made, files)

    files = deliver(tmp_path / "source", {"1.csv": [row], "2.csv": [row]})
    files["2.csv"].write_text("id,time,amount,grade,other\n0,2024-03-04,1,a,0\n")
    with pytest.raises(SourceError, match="'other'"):
        kept.read(made, files)


def test_what_is_kept_can_be_deleted_and_damage_is_said(tmp_path: Path) -> None:
    made, kept = model(tmp_path / "source"), PartitionFiles(root=str(tmp_path / "kept"))
    rows = [(n, f"2024-03-{n + 1:02}", "1", "a", "0") for n in range(20)]
    files = deliver(tmp_path / "source", {"1.csv": rows})
    assert len(check(kept, made, files).new) == 20
    assert check(kept, made, files).new == []
    for file in (tmp_path / "kept" / "loans" / "checked").glob("2024-03-0*"):
        file.unlink()
    again = check(kept, made, files)
    assert len(again.new) == 9
    require_equal(again, files, made)
