"""A model with partitions: the same graph and results, and each run costs what it touches."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.cli.runs.freshness import stale_assets
from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key, partitions_of
from mlops_assets.metadata import read_facts
from mlops_assets.records.evaluation import EvaluationFacts
from resources.dagster.executors import execute_here
from tests.support.loans import fake_resources, loans_yaml, write_loans
from tests.support.retraining.loop import Loop
from tests.support.runs.pipeline_runs import STAGES, build, failure, materialize

DATA = ["raw_data", "processed_data"]
START, NOW = "2024-01-01", "2026"


@pytest.fixture
def lines(tmp_path: Path) -> list[str]:
    """Of the loans, one a day for 400 days."""
    return write_loans(tmp_path / "loans.csv").read_text().splitlines()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "daily"
    folder.mkdir()
    return folder


def partitioned(source: Path, **changes: Any) -> ModelSettings:
    parts = {"cadence": "day", "start": START}
    return ModelSettings.model_validate(
        {**loans_yaml(source / "*.csv"), "partitions": parts, **changes}
    )


def put(source: Path, name: str, lines: list[str], first: int, last: int) -> None:
    """Rows `first` to `last`, counted from 1, as a file."""
    rows = [lines[0], *lines[first : last + 1]]
    (source / name).write_text("\n".join(rows) + "\n", encoding="utf-8")


def touched(result: dg.ExecuteInProcessResult, stage: str) -> list[str]:
    """The partitions of a stage that the run materialized, but that of now."""
    events = result.asset_materializations_for_node(f"loans__{stage}")
    return sorted(event.partition for event in events if event.partition and event.partition < NOW)


def facts(result: dg.ExecuteInProcessResult, stage: str) -> dict[str, Any]:
    """What the whole of a stage says, which is its last event."""
    newest = result.asset_materializations_for_node(f"loans__{stage}")[-1]
    return {name: value.value for name, value in newest.metadata.items()}


def test_a_late_file_costs_what_it_touches_and_changes_nothing_else(
    source: Path, lines: list[str], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    made = partitioned(source)
    put(source, "until-june.csv", lines, 1, 100)
    put(source, "later.csv", lines, 103, 110)

    first = materialize(made, resources, instance, DATA)
    days = [day.isoformat() for day in pd.date_range(START, periods=110).date]
    assert touched(first, "raw_data") == touched(first, "processed_data") == days
    assert facts(first, "processed_data")["checked"] == 108, "two have no row"

    unchanged = materialize(made, resources, instance, DATA)
    assert touched(unchanged, "raw_data") == touched(unchanged, "processed_data") == []
    assert facts(unchanged, "raw_data")["files_read"] == 0

    put(source, "late.csv", lines, 101, 101)
    late = materialize(made, resources, instance, DATA)
    assert touched(late, "raw_data") == touched(late, "processed_data") == ["2024-04-10"]
    assert facts(late, "raw_data")["files_read"] == 1
    assert facts(late, "processed_data")["checked"] == 1
    assert facts(late, "processed_data")["dagster/row_count"] == 109

    other = lines[105].rpartition(",")[0] + ",1"
    put(source, "later.csv", [*lines[:105], other, *lines[106:]], 103, 110)
    (source / "late.csv").unlink()
    corrected = materialize(made, resources, instance, DATA)
    assert touched(corrected, "processed_data")[:1] == ["2024-04-10"], "it has no row any more"
    assert {*touched(corrected, "raw_data")} <= {"2024-04-10", "2024-04-14"}
    assert facts(corrected, "raw_data")["files_read"] == 1
    assert len(instance.get_runs()) == 4


def test_all_is_equal_bit_for_bit_to_the_model_without_partitions(
    source: Path, lines: list[str], tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    parts, whole = fake_resources(tmp_path / "parts"), fake_resources(tmp_path / "whole")
    made = partitioned(source)
    put(source, "a.csv", lines, 1, 150)
    assert materialize(made, parts, instance, STAGES[:3]).success
    put(source, "c.csv", lines, 120, 400)
    assert not materialize(made, parts, instance, STAGES[:3]).success, "days are there twice"
    put(source, "a.csv", lines, 1, 100)
    put(source, "b-late.csv", lines[:1] + lines[:0:-1], 282, 300)

    by_parts = materialize(made, parts, instance)
    plain = made.model_copy(update={"partitions": None})
    with dg.DagsterInstance.ephemeral() as other:
        at_once = materialize(plain, whole, other)

    assert by_parts.success
    assert at_once.success
    for stage in ("processed_data", "features", "reference_profile"):
        paths = [Path(of["io_manager"].root, "loans", stage) for of in (parts, whole)]
        if stage == "reference_profile":
            one, two = (path.with_suffix(".json").read_bytes() for path in paths)
            assert one == two
        else:
            frames = [pd.read_parquet(path.with_suffix(".parquet")) for path in paths]
            pd.testing.assert_frame_equal(*frames, check_exact=True)
    verdicts = [
        read_facts(result.asset_materializations_for_node("loans__evaluation_report")[0], kind)
        for result, kind in ((by_parts, EvaluationFacts), (at_once, EvaluationFacts))
    ]
    assert verdicts[0] == verdicts[1]
    for result in (by_parts, at_once):
        assert result.asset_materializations_for_node("loans__deployed_endpoint")


def buyers(source: Path) -> ModelSettings:
    """An event log of purchases, from week to week."""
    attributes = loans_yaml(source / "*.csv")
    del attributes["processing"]
    return ModelSettings.model_validate(
        {
            **attributes,
            "entity": {"name": "customer"},
            "timestamp": "day",
            "partitions": {"cadence": "week", "start": START},
            "contract": {
                "columns": {
                    "customer": {"dtype": "int64"},
                    "day": {"dtype": "datetime"},
                    "value": {"dtype": "float64"},
                }
            },
            "features": {
                "snapshots": {"every": "1 week", "start": "2024-01-15"},
                "aggregates": {
                    "value_14d": {"agg": "sum", "column": "value", "window": "14d"},
                    "tenure": {"agg": "days_since_first"},
                },
                "ttl": "8d",
                "clock": "data",
            },
            "target": {
                "name": "again", "task": "binary", "agg": "count", "window": "14d", "at_least": 1
            },
            "training": {**attributes["training"], "split": {"by": "time", "test": "6 weeks"}},
        }
    )  # fmt: skip


def test_features_are_computed_of_the_snapshots_after_a_late_event(
    source: Path, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    days = pd.date_range(START, periods=120).strftime("%Y-%m-%d")
    bought = [
        f"{c},{day},{0.1 * c + n}"
        for n, day in enumerate(days)
        for c in range(20)
        if n % (1 + c % 4) == 0 and not (c % 2 and n > 50 + c)
    ]
    late = [row for row in bought if "2024-04-10" in row]
    lines = ["customer,day,value", *(row for row in bought if row not in late)]
    put(source, "a.csv", lines, 1, len(lines))
    made, parts = buyers(source), fake_resources(tmp_path / "parts")

    assert materialize(made, parts, instance, STAGES[:3]).success
    put(source, "late.csv", [lines[0], *late], 1, len(late))
    result = materialize(made, parts, instance, STAGES[:3])

    assert facts(result, "processed_data")["checked"] == 1
    assert facts(result, "features")["snapshots"] == 3, "of 16: April 15, 22, 29"
    changed = ["2024-04-15", "2024-04-22"]
    assert touched(result, "features") == changed, "a sum of 14 days knows no more of it later"
    whole = fake_resources(tmp_path / "whole")
    plain = made.model_copy(update={"partitions": None})
    with dg.DagsterInstance.ephemeral() as other:
        assert materialize(plain, whole, other, STAGES[:3]).success
    frames = [
        pd.read_parquet(Path(of["io_manager"].root, "loans", "features.parquet"))
        for of in (parts, whole)
    ]
    pd.testing.assert_frame_equal(*frames, check_exact=True)


def test_features_of_a_flat_table_are_of_the_day_of_their_row(
    source: Path, lines: list[str], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    made, stages = partitioned(source), STAGES[:3]
    put(source, "a.csv", lines, 1, 100)
    put(source, "b.csv", lines, 102, 110)
    first = materialize(made, resources, instance, stages)
    days = [day.isoformat() for day in pd.date_range(START, periods=110).date]
    assert touched(first, "features") == days
    counted = {
        event.partition: event.metadata["rows"].value
        for event in first.asset_materializations_for_node("loans__features")
        if event.partition in days
    }
    assert [counted[day] for day in days[99:102]] == [1, 0, 1]
    longest = max((key for stage in stages for key in facts(first, stage)), key=len)
    assert len(longest) <= 18, "a longer one takes the room of the tables on a page"

    assert touched(materialize(made, resources, instance, stages), "features") == []
    put(source, "late.csv", lines, 101, 101)
    late = materialize(made, resources, instance, stages)
    assert touched(late, "features") == ["2024-04-10"]
    assert facts(late, "features")["partitions"] == len(
        instance.get_materialized_partitions(asset_key("loans", "features"))
        - {datetime.now(UTC).date().isoformat()}
    )


def test_a_backfill_of_a_year_is_one_run_that_reads_each_file_once(
    source: Path, lines: list[str], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    made = partitioned(source)
    for day in range(1, 367):
        put(source, f"{day:03}.csv", lines, day, day)
    year = {
        "dagster/asset_partition_range_start": START,
        "dagster/asset_partition_range_end": "2024-12-31",
    }

    result = materialize(made, resources, instance, DATA, year)

    assert result.success
    assert len(touched(result, "processed_data")) == 366
    assert facts(result, "raw_data")["files_read"] == 366
    assert len(instance.get_runs()) == 1
    assert len(instance.get_materialized_partitions(asset_key("loans", "processed_data"))) == 366


def test_a_partition_that_is_asked_for_is_made_again_and_what_is_missing_with_it(
    source: Path, lines: list[str], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    made = partitioned(source)
    put(source, "a.csv", lines, 1, 5)
    materialize(made, resources, instance, DATA)
    put(source, "b.csv", lines, 6, 6)

    result = materialize(made, resources, instance, DATA, {"dagster/partition": "2024-01-02"})

    assert touched(result, "processed_data") == ["2024-01-02", "2024-01-06"]
    assert facts(result, "processed_data")["dagster/row_count"] == 6


def test_rows_before_the_first_partition_are_put_aside_or_stop_the_run(
    source: Path, lines: list[str], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    put(source, "a.csv", lines, 1, 300)
    late = {"cadence": "month", "start": "2024-02-01"}
    result = materialize(partitioned(source, partitions=late), resources, instance, DATA)
    assert "31 of 300 rows break the contract (time.start 31)" in failure(result)
    assert "is before 2024-02-01T00:00:00+00:00" in failure(result)

    contract = {**loans_yaml(source)["contract"], "max_bad_fraction": 0.2}
    made = partitioned(source, partitions=late, contract=contract)
    result = materialize(made, resources, instance, DATA)
    assert facts(result, "processed_data")["rejected_rows"] == 31
    kept = facts(result, "processed_data")["quarantine"].records
    aside = pd.read_parquet(Path(*(row.data["whole"] for row in kept)))
    assert aside["row"].tolist() == list(range(31))
    assert touched(result, "processed_data") == [f"2024-{month:02}-01" for month in range(2, 11)]


def test_what_is_up_to_date_is_known_whichever_partitions_a_run_was_of(
    source: Path, lines: list[str], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    made = partitioned(source)
    specs = build(made, resources).resolve_all_asset_specs()
    put(source, "a.csv", lines, 1, 380)
    materialize(made, resources, instance, STAGES[:3])
    assert {*stale_assets(instance, specs)}.isdisjoint(asset_key("loans", s) for s in STAGES[:3])

    materialize(made, resources, instance, DATA, {"dagster/partition": "2024-01-02"})
    assert {*stale_assets(instance, specs)}.isdisjoint(asset_key("loans", s) for s in STAGES[:3])

    put(source, "b.csv", lines, 381, 400)
    materialize(made, resources, instance, ["raw_data"])
    stale = stale_assets(instance, specs)
    assert stale[asset_key("loans", "processed_data")] == "loans/raw_data has another version"
    assert asset_key("loans", "features") in stale


def test_sensor_and_schedule_launch_a_run_that_dagster_can_start(
    source: Path, lines: list[str], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    put(source, "a.csv", lines, 1, 400)
    crons = {"train": "0 0 * * 0", "score": "0 1 * * 0"}
    made = partitioned(source, schedule=crons)
    today = datetime.now(UTC).date().isoformat()
    loop = Loop(made, resources, instance)
    (request,) = loop.tick().run_requests or []
    assert request.tags["dagster/partition"] == today

    definitions = build(made, resources)
    context = dg.build_schedule_context(
        instance, repository_def=definitions.get_repository_def(), scheduled_execution_time=loop.now
    )
    ticks = {job: definitions.resolve_schedule_def(f"loans_{job}_schedule") for job in TICKED}
    tags = {
        job: schedule.evaluate_tick(context).run_requests[0].tags for job, schedule in ticks.items()
    }
    assert tags["training"]["mlops/trigger"] == "schedule"
    assert tags["training"]["dagster/partition"] == today
    assert "dagster/partition" not in tags["scoring"]


def test_two_files_of_one_name_are_refused(
    source: Path, lines: list[str], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    for folder in ("a", "b"):
        (source / folder).mkdir()
        put(source / folder, "day.csv", lines, 1, 5)
    made = partitioned(source / "*")
    result = materialize(made, resources, instance, DATA)
    assert "share a name" in failure(result)


def test_a_run_that_names_no_partition_is_told_of_that_of_now(
    source: Path, lines: list[str], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    put(source, "a.csv", lines, 1, 20)
    job = build(partitioned(source), resources).resolve_job_def("loans_training")
    assets = [asset_key("loans", stage) for stage in DATA]
    result = execute_here(
        job, instance, resources["tracking"], assets=assets, tags={}, run_config={}
    )
    assert result.success
    (run,) = instance.get_runs()
    today = datetime.now(UTC).date().isoformat()
    assert run.tags["dagster/partition"] == today
    known = instance.get_materialized_partitions(asset_key("loans", "processed_data"))
    assert len(known) == 21
    assert today in known


TICKED = ("training", "scoring")


@pytest.mark.parametrize(
    ("cadence", "start"), [("day", "2024-02-27"), ("week", "2024-02-26"), ("month", "2023-12-01")]
)
def test_dagster_knows_the_same_partitions(source: Path, cadence: str, start: str) -> None:
    made = partitioned(source, partitions={"cadence": cadence, "start": start})
    known, parts = partitions_of(made), made.partitions
    assert known is not None
    assert parts is not None
    keys = known.get_partition_keys()
    assert keys == parts.keys_until(keys[-1])
    assert known.time_window_for_partition_key(keys[-1]).end > datetime.now(UTC)
