"""`mlops monitor`: what it says of drift and of performance, to a person and as facts."""

import time
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from mlops_assets.cli.facts.records import WatchedModel
from mlops_assets.cli.monitoring import said, watched
from mlops_assets.cli.runs.model_run import ModelRun
from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key
from mlops_assets.progress import progress
from tests.graph.monitoring.test_drift_report import Watch
from tests.support.runs.pipeline_runs import build


@pytest.fixture
def watch(loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance) -> Watch:
    monitoring = {"window": "1d", "drift": {"min_rows": 50}}
    return Watch(
        ModelSettings.model_validate({**loans, "monitoring": monitoring}), resources, instance
    )


def looked_at(watch: Watch) -> WatchedModel:
    models = build(watch.settings, watch.resources)
    definitions = dg.Definitions.merge(models, dg.Definitions(loggers={"progress": progress}))
    one = ModelRun(definitions, watch.instance, "loans")
    # The rest asks whether those who are written into the log by hand were served so.
    stages = ("prediction_log", "drift_report")
    began = time.time()
    assert one.materialize([asset_key("loans", stage) for stage in stages], job="monitoring")
    assert watched(one, time.time()).drift is None, "what was made before is not quoted as new"
    return watched(one, began)


def test_a_day_like_the_held_out_rows_is_calm(watch: Watch) -> None:
    held_out = watch.deploy()
    watch.log(held_out, 0)
    found = looked_at(watch)
    assert found.calm
    assert said(found).startswith(
        f"loans: {len(held_out):,} predictions of version 1, 2025-01-01 00:00 to "
        "2025-01-02 00:00 UTC: nothing has moved"
    )


def test_what_has_moved_is_named_with_its_figure(watch: Watch) -> None:
    watch.log(watch.deploy(), 0, shift=40.0)
    found = looked_at(watch)
    assert not found.calm
    assert found.drift is not None
    assert found.drift.reasons[0] in said(found)
    assert "amount" in said(found)
    assert WatchedModel.model_validate_json(found.model_dump_json()) == found


def test_a_model_that_nobody_asked_is_not_called_drifted(watch: Watch) -> None:
    watch.deploy()
    found = looked_at(watch)
    assert found.calm
    assert found.measured is None
    assert found.drift is not None
    over = found.drift.window.end + timedelta(days=1)
    assert said(found).endswith(
        "too few to judge; what came since is of the next window, which is over at "
        f"{over:%Y-%m-%d} 00:00 UTC"
    )
