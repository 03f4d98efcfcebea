"""The monitoring job watches and trains nothing; the training job trains and watches nothing."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from mlops_assets.config import ModelSettings
from mlops_assets.keys import is_training
from mlops_assets.ml.inference.log_lines import parse
from mlops_assets.ml.monitoring.prediction_log import to_frame, to_table
from tests.support.runs.pipeline_runs import STAGES, build, metadata
from tests.unit.monitoring.logged.test_prediction_log import line, text


def stages(definitions: dg.Definitions, job: str) -> set[str]:
    return {
        key.path[-1] for key in definitions.resolve_job_def(job).asset_layer.selected_asset_keys
    }


def test_each_job_has_its_own_stages(settings: ModelSettings, resources: dict[str, Any]) -> None:
    definitions = build(settings, resources)
    others = {spec.key.path[-1] for spec in definitions.resolve_all_asset_specs()} - set(STAGES)
    watching = others - {"batch_predictions", "backtest"}

    assert stages(definitions, "loans_training") == set(STAGES)
    assert stages(definitions, "loans_monitoring") == watching | {"raw_data", "processed_data"}
    assert stages(definitions, "loans_scoring") == {"batch_predictions"}
    assert stages(definitions, "loans_backtest") == {"backtest"}
    assert not any(is_training(dg.AssetKey(["loans", stage])) for stage in others)


def test_the_log_is_compacted_by_the_monitoring_job(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    rows = to_frame([to_table(parse(text(line("a"), line("b", hours=2)), "").lines, {})])
    resources["predictions"].add("loans", rows)

    result = (
        build(settings, resources)
        .resolve_job_def("loans_monitoring")
        .execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(["loans", "prediction_log"])]
        )
    )

    facts = metadata(result, "loans", "prediction_log")
    assert facts["dagster/row_count"] == 2
    assert facts["rows_by_day"] == [{"name": "2026-03-01", "value": 2}]
    assert (facts["new_rows"], facts["torn_lines"], facts["duplicates"]) == (2, 0, 0)
    assert facts["newest"] == "2026-03-01T02:00:00+00:00"
    found = resources["predictions"].read(
        "loans", datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    )
    assert found["request_id"].tolist() == ["a", "b"]
