"""The job replays the loans; what it found stands in metadata, and is said by the verb's words."""

from typing import Any

import dagster as dg
import pytest

from mlops_assets.cli.backtest.verb import said
from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key
from mlops_assets.metadata import read_facts
from mlops_assets.records.backtest import BacktestReport
from tests.support.runs.pipeline_runs import build, failure, materialize, metadata

FEATURES = ["raw_data", "processed_data", "features"]


def replay(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance, **config: Any
) -> dg.ExecuteInProcessResult:
    job = build(settings, resources).resolve_job_def("loans_backtest")
    return job.execute_in_process(
        instance=instance,
        run_config={"ops": {"loans__backtest": {"config": config}}},
        raise_on_error=False,
    )


@pytest.mark.usefixtures("drawn")
def test_the_report_is_metadata_pictures_and_words(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    assert materialize(settings, resources, instance, FEATURES).success
    result = replay(settings, resources, instance, windows=4)

    assert result.success
    facts = metadata(result, "loans", "backtest")
    assert facts["plots"].startswith("![loss_by_age](data:image/png;base64,")
    assert "![loss_by_cadence]" in facts["plots"]
    assert len(facts["windows"]) == 4
    event = instance.get_latest_materialization_event(asset_key("loans", "backtest"))
    assert event is not None
    report = read_facts(event.asset_materialization, BacktestReport)
    assert report is not None
    whole = result.asset_value(asset_key("loans", "backtest"))
    assert report == whole.with_short_losses(), "as a page has room for them"
    assert whole.windows[0].loss == pytest.approx(report.windows[0].loss, rel=1e-5)
    assert [each.every for each in report.cadences] == ["never", *_every(report)]
    assert all(window.train_rows for window in report.windows)
    text = said(report)
    assert text.startswith(f"loans: log loss in 4 windows of {report.window}, ")
    assert report.said in text
    assert report.yaml.strip() in text
    assert ("to take over" in text) == bool(report.yaml)


def _every(report: BacktestReport) -> list[str]:
    number, unit = report.window.split()
    unit = unit.removesuffix("s")
    return [f"{n} {unit}{'s' * (n > 1)}" for n in (2 * int(number), int(number))]


def test_too_short_a_history_fails_in_one_sentence(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    assert materialize(settings, resources, instance, FEATURES).success
    result = replay(settings, resources, instance, window="1 year")
    assert not result.success
    said_of_it = failure(result)
    assert said_of_it.startswith("BacktestError: the labelled rows of loans, from 2024-01-01 to ")
    assert said_of_it.endswith("give a shorter --window")
