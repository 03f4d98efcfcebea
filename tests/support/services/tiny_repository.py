"""A project of its own in a temporary git repository: this package with one tiny model.

Its data and its code change from version to version, and every version is trained by the command
line that a user has. The benchmark of `mlops reproduce` uses it too.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[3]
MODEL = "loans"
TRAINING = ("raw_data", "processed_data", "features", "trained_model")
_PACKAGES = ("mlops_assets", "resources", "jobs", "sensors")
_FILES = ("pyproject.toml", "dagster.yaml", "requirements.lock", ".gitignore")
_OURS = ("MLOPS_", "MLFLOW_", "DAGSTER_", "GIT_")
_DEFS = """\
type: mlops_assets.components.ModelPipeline
attributes:
  name: loans
  source: {{uri: "{source}"}}
  entity: {{name: id}}
  timestamp: time
  contract:
    columns:
      id: {{dtype: int64}}
      time: {{dtype: datetime}}
      amount: {{dtype: float64, min: 0}}
      label: {{dtype: int64, allowed: [0, 1]}}
  features: {{columns: [amount], ttl: 400d, clock: data}}
  target: {{name: defaulted, task: binary, column: label}}
  training:
    params: {{max_iter: 10, max_leaf_nodes: {leaves}}}
    split: {{by: time, test: 3 months}}
  evaluation: {{primary: roc_auc, gate: {{limits: {{roc_auc: {{min: 0.5}}}}}}}}
  deployment: {{port: 18207}}
"""
_LAST_STEP = ".reset_index(drop=True)\n"


@dataclass(frozen=True)
class TinyRepository:
    """The repository at `root`, its state folder at `state`."""

    root: Path
    state: Path

    @classmethod
    def create(cls, folder: Path) -> "TinyRepository":
        """Copy the package into a new repository, with one model and first data; committed."""
        made = cls(folder / "project", folder / "state")
        for name in _PACKAGES:
            without = shutil.ignore_patterns("__pycache__", "customers", "flights")
            shutil.copytree(ROOT / name, made.root / name, ignore=without)
        for name in _FILES:
            shutil.copy(ROOT / name, made.root)
        made.git("init", "--quiet")
        made.change_data(0)
        made.change_yaml(leaves=8)
        made.commit("First")
        made.git("tag", "first")
        return made

    def change_data(self, seed: int) -> None:
        """Other rows in the source, which lies outside the repository."""
        rng = np.random.default_rng(seed)
        amount = rng.uniform(1, 100, 300).round(2)
        times = pd.date_range("2024-01-01", periods=300, freq="D").strftime("%Y-%m-%d")
        label = (rng.uniform(size=300) < 1 / (1 + np.exp(-(amount - 50) / 8))).astype(int)
        frame = pd.DataFrame({"id": range(300), "time": times, "amount": amount, "label": label})
        frame.to_csv(self.source, index=False)

    def change_code(self, limit: int) -> None:
        """A step at the end of `process`: amounts above `limit` count as it."""
        file = self.root / "mlops_assets" / "ml" / "data" / "processing.py"
        original = self.git("show", "first:mlops_assets/ml/data/processing.py")
        assert original.count(_LAST_STEP) == 1
        step = f".assign(amount=lambda rows: rows.amount.clip(upper={limit}))"
        file.write_text(original.replace(_LAST_STEP, step + _LAST_STEP), encoding="utf-8")

    def change_yaml(self, leaves: int) -> None:
        """Another parameter of the estimator."""
        file = self.root / "mlops_assets" / "defs" / MODEL / "defs.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(_DEFS.format(source=self.source, leaves=leaves), encoding="utf-8")

    def commit(self, message: str) -> None:
        """Commit the code; the pointers of the data stay as DVC left them."""
        self.git("add", "--", *_PACKAGES, *(n for n in _FILES if (self.root / n).exists()))
        author = ("-c", "user.name=Test", "-c", "user.email=test@localhost")
        self.git(*author, "commit", "--quiet", "--allow-empty", "-m", message)

    def train(self, *options: str, stages: Sequence[str] = TRAINING) -> None:
        """A new version, by the assets from `raw_data` to `trained_model`."""
        keys = ",".join(f"{MODEL}/{stage}" for stage in stages)
        launch = ("-m", "dagster", "asset", "materialize", "-m", "mlops_assets.definitions")
        done = self._run(*launch, "--select", keys, *options)
        assert done.returncode == 0, done.stdout + done.stderr

    def mlops(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the project's own `mlops`."""
        return self._run("-m", "mlops_assets", *arguments)

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the project's own `mlops`."""
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "mlops_assets", *arguments],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def git(self, *arguments: str) -> str:
        """Run git in the repository; its output."""
        command = ["git", "-C", str(self.root), *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, check=True)
        return done.stdout.decode()

    def newest_blob(self) -> Path:
        """The file in DVC's cache that holds the newest version's data."""
        pointer = next((self.state / "dvc" / "project" / "data" / MODEL).glob("*.dvc"))
        md5 = yaml.safe_load(pointer.read_text(encoding="utf-8"))["outs"][0]["md5"]
        return self.state / "dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]

    @property
    def source(self) -> Path:
        return self.root.parent / "loans.csv"

    @property
    def environment(self) -> dict[str, str]:
        """The caller's, with the state folder of this repository."""
        dagster = self.state / "dagster"
        dagster.mkdir(parents=True, exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        ours = {"MLOPS_HOME": self.state, "DAGSTER_HOME": dagster, "PYTHONPATH": self.root}
        return {**kept, **{name: str(value) for name, value in ours.items()}}

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "ignore", *arguments],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
