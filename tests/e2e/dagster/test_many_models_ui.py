"""The web page of 200 models: what its main pages ask is answered in full."""

import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

import dagster as dg
import httpx
import pytest

from mlops_assets.cli.main import use_dagster_home
from mlops_assets.interfaces.code_server import LOCATION, CodeServer
from mlops_assets.keys import BACKTESTS, STATUS_PAGE
from tests.support.runs.many_models import make_project
from tests.support.servers import end_group, free_port, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.thorough]

MODELS = 200
_REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": LOCATION}
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Generator[Ask]:
    """Asks the web server as the page does; both it and the code server hold all models."""
    folder, port = tmp_path_factory.mktemp("many"), free_port()
    project = folder / "project"
    make_project(project, MODELS)
    environment = os.environ | {
        "MLOPS_PROJECT": str(project),
        "MLOPS_HOME": str(folder / "state"),
        "DAGSTER_HOME": str(folder / "state" / "dagster"),
        "PYTHONWARNINGS": "ignore",
    }
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("DAGSTER_HOME", environment["DAGSTER_HOME"])
        with dg.DagsterInstance.from_config(str(use_dagster_home(folder / "state"))):
            pass  # processes that race to make its tables break each other's
    code = CodeServer(folder)
    ui = [sys.executable, "-m", "mlops_assets.interfaces.dagster_ui", "--port", str(port)]
    ui += ["--workspace", str(code.workspace)]
    with (folder / "log").open("wb") as log:
        processes = [
            subprocess.Popen(
                command,
                cwd=project,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            for command in (ui, code.command)
        ]

    def ask(query: str, **variables: Any) -> dict[str, Any]:
        body = {"query": query, "variables": variables}
        answer = httpx.post(f"http://127.0.0.1:{port}/graphql", json=body, timeout=60).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def is_loaded() -> bool:
        with suppress(httpx.TransportError):
            return len(ask("{ assetNodes { id } }")["assetNodes"]) > MODELS
        return False

    try:
        wait_for("the location", is_loaded, 200, every=2)
        yield ask
    finally:
        for process in processes:
            end_group(process)


def test_the_graph_of_all_assets(ask: Ask) -> None:
    query = """{ assetNodes { assetKey { path } groupName isMaterializable jobNames
        dependencyKeys { path } kinds owners { __typename } } }"""
    nodes = ask(query)["assetNodes"]
    (page,) = [node for node in nodes if node["assetKey"]["path"] == STATUS_PAGE.path]
    of_models = [node["groupName"] for node in nodes if node is not page]
    groups = [name for name in of_models if name != BACKTESTS]
    assert len(of_models) - len(groups) == len({*groups}) == MODELS
    assert {groups.count(name) for name in {*groups}} == {len(groups) // MODELS}


def test_the_overview_of_jobs_and_sensors(ask: Ask) -> None:
    query = """query($r: RepositorySelector!) { repositoryOrError(repositorySelector: $r) {
        ... on Repository { pipelines { name isJob }
        sensors { name sensorState { status ticks(limit: 1) { status } } }
        schedules { name cronSchedule } assetGroups { groupName } } } }"""
    found = ask(query, r=_REPOSITORY)["repositoryOrError"]
    trainings = [job["name"] for job in found["pipelines"] if job["name"].endswith("_training")]
    assert len(trainings) == MODELS
    assert sum(one["name"].endswith("_retraining") for one in found["sensors"]) == MODELS
    assert (len(found["schedules"]), len(found["assetGroups"])) == (MODELS + 1, MODELS + 2)


def test_the_newest_of_all_assets_and_the_runs(ask: Ask) -> None:
    keys = [node["assetKey"] for node in ask("{ assetNodes { assetKey { path } } }")["assetNodes"]]
    query = """query($k: [AssetKeyInput!]!) { assetsLatestInfo(assetKeys: $k) {
        assetKey { path } latestMaterialization { timestamp } inProgressRunIds } }"""
    asked = [{"path": key["path"]} for key in keys]
    assert len(ask(query, k=asked)["assetsLatestInfo"]) == len(keys)
    runs = ask("{ runsOrError(limit: 25) { ... on Runs { results { runId } } } }")
    assert runs["runsOrError"] == {"results": []}


def test_one_model(ask: Ask) -> None:
    query = """query($g: AssetGroupSelector!) { assetNodes(group: $g, loadMaterializations: true) {
        assetKey { path } staleStatus assetChecksOrError { ... on AssetChecks {
        checks { name } } } latestMaterializationByPartition: assetMaterializations(limit: 1) {
        timestamp } } }"""
    nodes = ask(query, g={**_REPOSITORY, "groupName": "m199"})["assetNodes"]
    assert {node["assetKey"]["path"][0] for node in nodes} == {"m199"}
    assert sum(len(node["assetChecksOrError"]["checks"]) for node in nodes) >= 10
