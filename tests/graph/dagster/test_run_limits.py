"""One run of a model at a time, of several models as many as a setting says; commands alike."""

import threading
from pathlib import Path

import dagster as dg
import pytest
import yaml

from mlops_assets.cli.main import use_dagster_home
from mlops_assets.cli.runs.model_run import ModelRun, run_alone
from mlops_assets.components.model_pipeline import build_model_defs
from mlops_assets.config import ModelSettings
from mlops_assets.errors import ConfigError
from mlops_assets.keys import asset_key, pool
from resources.dagster.run_limits import VARIABLE, runs_at_once, wait_for_others
from tests.support.loans import fake_resources


@pytest.fixture
def definitions(settings: ModelSettings, tmp_path: Path) -> dg.Definitions:
    """Of the models `loans` and `more`."""
    more = settings.model_copy(update={"name": "more"})
    models = [build_model_defs(one) for one in (settings, more)]
    return dg.Definitions.merge(*models, dg.Definitions(resources=fake_resources(tmp_path)))


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    """With the settings that are shipped."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    return dg.DagsterInstance.from_config(str(use_dagster_home(tmp_path)))


def places(instance: dg.DagsterInstance, job: dg.JobDefinition, *assets: dg.AssetKey) -> set[str]:
    run = instance.create_run_for_job(job, asset_selection=set(assets) or None)
    return set(run.run_op_concurrency.all_pools or ()) if run.run_op_concurrency else set()


def test_whatever_a_run_does_with_a_model_takes_the_place_of_that_model(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    jobs = definitions.get_repository_def().get_all_jobs()
    for job in jobs:
        model = job.name.partition("_")[0]
        if model in ("loans", "more"):
            assert {op.pool for op in _ops(job)} == {f"model/{model}"}, job.name
    by_hand = definitions.get_repository_def().get_implicit_asset_job_names()
    everything = definitions.get_repository_def().get_job(by_hand[0])
    both = [asset_key("loans", "raw_data"), asset_key("more", "raw_data")]
    assert places(instance, everything, *both) == {"model/loans", "model/more"}


def _ops(job: dg.JobDefinition) -> list[dg.OpDefinition]:
    return [node.definition for node in job.nodes if isinstance(node.definition, dg.OpDefinition)]


@pytest.mark.parametrize(
    ("said", "cores", "limit"), [("", 1, 2), ("", 12, 6), ("", 64, 10), ("1", 64, 1), ("40", 2, 40)]
)
def test_how_many_run_at_once_is_a_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, cores: int, limit: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setenv(VARIABLE, said)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    with dg.DagsterInstance.from_config(str(use_dagster_home(tmp_path))) as instance:
        found = instance.get_concurrency_config()
    assert found.run_queue_config.max_concurrent_runs == limit
    assert found.pool_config.default_pool_limit == 1
    file = tmp_path / "dagster" / "dagster.yaml"
    own = yaml.safe_load(file.read_text(encoding="utf-8"))
    own["concurrency"]["runs"] = {"max_concurrent_runs": 3}
    file.write_text(yaml.safe_dump(own), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(file.parent)) as instance:
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 3


@pytest.mark.parametrize("said", ["0", "-1", "two", "1.5", "²", "1234567"])
def test_a_setting_that_is_no_number_of_runs_is_refused(
    monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv(VARIABLE, said)
    with pytest.raises(ConfigError, match=f"{VARIABLE}='{said}' is no number of runs; write"):
        runs_at_once()


def test_a_command_waits_for_a_run_of_its_model_and_of_no_other(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    for name in ("loans", "more"):
        job = definitions.resolve_job_def(f"{name}_training")
        for status in (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.NOT_STARTED):
            instance.create_run_for_job(job, status=status)
    started = dg.RunsFilter(job_name="loans_training", statuses=[dg.DagsterRunStatus.STARTED])
    said: list[dg.DagsterRun] = []
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            (running,) = instance.get_runs(started)
            instance.report_run_failed(running)

    wait_for_others(instance, pool("loans"), said.append, sleep)
    assert [run.job_name for run in said] == ["loans_training"]
    assert len(looks) == 3


def test_two_commands_are_beside_each_other_but_not_at_one_model(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    at, may_end, order = threading.Event(), threading.Event(), []

    def long(one: ModelRun) -> bool:
        order.append(f"begin {one.model}")
        at.set()
        assert may_end.wait(30)
        order.append(f"end {one.model}")
        return True

    def short(one: ModelRun) -> bool:
        order.append(one.model)
        return True

    loans, more = (ModelRun(definitions, instance, name) for name in ("loans", "more"))
    threads = [threading.Thread(target=run_alone, args=(loans, do)) for do in (long, short)]
    threads[0].start()
    assert at.wait(30)
    threads[1].start()
    assert run_alone(more, short), "which does not wait"
    assert order == ["begin loans", "more"]
    may_end.set()
    for thread in threads:
        thread.join(30)
    assert order == ["begin loans", "more", "end loans", "loans"]
