"""The MLflow run of a Dagster run that was interrupted, and that its launcher may resume."""

from collections.abc import Generator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster import DefaultRunLauncher

from resources.tracking.outcome import MLFLOW, finish
from tests.support.fakes.tracking import FakeTracking


class Resuming(DefaultRunLauncher):
    """As that of a cluster says of itself."""

    supports_resume_run = True


@dg.job
def nothing() -> None: ...


@pytest.fixture
def resuming(tmp_path: Path) -> Generator[dg.DagsterInstance]:
    content = {
        "run_launcher": {"module": __name__, "class": Resuming.__name__},
        "run_monitoring": {"enabled": True, "max_resume_run_attempts": 3},
        "telemetry": {"enabled": False},
    }
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


@pytest.mark.parametrize(
    ("status", "failed", "ended", "told"),
    [
        ("STARTED", False, False, None),
        ("STARTED", True, False, None),
        ("STARTED", True, True, "FAILED"),
        ("STARTED", False, True, "FINISHED"),
        ("CANCELING", True, False, "KILLED"),
    ],
)
def test_it_stays_open_only_where_the_run_goes_on(
    resuming: dg.DagsterInstance, status: str, failed: bool, ended: bool, told: str | None
) -> None:
    tracking = FakeTracking(tracking_uri="unused", artifacts="unused")
    run = resuming.create_run_for_job(
        nothing, status=dg.DagsterRunStatus[status], tags={MLFLOW: "open"}
    )
    assert finish(resuming, run.run_id, tracking.runs, failed=failed, ended=ended) == told
