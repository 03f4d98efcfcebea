"""The new-data sensor: one run for each change of content, none for an unchanged source."""

import os
from pathlib import Path
from typing import Any

import dagster as dg

from mlops_assets.config import ModelSettings
from sensors.new_data import build_new_data_sensor
from tests.graph.test_pipeline import materialize


def tick(
    settings: ModelSettings, instance: dg.DagsterInstance, cursor: str | None
) -> dg.SensorResult:
    sensor = build_new_data_sensor(settings)
    result = sensor(dg.build_sensor_context(instance=instance, cursor=cursor))
    assert isinstance(result, dg.SensorResult)
    return result


def test_each_change_of_content_requests_one_run(
    settings: ModelSettings, loans_csv: Path, instance: dg.DagsterInstance
) -> None:
    first = tick(settings, instance, None)
    assert len(first.run_requests or []) == 1, "never materialized"

    again = tick(settings, instance, first.cursor)
    assert not again.run_requests

    os.utime(loans_csv, (1, 1))
    assert not tick(settings, instance, again.cursor).run_requests, "touched, not changed"

    original = loans_csv.read_text()
    loans_csv.write_text(original + "400,2025-02-04,3.5,a,0\n")
    changed = tick(settings, instance, again.cursor)
    loans_csv.write_text(original)
    back = tick(settings, instance, changed.cursor)

    keys = [r.run_key for result in (first, changed, back) for r in result.run_requests or []]
    assert len(set(keys)) == 3, "changing back is a change too, and Dagster drops a used run key"


def test_a_source_that_was_materialized_by_hand_is_not_trained_again(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    materialize(settings, resources, instance, ["raw_data"])

    result = tick(settings, instance, None)

    assert not result.run_requests
    assert "unchanged" in str(result.skip_reason)


def test_a_missing_source_is_a_reason_to_wait(
    settings: ModelSettings, loans_csv: Path, instance: dg.DagsterInstance
) -> None:
    loans_csv.unlink()

    result = tick(settings, instance, None)

    assert not result.run_requests
    assert "loans.csv" in str(result.skip_reason)
