"""Trainings of a model whose run loses its pod in the features, the training and a canary."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.definitions import build_resources
from mlops_assets.errors import DeploymentError
from resources.endpoints.client import request
from tests.kubernetes_api.cluster import Cluster
from tests.support.cluster.cluster_project import MODEL, tell_pods, write_project
from tests.support.cluster.clusters import acting_as, fake_cluster, shipped_instance
from tests.support.runs.small_dagster import daemon_over, write_loans
from tests.support.servers import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.thorough, pytest.mark.timeout(900)]

CANARY = {"strategy": "canary", "weights": [0.5], "step": "3s", "min_requests": 60}
CANARY |= {"limits": {"score_divergence": 1}}  # one entity is asked, and the data are others
CODE = "mlops_assets.definitions"


@pytest.fixture(params=["k8s", "in_process"])
def cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Generator[Cluster]:
    settings = {
        "MLOPS_HOME": str(tmp_path / "state"),
        "MLOPS_PROJECT": str(write_project(tmp_path, rollout=CANARY)),
        "MLOPS_EXECUTOR": request.param,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "state").mkdir()
    with fake_cluster(tmp_path / "state", tmp_path / "cluster") as cluster:
        tell_pods(cluster, **settings)
        yield cluster


def launch() -> None:
    tool = Path(sys.executable).with_name("dagster")
    command = [tool, "job", "launch", "-m", CODE, "-j", f"{MODEL}_training"]
    subprocess.run(command, check=True, capture_output=True)


def has_begun(instance: dg.DagsterInstance, step: str) -> dg.DagsterRun | None:
    """The run that lives and is in that step."""
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        started = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)
        if f"{MODEL}__{step}" in {one.step_key for one in started}:
            return run
    return None


def take_pod(cluster: Cluster, run: dg.DagsterRun) -> None:
    """End the pod of the run itself, with its node."""
    for pod in cluster.pods():
        labels = pod["metadata"]["labels"]
        own = labels.get("app.kubernetes.io/component") == "run_worker"
        mine = labels.get("dagster/run-id") == run.run_id
        if own and mine and pod["status"]["phase"] == "Running":
            cluster.take(pod["metadata"]["name"])


def succeeded(instance: dg.DagsterInstance, count: int) -> None:
    done = dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS], job_name=f"{MODEL}_training")
    wait_for(f"{count} trainings", lambda: instance.get_runs_count(done) == count, 300, every=1)


@contextmanager
def asked(url: str) -> Generator[list[bytes]]:
    """A load, and what of it failed."""
    ends, failures = threading.Event(), []

    def ask() -> None:
        while not ends.wait(0.02):
            try:
                code, answer = request(url, "POST", "/predict", b'{"entities": [399]}')
            except DeploymentError as err:
                code, answer = 0, str(err).encode()
            if code != 200:
                failures.append(answer)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield failures
    finally:
        ends.set()
        thread.join()


def test_a_training_that_loses_its_pods_deploys_once(cluster: Cluster, tmp_path: Path) -> None:
    state = tmp_path / "state"
    ledger, deployment = (build_resources(state)[name] for name in ("ledger", "deployment"))
    home = shipped_instance(cluster)
    with (
        acting_as(cluster, "mlops-daemon"),
        pytest.MonkeyPatch.context() as patch,
        dg.DagsterInstance.from_config(str(home)) as instance,
        daemon_over(
            CODE, tmp_path, started_in=Path.cwd(), DAGSTER_HOME=str(home), MLOPS_HOME=str(state)
        ),
    ):
        patch.setenv("DAGSTER_HOME", str(home))
        launch()
        for step in ("features", "trained_model"):
            run = wait_for(step, lambda step=step: has_begun(instance, step), 200, every=0.2)
            take_pod(cluster, run)
        succeeded(instance, 1)
        (first,) = ledger.history(MODEL)

        write_loans(tmp_path / "loans.csv", 500)
        url = deployment.status(MODEL).url
        with asked(url) as failures:
            launch()
            trial = state / "endpoints" / MODEL / "trial.json"
            wait_for("the canary", lambda: trial.exists() and json.loads(trial.read_bytes()), 300)
            run = wait_for("its run", lambda: has_begun(instance, "deployed_endpoint"), 20)
            take_pod(cluster, run)
            succeeded(instance, 2)
        runs = instance.get_runs(dg.RunsFilter(job_name=f"{MODEL}_training"))

    assert failures == []
    before, second = ledger.history(MODEL)
    assert before == first
    assert second.from_version == first.to_version
    assert deployment.status(MODEL).model_version == second.to_version
    assert not trial.exists()
    lost = 0 if os.environ["MLOPS_EXECUTOR"] == "k8s" else 3
    assert sorted(run.status.value for run in runs) == ["FAILURE"] * lost + ["SUCCESS"] * 2
