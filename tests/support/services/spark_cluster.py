"""Spark from its wheel on 127.0.0.1: a standalone master and workers, or a server of Spark Connect.

Java is Debian's package openjdk-17-jre-headless. PySpark stands in an environment of its own, which
has all packages of the tests' besides: that is without it, as everybody's is.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import ROOT, end_group, free_port, listens, wait_for

ENVIRONMENT = Path(sys.prefix) / "spark"
PYTHON = ENVIRONMENT / "bin" / "python"
PACKAGES = ENVIRONMENT / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
HERE = "127.0.0.1"
_UV = str(Path(sys.executable).parent / "uv")
_DEPLOY = "org.apache.spark.deploy"
_CONNECT = "org.apache.spark.sql.connect.service.SparkConnectServer"


def install_pyspark() -> None:
    """Make the environment, PySpark as locked; the next session of tests finds it again."""
    if shutil.which("java") is None:
        reason = "needs Debian's package openjdk-17-jre-headless"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    made = [_UV, "venv", "--quiet", "--allow-existing", "--python", sys.executable, ENVIRONMENT]
    subprocess.run(made, check=True)
    lock = ROOT / "deploy" / "spark" / "requirements.lock"
    install = [_UV, "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", lock]
    subprocess.run([*install, "--python", PYTHON], check=True)
    ours = sysconfig.get_path("purelib")
    (PACKAGES / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")


@dataclass
class SparkServers:
    """What runs of Spark; each process leads a group, in which its executors are."""

    folder: Path
    port: int = field(default_factory=free_port)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def master(self) -> str:
        """As `MLOPS_ENGINE` names it."""
        return f"spark://{HERE}:{self.port}"

    def start_cluster(self, workers: int) -> None:
        """A master, and workers of one core."""
        place = ("--host", HERE, "--webui-port", str(free_port()))
        self._start("master", f"{_DEPLOY}.master.Master", *place, "--port", str(self.port))
        self._wait_for("master", lambda: listens(self.port))
        for number in range(workers):
            name, room = f"worker{number}", ("--cores", "1", "--memory", "1g")
            at = ("--host", HERE, "--webui-port", str(free_port()))
            files = ("--work-dir", str(self.folder / name))
            self._start(name, f"{_DEPLOY}.worker.Worker", *at, *room, *files, self.master)
        for number in range(workers):
            log = self.folder / f"worker{number}.log"
            self._wait_for(log.stem, lambda log=log: "registered with master" in log.read_text())

    def start_connect(self) -> str:
        """A server of Spark Connect that computes by itself; its address."""
        port = free_port()
        settings = {
            "spark.connect.grpc.binding.address": HERE,
            "spark.connect.grpc.binding.port": str(port),
            "spark.driver.bindAddress": HERE,
            "spark.driver.host": HERE,
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "2",
        }
        told = [word for pair in settings.items() for word in ("--conf", "=".join(pair))]
        submit = f"{_DEPLOY}.SparkSubmit"
        self._start("connect", submit, "--class", _CONNECT, "--master", "local[1]", *told)
        self._wait_for("connect", lambda: listens(port))
        return f"sc://{HERE}:{port}"

    def kill(self, name: str) -> None:
        """As a machine that is gone: the process and its executors, without a word."""
        process = self.running.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def end(self) -> None:
        """End all that is left."""
        for process in reversed(self.running.values()):
            end_group(process)

    def _wait_for(self, name: str, found: Callable[[], bool]) -> None:
        ended = self.running[name].poll
        wait_for(name, lambda: found() or ended() is not None, 90)
        assert ended() is None, (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def _start(self, name: str, java_class: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                [str(PACKAGES / "pyspark" / "bin" / "spark-class"), java_class, *arguments],
                cwd=self.folder,
                env=os.environ | {"SPARK_LOCAL_IP": HERE, "SPARK_DAEMON_MEMORY": "512m"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def spark_events(folder: Path) -> list[dict[str, Any]]:
    """What the applications tell that log to the folder, in the order of their start."""
    lines = [
        line
        for file in sorted(folder.iterdir(), key=lambda file: file.stat().st_ctime)
        for line in file.read_text(encoding="utf-8").splitlines(keepends=True)
    ]
    return [json.loads(line) for line in lines if line.endswith("\n")]
