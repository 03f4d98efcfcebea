"""A real Dagster, with its guarded UI and its daemon, over the small project."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import yaml

from mlops_assets.interfaces.code_server import CodeServer
from tests.support.servers import ROOT, end_group

LOCATION = "tests.support.runs.small_project"
SHIPPED = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
INSTANCE = {
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},  # its dialog would cover the first page
    **{key: SHIPPED[key] for key in ("concurrency", "run_coordinator")},
}


def write_loans(file: Path, rows: int) -> None:
    """A flat table whose target depends on `amount`; more rows are other content."""
    rng = np.random.default_rng(rows)
    amount = rng.uniform(1, 100, rows).round(2)
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "time": pd.date_range("2024-01-01", periods=rows, freq="D").strftime("%Y-%m-%d"),
            "amount": amount,
            "label": (rng.uniform(size=rows) < 1 / (1 + np.exp((50 - amount) / 8))).astype(int),
        }
    )
    temporary = file.with_suffix(".new")
    frame.to_csv(temporary, index=False)
    temporary.replace(file)


def loans(source: Path, port: int) -> dict[str, Any]:
    columns = {
        "id": {"dtype": "int64"},
        "time": {"dtype": "datetime"},
        "amount": {"dtype": "float64"},
        "label": {"dtype": "int64"},
    }
    return {
        "name": "loans",
        "source": {"uri": str(source)},
        "entity": {"name": "id"},
        "timestamp": "time",
        "contract": {"columns": columns},
        "features": {"columns": ["amount"], "ttl": "400d", "clock": "data"},
        "target": {"name": "defaulted", "task": "binary", "column": "label"},
        "training": {
            "estimator": "sklearn.linear_model.LogisticRegression",
            "scale": True,
            "split": {"by": "time", "test": "3 months"},
        },
        "evaluation": {"primary": "roc_auc", "gate": {"limits": {"roc_auc": {"min": 0.7}}}},
        "deployment": {"port": port},
        "monitoring": {"new_data_every": "5s", "retrain": {"cooldown": "1s"}},
        "schedule": {"train": "* * * * *"},
    }


@contextmanager
def daemon_over(
    location: str, folder: Path, *, started_in: Path = ROOT, **variables: str
) -> Generator[None]:
    """A daemon over a module of definitions, told by variables as a deployment is; it logs there.

    Beside what the caller names it is told that state is in `folder`.
    """
    told = {"MLOPS_HOME": str(folder), "PYTHONPATH": str(ROOT), **variables}
    tool = str(Path(sys.executable).parent / "dagster-daemon")
    with (folder / "daemon.log").open("wb") as log:
        started = subprocess.Popen(
            [tool, "run", "-m", location],
            cwd=started_in,
            env=os.environ | told,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield
    finally:
        end_group(started)


@contextmanager
def dagster_dev(
    folder: Path, port: int, settings: dict[str, Any]
) -> Generator[subprocess.Popen[bytes]]:
    """Start it over the one model, with all state and the log in the folder; it answers later.

    The processes of `mlops dev`, over another code location; the one of the UI is yielded.
    """
    for name in ("dagster", "project"):
        (folder / name).mkdir()
    (folder / "dagster" / "dagster.yaml").write_text(yaml.safe_dump(INSTANCE))
    (folder / "loans.yaml").write_text(yaml.safe_dump(settings))
    environment = os.environ | {
        "DAGSTER_HOME": str(folder / "dagster"),
        "MLOPS_HOME": str(folder / "state"),
        "MLOPS_DATA_ROOT": str(folder / "project"),
        "SMALL_PROJECT": str(folder / "loans.yaml"),
        "PYTHONWARNINGS": "ignore",
    }
    with dg.DagsterInstance.from_config(str(folder / "dagster")):
        pass  # processes that race to make its tables break each other's
    code = CodeServer(folder, LOCATION, LOCATION)
    workspace = ["--workspace", str(code.workspace)]
    ui = [sys.executable, "-m", "mlops_assets.interfaces.dagster_ui", "--port", str(port)]
    daemon = [str(Path(sys.executable).with_name("dagster-daemon")), "run"]
    with (folder / "dagster.log").open("wb") as log:
        processes = [
            subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
            for command in ([*ui, *workspace], [*daemon, *workspace], code.command)
        ]
    try:
        yield processes[0]
    finally:
        for process in processes:
            end_group(process)
