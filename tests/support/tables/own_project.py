"""A project over a state folder of a test's, by itself the repository's own, run by any engine."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mlops_assets.records.evaluation import Evaluation
from tests.support.servers import ROOT


@dataclass(frozen=True)
class Project:
    """Where it is, and what it leaves behind of the example `customers`."""

    home: Path
    port: int
    python: Path = Path(sys.executable)
    folder: Path = ROOT

    def start(self, *command: str, engine: str = "arrays") -> subprocess.Popen[str]:
        told = {
            "MLOPS_HOME": str(self.home),
            "MLOPS_DATA_ROOT": str(self.home / "project"),
            "DAGSTER_HOME": str(self.home / "dagster"),
            "MLOPS_PORT_CUSTOMERS": str(self.port),
            "MLOPS_ENGINE": engine,
        }
        return subprocess.Popen(
            [str(self.python), "-W", "ignore", "-m", *command],
            cwd=self.folder,
            env=os.environ | told,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str, engine: str = "arrays") -> str:
        return ended(self.start(*command, engine=engine))

    def features(self) -> pd.DataFrame:
        return pd.read_parquet(self.home / "assets" / "customers" / "features.parquet")

    def evaluation(self) -> Evaluation:
        path = self.home / "assets" / "customers" / "evaluation_report.json"
        return Evaluation.model_validate_json(path.read_text(encoding="utf-8"))


def ended(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    return output
