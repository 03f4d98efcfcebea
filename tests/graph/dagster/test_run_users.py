"""Who launched a run: its tag, and what the ledger is told."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from mlops_assets.cli.main import use_dagster_home
from resources.dagster.internals import SubmitRunContext
from resources.dagster.run_users import USER_TAG, AttributedRunCoordinator, launched_by


@dg.op
def nothing() -> None: ...


@dg.job
def idle() -> None:
    nothing()


def by_page(user: str | None) -> Any:
    """The context of a request, as far as the coordinator looks."""
    known = {"user": SimpleNamespace(display_name=user)} if user else {}
    return SimpleNamespace(source=SimpleNamespace(scope=known))


@pytest.mark.parametrize(
    ("workspace", "claimed", "tag"),
    [
        (by_page("ada"), None, "ada"),
        (by_page("ada"), "eve", "ada"),
        (by_page(None), "eve", ""),  # nobody logs in: nobody is anybody
        (by_page(None), None, None),
        (SimpleNamespace(), "ada", "ada"),  # the daemon tries a run of hers again
    ],
)
def test_the_user_of_a_run_is_who_was_logged_in(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    workspace: Any,
    claimed: str | None,
    tag: str | None,
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    with dg.DagsterInstance.from_config(str(use_dagster_home(tmp_path))) as instance:
        coordinator = instance.run_coordinator
        assert isinstance(coordinator, AttributedRunCoordinator)
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs >= 2
        run = instance.create_run_for_job(idle, tags={USER_TAG: claimed} if claimed else {})
        # What the queue itself needs of a workspace is the location of the job.
        run = coordinator.attribute(SubmitRunContext(run, workspace))
    assert run.tags.get(USER_TAG) == tag
    assert launched_by(run) == (f"{tag}, run {run.run_id}" if tag else run.run_id)
