"""The status page as an asset: over a model that was trained and one that never was."""

import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.assets.status import build_status_page
from mlops_assets.config import ModelSettings
from mlops_assets.keys import STATUS_PAGE
from tests.support.runs.pipeline_runs import materialize


def page_of(
    models: list[ModelSettings], resources: dict[str, Any], instance: dg.DagsterInstance, file: Path
) -> str:
    built = dg.Definitions.merge(
        build_status_page(models, file), dg.Definitions(resources=resources)
    )
    job = built.resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(instance=instance, asset_selection=[STATUS_PAGE]).success
    return file.read_text(encoding="utf-8")


@pytest.fixture(params=["UTC", "America/St_Johns"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def test_the_page_says_what_serves_and_what_never_ran(
    zone: str,
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    tmp_path: Path,
) -> None:
    trained = ModelSettings.model_validate(loans)
    other = ModelSettings.model_validate(loans | {"name": "other"})
    assert materialize(trained, resources, instance).success
    file = tmp_path / "gone" / "status.html"

    page = page_of([trained, other], resources, instance, file)

    assert "1 of 2 models live" in page
    assert page.count("no version was promoted yet") == 1
    assert "version 1 since" in page
    assert "(just now)" in page
    assert "read just now" in page
    assert "the gate&#x27;s limit 0.7" in page or "the gate's limit 0.7" in page

    resources["deployment"].crash("loans")
    page = page_of([trained], resources, instance, file)
    assert "0 of 1 models live" in page
    assert "version 1 is the champion and does not answer" in page
    assert oct(file.stat().st_mode & 0o777) == "0o600"
