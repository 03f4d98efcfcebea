"""The framework as a wheel, and a project of somebody else's beside it: nothing of the checkout."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import ROOT, alive_with, free_port, kill_all_with
from tests.support.tables.own_tables import TABLES

pytestmark = pytest.mark.e2e

LOADER = """import numpy as np, pandas as pd

def load():
    drawn = np.random.default_rng(0)
    x = drawn.normal(size=600)
    days = pd.date_range("2025-01-01", periods=600, freq="6h", tz="UTC")
    y = (x + drawn.normal(size=600) > 0).astype(int)
    return pd.DataFrame({"id": range(600), "ts": days, "x": x, "y": y})
"""
MODEL = """type: mlops_assets.components.ModelPipeline
attributes:
  name: own
  source: {loader: helpers.load}
  entity: {name: id}
  timestamp: ts
  contract:
    columns: {id: {dtype: int64}, ts: {dtype: datetime}, x: {dtype: float64}, y: {dtype: int64}}
  features: {columns: [x], ttl: 3650d, clock: data}
  target: {name: label, task: binary, column: y}
  training: {split: {by: time, test: 1 month}}
  evaluation: {primary: roc_auc}
  deployment: {port: PORT}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with the wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = str(Path(sys.executable).with_name("uv"))
    build = ("build", "--wheel", "--no-build-isolation", "--python", sys.executable)
    done(folder, uv, *build, "--out-dir", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    done(folder, uv, "pip", "install", "--no-deps", "--target", str(folder / "site"), str(wheel))
    return folder / "site"


def done(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    ours = ("MLOPS_", "DAGSTER_", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    ended = subprocess.run(
        command,
        cwd=folder,
        env=kept | variables,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if ended.returncode:
        raise AssertionError(ended.stdout[-2000:] + ended.stderr[-3000:])
    return ended


@pytest.mark.thorough  # the tutorial's table is trained and served, each example is reproduced
def test_a_project_beside_an_installed_framework_is_trained_served_and_reproduced(
    installed: Path, tmp_path: Path
) -> None:
    project = tmp_path / "my shop"
    below = project / "defs" / "own"
    below.mkdir(parents=True)
    (project / "mlops.yaml").touch()
    (project / ".gitignore").write_text(".mlops/\n__pycache__/\n")
    (project / "helpers.py").write_text(LOADER)
    (below / "defs.yaml").write_text(MODEL.replace("PORT", str(free_port())))
    for command in (["init"], ["add", "-A"], ["commit", "-m", "x"]):
        who = ("-c", "user.email=a@example.com", "-c", "user.name=a")
        done(project, "git", *who, *command)

    home = tmp_path / "home"
    home.mkdir()

    def mlops(*arguments: str) -> str:
        site = {"PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1", "HOME": str(home)}
        return done(below, sys.executable, "-m", "mlops_assets", *arguments, **site).stdout

    try:
        said = mlops("run")
        assert "own: prediction=" in said
        assert "own@1: equal" in mlops("reproduce", "own@1")
        mlops("status", "--html", str(tmp_path / "page.html"))
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert "1 of 1 models live" in page
        assert re.search("[1-9][0-9]* answered, 0 refused", page)
        mlops("stop")
        assert alive_with("MLOPS_PROJECT", str(project)) == []
    finally:
        kill_all_with("MLOPS_ENDPOINT", str(project / ".mlops" / "endpoints" / "own"))
    assert list(home.iterdir()) == []  # neither Dagster's telemetry nor anybody else's
    assert done(project, "git", "status", "--short").stdout == ""
    assert sorted(file.name for file in installed.glob("mlops_assets/defs/*/")) == []


@pytest.mark.parametrize(
    "served", [False, pytest.param(True, marks=pytest.mark.thorough)], ids=["checked", "served"]
)
def test_a_table_in_an_empty_folder_becomes_a_project(
    installed: Path, tmp_path: Path, *, served: bool
) -> None:
    folder = tmp_path / "an empty folder"
    folder.mkdir()
    TABLES["wine"].write(folder)

    def mlops(*arguments: str) -> str:
        site = {"PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
        return done(folder, sys.executable, "-m", "mlops_assets", *arguments, **site).stdout

    try:
        port = str(free_port())
        written = mlops("init", "wine.csv", "--target", "target", "--port", port)
        assert "run it by: mlops run wine" in written
        assert sorted(p.name for p in folder.iterdir() if p.name[0] != ".") == [
            *("defs", "mlops.schema.json", "mlops.yaml", "wine.csv")
        ]
        if not served:
            mlops("check")
            return
        assert "wine: prediction=class_" in mlops("run")
        mlops("stop")
        assert alive_with("MLOPS_PROJECT", str(folder)) == []
    finally:
        kill_all_with("MLOPS_ENDPOINT", str(folder / ".mlops" / "endpoints" / "wine"))
