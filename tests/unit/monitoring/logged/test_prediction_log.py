"""The prediction log: what is compacted, what a crash leaves, and how versions differ."""

import json
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.errors import PredictionLogError
from mlops_assets.ml.inference.log_lines import parse
from mlops_assets.ml.monitoring.prediction_log import COLUMNS, combine, to_frame, to_table
from resources.prediction_log.log import PredictionLog
from tests.support.fakes.predictions import FakePredictionLog

DAY = datetime(2026, 3, 1, tzinfo=UTC)
DEAD = 2**22 + 1
"""A pid that Linux never gives."""


def line(request: str, row: int = 0, *, hours: float = 1, **changes: object) -> dict:
    moment = (DAY + timedelta(hours=hours)).timestamp()
    return {
        "request_id": request, "row": row, "logged_at": moment + 0.25, "event_time": moment,
        "source": "online", "role": "primary", "entity": 7, "features_as_of": moment - 60,
        "features": {"spend": 1.5, "class": "x"}, "scores": [0.25], "model_version": 1,
        "generation": 3, "latency_seconds": 0.002, **changes,
    }  # fmt: skip


def text(*lines: dict) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in lines)


@pytest.fixture
def log(tmp_path: Path) -> PredictionLog:
    return PredictionLog(endpoints=str(tmp_path / "endpoints"), root=str(tmp_path / "predictions"))


def write(log: PredictionLog, content: bytes, pid: int = DEAD, number: int = 0) -> Path:
    file = Path(log.endpoints, "toy", "predictions", f"2026-03-01-{pid}-{number}.jsonl")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def everything(log: PredictionLog) -> pd.DataFrame:
    return log.read("toy", DAY - timedelta(days=3), DAY + timedelta(days=3))


def requests(rows: pd.DataFrame) -> list[str]:
    return rows["request_id"].tolist()


def test_a_row_has_the_contracts_columns_and_types(log: PredictionLog) -> None:
    write(log, text(line("a"), line("b", entity=None, features_as_of=None, source="request")))
    before = everything(log)

    log.compact("toy")
    rows = everything(log)

    assert list(rows) == [*COLUMNS, "feature_spend", "feature_class"]
    pd.testing.assert_frame_equal(rows, before)  # compacted or not makes no difference
    first = rows.iloc[0]
    assert first["event_time"] == DAY + timedelta(hours=1)
    assert first["logged_at"] - first["event_time"] == timedelta(seconds=0.25)
    assert (first["entity"], first["score"], first["feature_class"]) == (7, 0.25, "x")
    assert rows["entity"].isna().tolist() == [False, True]
    assert str(rows["features_as_of"].dtype) == "datetime64[us, UTC]"


def test_days_are_split_by_event_time_and_read_half_open(log: PredictionLog) -> None:
    write(log, text(line("late", hours=24), line("early", hours=0), line("noon", hours=12)))

    summary = log.compact("toy")

    assert summary.days == ("2026-03-01", "2026-03-02")
    assert summary.newest == DAY + timedelta(days=1)
    assert requests(everything(log)) == ["early", "noon", "late"]
    assert requests(log.read("toy", DAY, DAY + timedelta(days=1))) == ["early", "noon"]


def test_torn_lines_and_duplicates_are_counted_and_nothing_is_done_twice(
    log: PredictionLog,
) -> None:
    torn = text(line("c"))[:40]
    other_role = line("a", role="shadow")
    write(
        log, text(line("a"), line("a", row=1)) + torn + b"\n" + text(line("a"), other_role) + torn
    )

    first, again = log.compact("toy"), log.compact("toy")

    assert (first.files, first.rows, first.torn_lines, first.duplicates) == (1, 3, 2, 1)
    assert (again.files, again.rows, again.newest) == (0, 0, None)
    assert len(everything(log)) == 3


def test_a_file_that_a_worker_appends_to_is_read_but_not_taken_over(log: PredictionLog) -> None:
    old = write(log, text(line("old")), pid=os.getpid(), number=9)
    live = write(log, text(line("new")) + b'{"request_id": "half', pid=os.getpid(), number=10)

    summary = log.compact("toy")

    assert (summary.files, summary.open_files) == (1, 1)
    assert old.with_name(f"{old.name}.done").exists()
    assert not live.with_name(f"{live.name}.done").exists()
    assert requests(everything(log)) == ["old", "new"]


def test_a_dead_workers_file_is_closed_even_when_its_pid_lives_again(log: PredictionLog) -> None:
    file = write(log, text(line("a")), pid=os.getpid())
    os.utime(file, (1e9, 1e9))  # written long before this process started

    assert log.compact("toy").files == 1


def test_a_pods_file_is_closed_when_its_day_is_over(log: PredictionLog) -> None:
    """Its process is on another machine: what this one says of the pid means nothing."""
    today = datetime.now(UTC)
    folder = Path(log.endpoints, "toy", "predictions")
    folder.mkdir(parents=True)
    names = [
        f"2026-03-01-toy-6c9f-x2lq4-{os.getpid()}-0.jsonl",
        f"{today:%Y-%m-%d}-toy-6c9f-x2lq4-{DEAD}-1.jsonl",
        f"{today:%Y-%m-%d}-toy-6c9f-x2lq4-{DEAD}-2.jsonl",
        f"{today:%Y-%m-%d}-toy-6c9f-zzzzz-{DEAD}-1.jsonl",
    ]
    for number, name in enumerate(names):
        (folder / name).write_bytes(text(line(str(number))))

    summary = log.compact("toy")

    done = {file.name.removesuffix(".done") for file in folder.glob("*.done")}
    assert done == set(names[:2])  # the second went on to the third
    assert (summary.files, summary.open_files) == (2, 2)
    assert len(everything(log)) == 4


def test_a_file_that_grew_after_it_was_taken_over_is_read_again(log: PredictionLog) -> None:
    file = write(log, text(line("a")))
    log.compact("toy")
    file.write_bytes(file.read_bytes() + text(line("b")))

    assert log.compact("toy").rows == 1
    assert requests(everything(log)) == ["a", "b"]


def test_a_file_may_be_deleted_once_it_is_marked(log: PredictionLog) -> None:
    file = write(log, text(line("a")))
    log.compact("toy")
    assert file.with_name(f"{file.name}.done").exists()
    file.unlink()

    write(log, text(line("b")), number=1)
    log.compact("toy")

    assert requests(everything(log)) == ["a", "b"]


class DiesBeforeTheMarker(PredictionLog):
    def _mark(self, contents: object) -> None:
        raise KeyboardInterrupt


def test_dying_between_parquet_and_marker_neither_doubles_nor_loses(log: PredictionLog) -> None:
    write(log, text(line("a"), line("b", hours=30)))
    with pytest.raises(KeyboardInterrupt):
        DiesBeforeTheMarker(endpoints=log.endpoints, root=log.root).compact("toy")
    assert requests(everything(log)) == ["a", "b"]

    summary = log.compact("toy")

    assert (summary.files, summary.rows, summary.duplicates) == (1, 0, 2)
    assert requests(everything(log)) == ["a", "b"]


def test_a_new_feature_and_one_that_changed_its_type(log: PredictionLog) -> None:
    write(log, text(line("a", features={"spend": 1.5, "zone": 4})))
    log.compact("toy")
    write(log, text(line("b", features={"zone": "north", "age": None}, model_version=2)), number=1)
    log.compact("toy")

    rows = everything(log).set_index("request_id")

    assert rows["feature_zone"].tolist() == ["4.0", "north"]
    assert rows["feature_spend"].isna().tolist() == [False, True]
    assert rows["feature_age"].isna().all()


def test_a_multiclass_row_is_its_highest_probability_and_label() -> None:
    content = text(line("a", scores=[0.2, 0.5, 0.3]))
    lines = parse(content, "file").lines

    rows = to_frame([to_table(lines, {1: ("low", "middle", "high")})])

    assert (rows["score"].item(), rows["predicted"].item()) == (0.5, "middle")


def test_a_line_that_names_its_class_needs_no_version(log: PredictionLog) -> None:
    write(log, text(line("a", scores=[0.2, 0.8], predicted="1.0")))
    assert log.compact("toy").nameless == 0
    assert everything(log)["predicted"].tolist() == ["1.0"]


def test_a_version_that_is_gone_costs_the_name_of_the_class_alone(log: PredictionLog) -> None:
    for version, folder in ((1, "versions/1"), (2, "versions/2")):
        path = Path(log.endpoints, "toy", folder, "servable.json")
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"classes": ["low", "high"]} if version == 2 else {}))
    lines = [
        line("gone", scores=[0.2, 0.8]),
        line("kept", scores=[0.6, 0.4], model_version=2),
        line("never", scores=[0.1, 0.9], model_version=3),
        line("single", scores=[0.5], model_version=4),
    ]
    write(log, text(*lines))

    summary = log.compact("toy")
    rows = everything(log).set_index("request_id")

    assert (summary.rows, summary.nameless) == (4, 2)
    assert rows["score"].to_dict() == {"gone": 0.8, "kept": 0.6, "never": 0.9, "single": 0.5}
    assert rows["predicted"].dropna().to_dict() == {"kept": "low"}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=6))
def test_ids_are_exact_beside_rows_without_one(ids: list[int | None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = PredictionLog(endpoints=f"{folder}/endpoints", root=f"{folder}/predictions")
        lines = [line(f"{row}", entity=entity) for row, entity in enumerate(ids)]
        write(log, text(*lines[:1]))
        log.compact("toy")
        write(log, text(*lines[1:]), number=1)
        for _ in ("with a file that is not compacted", "without"):
            found = everything(log)["entity"]
            assert found.astype(object).where(found.notna(), None).tolist() == ids
            log.compact("toy")


@given(st.lists(st.none() | st.text(), min_size=1, max_size=6))
def test_text_ids_are_exact_too(ids: list[str | None]) -> None:
    lines = [line(f"{row}", entity=entity) for row, entity in enumerate(ids)]
    found = to_frame([to_table(parse(text(*lines), "file").lines, {})])["entity"]
    assert found.astype(object).where(found.notna(), None).tolist() == ids


def test_a_request_is_found_with_its_exact_id_compacted_or_not(log: PredictionLog) -> None:
    whose = 2**63 - 1
    write(log, text(line("b"), line("a", 1, entity=None), line("a", entity=whose), line("c")))
    for _ in ("by the endpoint's file", "by the day"):
        found = log.request("toy", "a")
        assert found["row"].tolist() == [0, 1]
        assert found["entity"].tolist() == [whose, pd.NA]
        assert log.request("toy", "z").empty
        log.compact("toy")


def test_a_whole_line_of_another_format_is_an_error_not_a_torn_line(log: PredictionLog) -> None:
    write(log, text(line("a"), {"request_id": "b"}))
    with pytest.raises(PredictionLogError, match=r"jsonl, line 2: .*`row`"):
        log.compact("toy")


def test_a_model_without_predictions_has_an_empty_log(log: PredictionLog) -> None:
    assert log.compact("toy").rows == 0
    assert list(everything(log)) == list(COLUMNS)


def test_the_fake_reads_and_compacts_as_the_real_one_does(log: PredictionLog) -> None:
    fake = FakePredictionLog(endpoints=log.endpoints, root=log.root)
    for number in range(2):
        write(log, text(line("a"), line(f"b{number}")), number=number)
        fake.add(
            "toy", to_frame([to_table(parse(text(line("a"), line(f"b{number}")), "").lines, {})])
        )

    pd.testing.assert_frame_equal(everything(fake), everything(log))
    assert fake.compact("toy") == log.compact("toy")
    pd.testing.assert_frame_equal(everything(fake), everything(log))
    assert fake.compact("toy") == log.compact("toy")
    assert combine([]).empty
