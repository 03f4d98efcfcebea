"""Start `dagster dev` on a code location, and measure what its processes hold."""

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import dagster as dg
import psutil
import yaml

from benchmarks.idle.models import remember

if TYPE_CHECKING:
    from collections.abc import Generator

ROOT = Path(__file__).parents[2]
ROLES = {"daemon": "dagster._daemon", "code server": "grpc", "web server": "dagster_webserver"}
"""Process -> the argument of its command that the others do not have."""
STORES = {
    "ticks": "dagster/schedules/**/*",
    "events": "dagster/history/**/*",
    "decisions": "decisions.db*",
}
_GRACE_SECONDS = 30


class Moment(NamedTuple):
    """What was measured at a moment."""

    seconds: float
    looks: int
    """Evaluations of all sensors together."""
    memory_mb: dict[str, float]
    """Resident, by process."""
    disk_kb: dict[str, float]
    """By store."""
    runs: int
    """Launched so far."""

    @property
    def complete(self) -> bool:
        """Whether every process had started."""
        return all(self.memory_mb.values())


class Side:
    """One code location under `dagster dev`, with a state folder of its own."""

    def __init__(self, module: str, folder: Path, port: int) -> None:
        self.module, self.folder, self.port = module, folder, port
        self.environment = os.environ | {
            "MLOPS_HOME": str(folder),
            "DAGSTER_HOME": str(folder / "dagster"),
        }

    @contextmanager
    def running(self) -> "Generator[None]":
        """Trained models and every sensor on; ended with all its processes."""
        self._prepare()
        with (self.folder / "dev.log").open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(_tool("dagster"), "dev", "-m", self.module),
                    *("--host", "127.0.0.1", "--port", str(self.port)),
                ],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        self.begun = time.monotonic()
        try:
            yield
        finally:
            self._end()

    def _end(self) -> None:
        """Ask; what is left is forced, since in a shell's background Dagster takes no signal."""
        if self.process.poll() is not None:
            return
        dev = psutil.Process(self.process.pid)
        family = [*dev.children(recursive=True), dev]
        dev.terminate()
        for process in psutil.wait_procs(family, _GRACE_SECONDS)[1]:
            process.kill()
        self.process.wait()

    def _prepare(self) -> None:
        home = self.folder / "dagster"
        home.mkdir(parents=True)
        settings = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
        for local in ("storage", "local_artifact_storage", "compute_logs"):
            del settings[local]  # they are under DAGSTER_HOME then
        (home / "dagster.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        os.environ["MLOPS_HOME"] = str(self.folder)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            remember(instance)
        command = [_tool("dagster"), "sensor", "start", "--start-all", "-m", self.module]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True, capture_output=True)

    def measure(self) -> Moment:
        """Now.

        Raises:
            SystemExit: `dagster dev` ended.
        """
        if self.process.poll() is not None:
            raise SystemExit((self.folder / "dev.log").read_text(encoding="utf-8")[-3000:])
        return Moment(
            seconds=time.monotonic() - self.begun,
            looks=self._count("schedules/schedules.db", "job_ticks"),
            memory_mb=self._memory(),
            disk_kb={name: _size(self.folder, pattern) for name, pattern in STORES.items()},
            runs=self._count("history/runs.db", "runs"),
        )

    def _memory(self) -> dict[str, float]:
        """Of the largest process of a role, if there are two for a moment."""
        found = dict.fromkeys(ROLES, 0.0)
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.Error):
                command = process.cmdline()
                for role, argument in ROLES.items():
                    if argument in command:
                        found[role] = max(found[role], process.memory_info().rss / 1e6)
        return found

    def _count(self, database: str, table: str) -> int:
        path = self.folder / "dagster" / database
        if not path.exists():
            return 0
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            (count,) = connection.execute(f"select count(*) from {table}").fetchone()
        return int(count)


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _size(folder: Path, pattern: str) -> float:
    """Of all files of a pattern, in kB; sqlite's logs come and go."""
    found = 0
    for file in folder.glob(pattern):
        with suppress(FileNotFoundError):
            found += file.stat().st_size
    return found / 1e3
