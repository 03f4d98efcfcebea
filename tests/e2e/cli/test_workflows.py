"""The workflow's jobs `train` and `deploy-staging`, run for real on a project of one tiny model.

The job `test` would run these tests again; `tests/unit/workflow/test_workflow.py` says what it
calls.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from resources.deployment import EndpointTargets
from tests.support.served.live_endpoints import free_port
from tests.support.services.tiny_repository import MODEL, TinyRepository
from tests.support.services.workflow_runner import Runner, read_workflow

# In the gate tests/unit/workflow reads the jobs, and servers/test_several_machines.py gives their
# commands.
pytestmark = [pytest.mark.e2e, pytest.mark.thorough, pytest.mark.timeout(600)]

TESTED = {"test": "success"}


class Machine:
    """The machines of the jobs: a new one each, or one that keeps its files, and their actions."""

    def __init__(self, repository: TinyRepository, folder: Path) -> None:
        self.repository = repository
        self.workspace, self.artifact = folder / "work", folder / "artifact"
        self.home = self.workspace / ".mlops"
        self.keeps_its_files = False

    def runner(self) -> Runner:
        kept = {name: os.environ[name] for name in ("PATH", "HOME")}
        return Runner(
            self.workspace,
            {**kept, "PYTHONPATH": str(self.workspace), "PYTHONWARNINGS": "ignore"},
            {
                "github": {"ref": "refs/heads/main", "workspace": str(self.workspace)},
                "vars": {"MLOPS_HOME": str(self.home)} if self.keeps_its_files else {},
                "inputs": {},
                "secrets": {},
            },
            {
                "actions/checkout": self.check_out,
                "$/.github/actions/install": self.install,
                "actions/upload-artifact": self.upload,
                "actions/download-artifact": self.download,
            },
        )

    def check_out(self, given: dict[str, str]) -> None:
        assert given == {"persist-credentials": "False", "clean": "False"}
        if self.keeps_its_files:
            self.git("pull", "--quiet")
            return
        shutil.rmtree(self.workspace, ignore_errors=True)  # each job has a machine of its own
        self.repository.git("clone", "--quiet", str(self.repository.root), str(self.workspace))
        (self.workspace / ".venv").symlink_to(sys.prefix)

    def install(self, given: dict[str, str]) -> None:
        assert (self.workspace / ".venv" / "bin" / "mlops").exists(), given

    def upload(self, given: dict[str, str]) -> None:
        assert given["include-hidden-files"] == "True", "or nothing of .mlops would be kept"
        wanted, unwanted = given["path"].split()
        assert unwanted == f"!{wanted}/dvc"
        shutil.copytree(wanted, self.artifact, ignore=shutil.ignore_patterns("dvc"))
        for file in filter(Path.is_file, self.artifact.rglob("*")):
            file.chmod(0o644)  # an artifact keeps no permissions

    def download(self, given: dict[str, str]) -> None:
        shutil.copytree(self.artifact, given["path"])

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", "-C", str(self.workspace), *arguments], check=True)


@pytest.fixture
def machine(tmp_path: Path) -> Generator[Machine]:
    made = Machine(TinyRepository.create(tmp_path), tmp_path / "runner")
    yield made
    EndpointTargets(root=str(made.home / "endpoints")).stop(MODEL)


def change_yaml(repository: TinyRepository, before: str, after: str) -> None:
    file = repository.root / "mlops_assets" / "defs" / MODEL / "defs.yaml"
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")
    repository.commit(after)


def test_what_passed_is_live_on_staging_and_what_is_refused_leaves_it_there(
    machine: Machine,
) -> None:
    """In one test, since staging is what the run before left of it."""
    url = f"http://127.0.0.1:{free_port()}"
    change_yaml(machine.repository, "port: 18207", f"port: {url.rpartition(':')[2]}")
    runner = machine.runner()

    results = runner.run(read_workflow(), TESTED)

    assert results == TESTED | {"train": "success", "deploy-staging": "success"}, runner.log
    trained, deployed, _ = runner.log
    assert "loans/evaluation_report: materialized" in trained
    assert "deployed_endpoint" not in trained
    said = r"loans/deployed_endpoint: materialized in [\d.]+ s\nloans: prediction=0\."
    assert re.match(said, deployed)
    summary = runner.summary.read_text(encoding="utf-8")
    assert summary.startswith("- loans: version 1 passed the gate\n\n# loans, version 1\n")
    assert summary.endswith(f"\n- loans: version 1 at {url}\n")
    answer = httpx.post(f"{url}/predict", json={"entities": [299]}).json()
    assert 0 < answer["predictions"][0]["prediction"] < 1

    machine.keeps_its_files = True
    change_yaml(machine.repository, "roc_auc: {min: 0.5}", "roc_auc: {min: 0.9999}")
    runner = machine.runner()
    runner.summary.unlink()

    results = runner.run(read_workflow(), TESTED)

    assert results == TESTED | {"train": "failure", "deploy-staging": "skipped"}, runner.log
    assert "loans: version 1 is refused: roc_auc" in runner.summary.read_text(encoding="utf-8")
    assert httpx.get(f"{url}/model").json()["model_version"] == 1
