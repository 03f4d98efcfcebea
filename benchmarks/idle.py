"""A daemon with nothing to do: 20 models, an hour's worth of ticks, and what they leave behind.

A real `dagster-daemon` with its code server watches 20 models that were trained on what their
source holds; all sensors are on (`<model>_retraining`, `<model>_endpoint_health`, `run_failed`,
`run_recovered`, `mlflow_runs`). The sensors of the policy look every second instead of every
minute, so that the 60 looks of an hour pass sooner; a look does the same work. What depends on the
clock and not on looks, an hour of heartbeats for instance, is so not seen.

    python benchmarks/idle.py [LOOKS]    # default 60; writes results/idle.md
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import numpy as np
import psutil
import yaml

from mlops_assets.components.model_pipeline import build_model_defs
from mlops_assets.config import ModelSettings
from mlops_assets.definitions import build_resources
from mlops_assets.home import home
from mlops_assets.keys import asset_key
from mlops_assets.ml.sources import source_fingerprint
from resources.decisions import DecisionStore
from sensors.incidents import build_incident_sensors
from sensors.mlflow_runs import build_mlflow_runs_sensor

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
MODELS = [f"shop_{number:02}" for number in range(20)]
INSTANCE = {"telemetry": {"enabled": False}, "concurrency": {"runs": {"max_concurrent_runs": 1}}}
_EVERY = 5.0
"""Seconds between two measurements."""


class Moment(NamedTuple):
    """What was measured at a moment."""

    seconds: float
    looks: int
    """Of all models together."""
    daemon_mb: float
    server_mb: float
    """Of the largest code server."""
    servers: int
    """The daemon starts a new one every minute and ends the old one within 20 s."""
    disk_kb: dict[str, float]
    """By store."""


def settings(name: str) -> ModelSettings:
    """A small model whose source is one file of the state folder."""
    dtypes = {"id": "int64", "time": "datetime", "amount": "float64", "label": "int64"}
    return ModelSettings.model_validate(
        {
            "name": name,
            "source": {"uri": str(home() / "rows.csv")},
            "entity": {"name": "id"},
            "timestamp": "time",
            "contract": {"columns": {column: {"dtype": kind} for column, kind in dtypes.items()}},
            "features": {"columns": ["amount"], "ttl": "400d"},
            "target": {"name": "bought", "task": "binary", "column": "label"},
            "training": {"split": {"by": "time", "test": "3 months"}},
            "evaluation": {"primary": "roc_auc"},
            "deployment": {"port": 3200 + MODELS.index(name)},
            "monitoring": {"new_data_every": "1s"},
        }
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The code location of the daemon."""
    sensors = [build_mlflow_runs_sensor(), *build_incident_sensors()]
    return dg.Definitions.merge(
        *(build_model_defs(settings(name)) for name in MODELS),
        dg.Definitions(resources=build_resources(home()), sensors=sensors),
    )


def main() -> None:
    """Watch until every model was looked at so often; write the page; require rest."""
    looks = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"MLOPS_HOME": folder, "DAGSTER_HOME": f"{folder}/dagster"}
        prepare(Path(folder))
        with dg.DagsterInstance.get() as instance:
            daemon = start(Path(folder))
            try:
                moments = list(watch(daemon, Path(folder), looks))
            finally:
                os.killpg(daemon.pid, signal.SIGTERM)
                daemon.wait(30)
            runs = instance.get_runs_count()
        rows = {name: len(store(Path(folder)).history(name, 1000)) for name in MODELS}
    page = describe(moments, runs, rows)
    (RESULTS / "idle.md").write_text(page, encoding="utf-8")
    print(page)
    if runs:
        raise SystemExit(f"{runs} runs were launched with nothing to do")
    if growth(moments) > 1.0:
        raise SystemExit(f"memory grows by {growth(moments):.2f} MB in 1,000 looks")


def prepare(folder: Path) -> None:
    """Data, and models that were trained on it; every sensor on."""
    (folder / "dagster").mkdir()
    (folder / "dagster" / "dagster.yaml").write_text(yaml.safe_dump(INSTANCE), encoding="utf-8")
    text = "id,time,amount,label\n" + "".join(f"{i},2025-01-01,{i}.5,{i % 2}\n" for i in range(50))
    (folder / "rows.csv").write_text(text, encoding="utf-8")
    with dg.DagsterInstance.get() as instance:
        for name in MODELS:
            read = {"source_fingerprint": str(source_fingerprint(settings(name).source))}
            for key, metadata in (("raw_data", read), ("trained_model", {})):
                event = dg.AssetMaterialization(asset_key(name, key), metadata=metadata)
                instance.report_runless_asset_event(event)
    command = [tool("dagster"), "sensor", "start", "--start-all", "-m", "benchmarks.idle"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def start(folder: Path) -> subprocess.Popen[bytes]:
    """The daemon, in a session of its own."""
    with (folder / "daemon.log").open("wb") as log:
        return subprocess.Popen(
            [tool("dagster-daemon"), "run", "-m", "benchmarks.idle"],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def watch(daemon: subprocess.Popen[bytes], folder: Path, looks: int) -> Iterator[Moment]:
    """Measure until every model was looked at so often."""
    begun = time.monotonic()
    while True:
        time.sleep(_EVERY)
        if daemon.poll() is not None:
            raise SystemExit((folder / "daemon.log").read_text(encoding="utf-8")[-3000:])
        seen = [sum(row.ticks for row in store(folder).history(name, 1000)) for name in MODELS]
        if not min(seen):
            continue  # it still starts
        servers = code_servers(daemon.pid)
        yield Moment(
            seconds=time.monotonic() - begun,
            looks=sum(seen),
            daemon_mb=psutil.Process(daemon.pid).memory_info().rss / 1e6,
            server_mb=max(servers, default=0.0),
            servers=len(servers),
            disk_kb={name: size(folder, pattern) for name, pattern in STORES.items()},
        )
        if min(seen) >= looks:
            return


STORES = {
    "ticks (Dagster)": "dagster/schedules/**/*",
    "events (Dagster)": "dagster/history/**/*",
    "decisions.db": "decisions.db*",
}


def code_servers(daemon: int) -> list[float]:
    """MB of each process of the daemon that serves the code location."""
    found = []
    for process in psutil.Process(daemon).children(recursive=True):
        with suppress(psutil.Error):
            if "grpc" in process.cmdline():
                found.append(process.memory_info().rss / 1e6)
    return found


def size(folder: Path, pattern: str) -> float:
    """Of all files of a pattern, in kB; sqlite's logs come and go."""
    found = 0
    for file in folder.glob(pattern):
        with suppress(FileNotFoundError):
            found += file.stat().st_size
    return found / 1e3


def store(folder: Path) -> DecisionStore:
    """Where the policy's decisions are."""
    return DecisionStore(path=str(folder / "decisions.db"))


def tool(name: str) -> str:
    """A command of this environment."""
    return str(Path(sys.executable).parent / name)


def growth(moments: list[Moment]) -> float:
    """MB of daemon and code server in 1,000 looks, by least squares over the second half."""
    half = moments[len(moments) // 2 :]
    memory = [moment.daemon_mb + moment.server_mb for moment in half]
    return float(np.polyfit([moment.looks for moment in half], memory, 1)[0]) * 1000


def describe(moments: list[Moment], runs: int, rows: dict[str, int]) -> str:
    """The page."""
    shown = [moments[0], moments[len(moments) // 2], moments[-1]]
    looks = moments[-1].looks - moments[0].looks
    lines = [
        "# A daemon with nothing to do\n",
        (__doc__ or "").split("\n\n", 1)[1].split("    python")[0].strip() + "\n",
        f"`python benchmarks/idle.py`: {moments[-1].looks} looks at {len(MODELS)} models in "
        f"{moments[-1].seconds:.0f} s. Runs launched: {runs}. Rows in `decisions.db` per model: "
        f"{max(rows.values())}.\n",
        "| | looks | daemon MB | code server MB | " + " | ".join(f"{s} kB" for s in STORES) + " |",
        "|---|---|---|---|" + "---|" * len(STORES),
    ]
    for name, moment in zip(("start", "middle", "end"), shown, strict=True):
        disk = " | ".join(f"{moment.disk_kb[one]:.0f}" for one in STORES)
        lines.append(
            f"| {name} | {moment.looks} | {moment.daemon_mb:.0f} "
            f"| {moment.server_mb:.0f} | {disk} |"
        )
    per_look = {n: (shown[-1].disk_kb[n] - shown[0].disk_kb[n]) / looks * 1e3 for n in STORES}
    lines += [
        f"\nMemory, second half, by least squares: {growth(moments):+.2f} MB in 1,000 looks.",
        "Disk, bytes a look: " + ", ".join(f"{n} {size:.0f}" for n, size in per_look.items()) + ".",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
