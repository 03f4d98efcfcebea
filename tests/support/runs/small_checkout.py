"""A checkout of the project with one small model and a home of its own, for what ends its runs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from resources.champion.aliases import CHAMPION
from resources.champion.ledger import PromotionLedger
from resources.deployment import EndpointTargets
from resources.tracking.tracking import MLflowTracking
from tests.support.runs.small_dagster import loans, write_loans
from tests.support.servers import ROOT

TOOLS = Path(sys.executable).parent
MODEL = "loans"
ENDED = ("SUCCESS", "FAILURE", "CANCELED")
UNFINISHED = [status for status in dg.DagsterRunStatus if status.value not in ENDED]


@dataclass
class Checkout:
    """One model of a few hundred rows, whose champion serves at `port`."""

    folder: Path
    port: int
    home: Path
    rows: int = 300

    @classmethod
    def at(cls, folder: Path, port: int) -> "Checkout":
        """Copy the project into the folder; no state yet."""
        for name in ("mlops_assets", "resources", "jobs", "sensors"):
            ignored = shutil.ignore_patterns("__pycache__", "customers", "flights")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        for name in ("pyproject.toml", "dagster.yaml", "workspace.yaml", "requirements.lock"):
            shutil.copy(ROOT / name, folder)
        checkout = cls(folder, port, folder / "home")
        # Every version passes: what is tested is how runs end.
        gate = {"limits": {"roc_auc": {"min": 0.5}}, "against_champion": "off"}
        evaluation = {"primary": "roc_auc", "gate": gate}
        quiet = {"evaluation": evaluation, "monitoring": {}, "schedule": {}}
        attributes = loans(folder / "loans.csv", port) | quiet
        document = {"type": "mlops_assets.components.ModelPipeline", "attributes": attributes}
        defs = folder / "mlops_assets" / "defs" / MODEL
        defs.mkdir()
        (defs / "defs.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        checkout.new_data()
        return checkout

    def new_data(self) -> None:
        """Let the source hold more, so that the next run has everything to do."""
        self.rows += 1
        write_loans(self.folder / "loans.csv", self.rows)

    def leave_home(self) -> None:
        """Delete the state; the next has another folder, since MLflow here keeps files open."""
        shutil.rmtree(self.home)
        self.home = self.home.with_name(f"home-{self.rows}")

    def environment(self, **more: str) -> dict[str, str]:
        """Of every process of the project."""
        ours = {
            "MLOPS_HOME": str(self.home),
            "DAGSTER_HOME": str(self.home / "dagster"),
            "MLOPS_DATA_ROOT": str(self.folder / "project"),
            "PYTHONPATH": str(self.folder),
            "PYTHONWARNINGS": "ignore",
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")}
        return kept | ours | more

    def start(self, *command: str, **more: str) -> subprocess.Popen[str]:
        """Start a tool of this environment in the checkout; its output goes to `log`."""
        (self.folder / "project").mkdir(exist_ok=True)
        with (self.folder / "log").open("a", encoding="utf-8") as log:
            return subprocess.Popen(
                [str(TOOLS / command[0]), *command[1:]],
                cwd=self.folder,
                env=self.environment(**more),
                stdout=log,
                stderr=log,
                start_new_session=True,
                text=True,
            )

    def run(self, *command: str) -> None:
        """Run a tool to its end.

        Raises:
            SystemExit: It failed; with the end of the log.
        """
        if code := self.start(*command).wait():
            said = (self.folder / "log").read_text(encoding="utf-8")[-3000:]
            raise SystemExit(f"{' '.join(command)} ended with {code}:\n{said}")

    @contextmanager
    def instance(self) -> Generator[dg.DagsterInstance]:
        """What Dagster knows of its runs."""
        with dg.DagsterInstance.from_config(str(self.home / "dagster")) as instance:
            yield instance

    @property
    def ledger(self) -> PromotionLedger:
        """Who was champion when."""
        return PromotionLedger(database=str(self.home / "ledger.db"))

    def mlflow_runs(self) -> list[Any]:
        """All of the model."""
        from mlflow import MlflowClient

        client = MlflowClient(self._tracking.tracking_uri)
        found = client.get_experiment_by_name(MODEL)
        return client.search_runs([found.experiment_id], max_results=1000) if found else []

    def faults(self) -> list[str]:
        """Where ledger, alias and endpoint do not agree, or a run has no end."""
        history, found = self.ledger.history(MODEL), []
        steps = pairwise(history)
        if any(before.to_version != after.from_version for before, after in steps):
            found.append("the ledger is not linear")
        head = history[-1].to_version if history else None
        champion = self._tracking.registry.version_by_alias(MODEL, CHAMPION)
        if head != (champion.version if champion else None):
            found.append(f"the alias stands at {champion}, the ledger at {head}")
        served = EndpointTargets(root=str(self.home / "endpoints")).status(MODEL)
        if head != (served.model_version if served else None):
            found.append(f"{served} is served, the ledger says {head}")
        with self.instance() as instance:
            left = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
        found += [f"run {run.run_id[:8]} is left {run.status.value}" for run in left]
        running = [run for run in self.mlflow_runs() if run.info.status == "RUNNING"]
        return found + [f"MLflow run {run.info.run_id[:8]} is left RUNNING" for run in running]

    @property
    def _tracking(self) -> MLflowTracking:
        uri = f"sqlite:///{self.home / 'mlflow.db'}"
        return MLflowTracking(tracking_uri=uri, artifacts=str(self.home / "mlflow"))
