"""The endpoint that `benchmarks.rollout` tries, its load, and what became of every request."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from resources.deployment import EndpointTargets
from resources.endpoints.process import EndpointProcess
from resources.prediction_log.log import PredictionLog
from tests.support.served.live_endpoints import (
    EVER,
    KeptLoad,
    Load,
    Subject,
    build_versions,
    publish,
)


@dataclass(frozen=True)
class Loads:
    """What several clients met."""

    clients: tuple[Load, ...]

    def said(self) -> str:
        """One line of it."""
        answers = sum(load.answers for load in self.clients)
        failed = sum(len(load.failures) for load in self.clients)
        wrong = sum(len(load.wrong) for load in self.clients)
        versions = sorted({version for load in self.clients for version in load.versions})
        return (
            f"{failed} of {answers} requests not answered by 200, {wrong} with another score than "
            f"that of the version they name; versions {versions}"
        )

    @property
    def acknowledged(self) -> set[str]:
        """Ids of the requests that were answered 200."""
        return {request_id for load in self.clients for request_id in load.acknowledged}


class TestBed:
    """One endpoint with two workers, and a line of the table for each trial."""

    def __init__(self, folder: Path) -> None:
        """Deploy version 1."""
        self.local = EndpointTargets(root=str(folder / "endpoints"))
        self.folder = folder.resolve()
        self.subject = Subject(self.local, build_versions(folder), publish(folder), workers=2)
        self.process = EndpointProcess(self.folder / "endpoints" / "toy")
        self.log = PredictionLog(endpoints=self.local.root, root=str(folder / "log"))
        self.lines: list[str] = []
        self.url = self.subject.deploy(1).url

    def say(self, what: str, text: str) -> None:
        """Add a line to the table."""
        line = f"| {what} | {text} |"
        print(line, flush=True)
        self.lines.append(line)

    @contextmanager
    def load(self, row: int = 0) -> Generator[Loads]:
        """Two clients, until the end of the body."""
        one, other = Load(self.subject, self.url, row), KeptLoad(self.subject, self.url, row)
        with one, other:
            yield Loads((one, other))

    def processes(self, name: str = "toy") -> list[psutil.Process]:
        """All of an endpoint."""
        folder = str(self.process.folder.with_name(name))
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("MLOPS_ENDPOINT") == folder:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def lost(self, loads: Loads) -> str:
        """How many of the acknowledged requests are not in the log."""
        found = set(self.log.read("toy", *EVER)["request_id"])
        missing, asked = loads.acknowledged - found, len(loads.acknowledged)
        return f"{len(missing)} of {asked} acknowledged requests missing from the log"


def wait(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)
