"""Runs that a real daemon is asked for together: beside each other if of two models."""

from itertools import combinations
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.cli.main import use_dagster_home
from tests.support.runs.small_dagster import daemon_over
from tests.support.runs.two_models import NAMES, SECONDS
from tests.support.servers import wait_for

# The gate asks the queue itself: tests/graph/dagster/test_run_limits.py.
pytestmark = [pytest.mark.e2e, pytest.mark.thorough]


def overlap(one: dg.RunRecord, other: dg.RunRecord) -> float:
    """Seconds in which both had started and not ended."""
    times = [(run.start_time or 0.0, run.end_time or 0.0) for run in (one, other)]
    return min(end for _, end in times) - max(start for start, _ in times)


def test_runs_of_two_models_overlap_and_those_of_one_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    use_dagster_home(tmp_path)
    (tmp_path / "project").mkdir()
    variables = {
        "MLOPS_DATA_ROOT": str(tmp_path / "project"),
        "MLOPS_CONCURRENT_RUNS": "3",
        "PYTHONWARNINGS": "ignore",
    }
    daemon = daemon_over("tests.support.runs.two_models", tmp_path, **variables)
    done = dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS])
    with dg.DagsterInstance.get() as instance, daemon:
        wait_for("four runs", lambda: instance.get_runs_count(done) == 4, 180, every=1)
        records = instance.get_run_records()
    assert len(records) == 4
    of = {
        name: [r for r in records if r.dagster_run.job_name == f"{name}_training"] for name in NAMES
    }
    assert all(overlap(*runs) <= 0 for runs in of.values())
    beside = [overlap(one, other) for one, other in combinations(records, 2)]
    assert max(beside) > SECONDS / 2
