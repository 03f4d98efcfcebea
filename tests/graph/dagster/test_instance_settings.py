"""The shipped `dagster.yaml` as Dagster reads it, in place and as `mlops` copies it."""

from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.cli.main import use_dagster_home
from mlops_assets.home import FRAMEWORK_ROOT


@pytest.mark.parametrize("copied", [False, True])
def test_the_history_of_looks_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copied: bool
) -> None:
    monkeypatch.chdir(tmp_path)  # the shipped file's folders are relative
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    folder = use_dagster_home(tmp_path) if copied else FRAMEWORK_ROOT
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        retention = instance.get_settings("retention")
    for kind in ("sensor", "schedule"):
        days = retention[kind]["purge_after_days"]
        assert set(days) == {"skipped", "started", "success", "failure"}
        assert min(days.values()) > 0, "0 and -1 keep them for ever"


def test_a_run_that_its_launcher_never_started_is_ended_by_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with dg.DagsterInstance.from_config(str(FRAMEWORK_ROOT)) as instance:
        limits = instance.get_settings("run_monitoring")
    assert limits["enabled"]
    assert 60 < limits["start_timeout_seconds"] <= 600
    assert 60 < limits["cancel_timeout_seconds"] <= 600
