"""A replay of the past: the retrain policy counts on its clock."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.config import ModelSettings
from sensors.retrain_signals import AS_OF_TAG
from sensors.retraining import tick
from tests.support.runs.pipeline_runs import build

THEN = datetime(1997, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize(("hours", "said"), [(12, "cooldown until 1997-10-02"), (48, None)])
def test_a_cooldown_counts_from_the_moment_that_a_run_stands_for(
    hours: int,
    said: str | None,
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    loans_csv: Path,
) -> None:
    job = build(settings, resources).resolve_job_def("loans_training")
    job.execute_in_process(instance=instance, tags={AS_OF_TAG: THEN.isoformat()})
    loans_csv.write_text(loans_csv.read_text() + "400,2025-02-04,3.5,a,0\n")

    result = tick(instance, settings, resources["decisions"], THEN + timedelta(hours=hours))

    assert bool(result.run_requests) == (said is None)
    assert (said or "") in str(result.skip_reason)
