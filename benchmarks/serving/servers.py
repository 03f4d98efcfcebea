"""The servers that are compared: each a tree of processes, started, asked, weighed and ended.

Every one gets one thread for numerics and listens on the loopback only. What a peer leaves at its
default stays so, but for uvicorn's log of requests, which is off.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks.serving.model import HOST, Served
from benchmarks.serving.results import Sample
from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.home import FRAMEWORK_ROOT
from resources.deployment import EndpointTargets
from resources.endpoints.client import request
from resources.endpoints.process import EndpointProcess
from tests.support.served.live_endpoints import free_port

LOAD = Path(__file__).with_name("load.py")
BIN = Path(sys.executable).parent
START_SECONDS = 180.0
LADDER = {
    "answer": "our application: strict types, limits of rows, ids, versions",
    "log": "the prediction log",
    "metrics": "metrics that several workers share",
    "guard": "keys, rate, time-outs, concurrency",
    "bento": "BentoML's own routes before it",
}
"""What each rung of `serving_peers.ladder` adds to the one before."""


class Server:
    """A tree of processes behind one port."""

    def __init__(self, port: int, root: psutil.Process, end: Callable[[], object]) -> None:
        self.port, self._root, self._end = port, root, end

    @classmethod
    def start(
        cls, command: Sequence[object], port: int, environment: Mapping[str, str]
    ) -> "Server":
        """Start a command; `wait` for it before it is asked."""
        log = Path(environment["TMPDIR"], f"server-{port}.log")
        with log.open("wb") as file:
            process = subprocess.Popen(
                [str(part) for part in command],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=FRAMEWORK_ROOT,
            )
        return cls(port, psutil.Process(process.pid), lambda: _end_tree(process))

    def wait(self, path: str, body: str) -> Any:
        """The first answer that is 200, as JSON."""
        deadline, answer = time.monotonic() + START_SECONDS, b""
        while time.monotonic() < deadline and self._root.status() != psutil.STATUS_ZOMBIE:
            try:
                code, answer = request(f"http://{HOST}:{self.port}", "POST", path, body.encode())
            except DeploymentError:
                time.sleep(0.2)
                continue
            if code == 200:
                return json.loads(answer)
            time.sleep(0.2)
        raise TimeoutError(f"{self._root.cmdline()} does not answer: {answer!r}")

    def ask(self, path: str, bodies: list[str], connections: int, seconds: float) -> Sample:
        """Load the server; its CPU time is that of this load and of whatever else it does."""
        asked = {
            "port": self.port,
            "path": path,
            "bodies": bodies,
            "connections": connections,
            "seconds": seconds,
        }
        before = self.cpu()
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(LOAD)],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=False,
        )
        cpu = self.cpu()
        if done.returncode:
            raise RuntimeError(f"the load on {self._root.cmdline()} failed: {done.stderr}")
        if cpu.keys() != before.keys():
            raise RuntimeError(f"processes of {self._root.cmdline()} came or went")
        return Sample.of(json.loads(done.stdout), sum(cpu.values()) - sum(before.values()))

    def cpu(self) -> dict[int, float]:
        """User and system seconds of each process so far."""
        times = {process.pid: process.cpu_times() for process in self._tree()}
        return {pid: each.user + each.system for pid, each in times.items()}

    def memory(self) -> list[tuple[float, float]]:
        """RSS and PSS of each process, in MB."""
        full = [process.memory_full_info() for process in self._tree()]
        return [(each.rss / 1e6, each.pss / 1e6) for each in full]

    def end(self) -> None:
        """End all of it."""
        self._end()

    def _tree(self) -> list[psutil.Process]:
        return [self._root, *self._root.children(recursive=True)]


def ours(served: Served, workers: int) -> Server:
    """The product's endpoint, deployed from a copy of the files that `mlops run` left."""
    # In the same state folder: from there the manifest's paths lead to the online features.
    root = served.endpoint.parents[1] / f"endpoints-{workers}"
    shutil.rmtree(root, ignore_errors=True)  # of an earlier run
    shutil.copytree(served.endpoint, root / "flights", ignore=shutil.ignore_patterns("launch.json"))
    local = EndpointTargets(root=str(root))
    settings = DeploymentSettings(port=free_port(), workers=workers)
    local.redeploy("flights", 1, settings)
    template = psutil.Process(EndpointProcess(root / "flights").workers()[0]).parent()
    supervisor = template.parent() if template else None
    if supervisor is None:
        raise RuntimeError("the endpoint has no supervisor")
    return Server(settings.port, supervisor, lambda: local.stop("flights"))


def peers(served: Served) -> dict[str, Server]:
    """Every other server; each still has to be waited for."""
    return {
        "bare": _uvicorn("bare_onnx", served),
        "fastapi": _uvicorn("fastapi_sklearn", served),
        "feast": _uvicorn("fastapi_feast", served),
        "bentoml": _bentoml(served),
        "mlflow": _mlflow(served),
        **{rung: _uvicorn("ladder", served, LADDER_RUNG=rung) for rung in LADDER},
    }


class InProcess:
    """The prediction without a server, in one process that is asked by lines; see `in_process`."""

    def __init__(self, served: Served) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.serving.peers.in_process"],
            env=_environment(served),
            cwd=FRAMEWORK_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._turn = threading.Lock()

    def wait(self, path: str, body: str) -> Any:
        """The scores of one call."""
        return self._call({"runtime": path, "bodies": [body], "seconds": 0.0})["scores"]

    def ask(self, path: str, bodies: list[str], connections: int, seconds: float) -> Sample:
        """Call one after the other for so long, whatever `connections` says."""
        load = self._call({"runtime": path, "bodies": bodies, "seconds": seconds})
        return Sample.of(load, load["cpu"])

    def _call(self, what: dict[str, Any]) -> dict[str, Any]:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the process has no pipes")
        with self._turn:  # its two ways are waited for by two threads
            self._process.stdin.write(json.dumps(what) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())


class Machine:
    """Who uses the processors, from its making on."""

    def __init__(self, servers: Iterable[Server]) -> None:
        self._servers = list(servers)
        self._before = self._now()

    def foreign_share(self) -> float:
        """Of all the processors' time, what neither the servers nor the loads took."""
        whole, idle, ours = (
            now - then for now, then in zip(self._now(), self._before, strict=True)
        )
        return (whole - idle - ours) / whole

    def _now(self) -> tuple[float, float, float]:
        times, own, loads = psutil.cpu_times(), os.times(), 0.0
        loads = own.user + own.system + own.children_user + own.children_system
        return (
            sum(times),
            times.idle + times.iowait,
            loads + sum(sum(server.cpu().values()) for server in self._servers),
        )


def _uvicorn(module: str, served: Served, **more: str) -> Server:
    port, app = free_port(), f"benchmarks.serving.peers.{module}:app"
    command = [sys.executable, "-m", "uvicorn", app, "--host", HOST, "--port", port]
    command += ["--no-access-log", "--log-level", "warning"]
    return Server.start(command, port, _environment(served) | more)


def _bentoml(served: Served) -> Server:
    port, service = free_port(), "benchmarks.serving.peers.bento_sklearn:Flights"
    command = [BIN / "bentoml", "serve", service, "--host", HOST, "--port", port]
    return Server.start(command, port, _environment(served))


def _mlflow(served: Served) -> Server:
    port = free_port()
    command = [BIN / "mlflow", "models", "serve", "--model-uri", served.mlflow_model]
    command += ["--env-manager", "local", "--workers", "1", "--host", HOST, "--port", str(port)]
    return Server.start(command, port, _environment(served))


def _environment(served: Served) -> dict[str, str]:
    return os.environ | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(FRAMEWORK_ROOT),
        "TMPDIR": str(served.folder),
        "BENTOML_HOME": str(served.folder / "bentoml"),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PEER_MODEL": str(served.joblib),
        "PEER_ONNX": str(served.onnx),
        "PEER_FEATURES": json.dumps(served.features),
        "PEER_STORE": json.dumps(served.store),
        "PEER_ENDPOINT": str(served.endpoint),
    }


def _end_tree(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    tree = [psutil.Process(process.pid)]
    tree += tree[0].children(recursive=True)
    for each in tree:
        each.terminate()
    _, left = psutil.wait_procs(tree, timeout=10)
    for each in left:
        each.kill()
