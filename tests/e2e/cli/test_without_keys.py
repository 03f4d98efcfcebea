"""A table without ids and times, from its file to a live endpoint, in a folder of its own."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.support.servers import free_port, kill_all_with
from tests.support.tables.wine import wine, wine_yaml

# The gate does the same without servers: tests/graph/features/test_without_keys.py.
pytestmark = [pytest.mark.e2e, pytest.mark.thorough, pytest.mark.timeout(600)]

TOOLS = Path(sys.executable).parent


@dataclass(frozen=True)
class Project:
    """A folder with the wine model, in git."""

    root: Path
    port: int

    def run(self, *command: str, code: int = 0) -> str:
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("MLOPS_", "DAGSTER_"))}
        done = subprocess.run(
            [str(TOOLS / command[0]), *command[1:]],
            cwd=self.root,
            env=kept
            | {"MLOPS_PROJECT": str(self.root), "DAGSTER_HOME": str(self.root / ".mlops/dagster")},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    def post(self, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as err:
            return err.code, json.load(err)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Generator[Project]:
    root = tmp_path_factory.mktemp("cellar")
    below = root / "defs" / "wine"
    below.mkdir(parents=True)
    made = Project(root, free_port())
    attributes = wine_yaml(wine(), root / "wine.csv") | {"deployment": {"port": made.port}}
    document = {"type": "mlops_assets.components.ModelPipeline", "attributes": attributes}
    (below / "defs.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    (root / "mlops.yaml").touch()
    (root / ".gitignore").write_text(".mlops/\n")
    for command in ("init -q", "add -A", "-c user.email=a@b.c -c user.name=a commit -qm x"):
        subprocess.run(["git", *command.split()], cwd=root, check=True)
    try:
        yield made
        made.run("mlops", "stop")
    finally:
        kill_all_with("MLOPS_ENDPOINT", str(root / ".mlops" / "endpoints" / "wine"))


@pytest.fixture(scope="module")
def first_run(project: Project) -> str:
    return project.run("mlops", "run")


def test_one_command_ends_with_a_prediction_by_features(first_run: str, project: Project) -> None:
    (line,) = [line for line in first_run.splitlines() if "prediction=" in line]
    assert line.startswith("wine: prediction=")
    assert line.endswith("version=1")
    assert "wine: version 1 at" in project.run("mlops", "status")
    assert not list(project.root.glob(".mlops/feast/wine/online*")), "nothing is published online"


def test_it_answers_rows_of_features_as_the_table_says(first_run: str, project: Project) -> None:
    frame = wine()
    names = [name for name in frame if name != "target"]
    status, answer = project.post("/predict_features", {"rows": frame[names].to_dict("records")})
    said = pd.Series([int(one["prediction"]) for one in answer["predictions"]])
    assert status == 200
    assert (said == frame["target"]).mean() > 0.97


def test_asked_by_id_each_way_says_what_to_do(first_run: str, project: Project) -> None:
    status, answer = project.post("/predict", {"entities": [1]})
    assert (status, answer["error"]["code"]) == (404, "no_entity")
    said = project.run("mlops", "predict", "wine", "1", code=1)
    assert "wine has no entity, so it cannot be asked by id; POST rows of features to http" in said
    assert len(said.strip().splitlines()) == 1


def test_running_again_changes_nothing(first_run: str, project: Project) -> None:
    said = project.run("mlops", "run")
    done = [line for line in said.splitlines() if "materialized" in line]
    assert [line.partition(" in ")[0] for line in done] == ["wine/raw_data: materialized"]
    assert "wine: up to date" in said


def test_what_it_answered_is_watched(first_run: str, project: Project) -> None:
    job = ("-m", "mlops_assets.definitions", "-j", "wine_monitoring")
    project.run("dagster", "job", "execute", *job)
    stages = {path.stem for path in project.root.glob(".mlops/assets/wine/*")}
    assert {"prediction_log", "labels", "performance_report", "drift_report"} <= stages
    assert "skew_report" not in stages
    files = project.root.glob(".mlops/endpoints/wine/predictions/*.jsonl")
    logged = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert len(logged) == len(wine())  # the sample of `mlops run` is nobody's request
    assert {(line["entity"], line["source"]) for line in logged} == {(None, "request")}


def test_a_version_is_trained_again_to_equal_predictions(first_run: str, project: Project) -> None:
    assert "wine@1: equal" in project.run("mlops", "reproduce", "wine@1")
