"""What an endpoint loses when versions, processes and candidates come and go: nothing, or how much.

`python -m benchmarks.rollout [SWAPS]` writes `benchmarks/results/rollout.md`. All of it on one
machine, on toy models, under a constant load of two clients, of which one keeps its connection.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil

from mlops_assets.blocks.rollout import RolloutSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.ml.scoring import feature_frame, score
from mlops_assets.records.serving import RecordedRequest
from resources.deployment import LocalBentoML
from resources.endpoint_client import request
from resources.endpoint_process import EndpointProcess
from tests.live_endpoints import KeptLoad, Load, Subject, build_versions, publish
from tests.served_models import DTYPES, Built, build, rows, with_content

RESULT = Path(__file__).parent / "results" / "rollout.md"
NULLS = 7
"""The recorded request whose values are missing."""
CANARY = RolloutSettings(
    strategy="canary", weights=(0.2,), step=timedelta(seconds=3), min_requests=30
)


class Trials:
    """One endpoint with two workers, and a line of the table for each trial."""

    def __init__(self, folder: Path) -> None:
        """Deploy version 1."""
        self.local = LocalBentoML(root=str(folder / "endpoints"))
        self.folder = folder
        self.subject = Subject(self.local, build_versions(folder), publish(folder), workers=2)
        self.process = EndpointProcess(folder.resolve() / "endpoints" / "toy")
        self.lines: list[str] = []
        self.url = self.subject.deploy(1).url

    def say(self, what: str, text: str) -> None:
        """Add a line to the table."""
        line = f"| {what} | {text} |"
        print(line, flush=True)
        self.lines.append(line)

    @contextmanager
    def load(self, row: int = 0) -> Generator[tuple[Load, KeptLoad]]:
        """Two clients, until the end of the body."""
        one, other = Load(self.subject, self.url, row), KeptLoad(self.subject, self.url, row)
        with one, other:
            yield one, other

    def swaps(self, count: int) -> None:
        """Versions 1 and 2 in turn."""
        started = time.monotonic()
        with self.load() as loads:
            for number in range(count):
                self.subject.deploy(2 - number % 2)
        seconds = (time.monotonic() - started) / count
        answers, failures = totals(loads)
        versions = {version for load in loads for version in load.versions}
        self.say(
            f"{count} swaps", f"{failures} of {answers} requests failed; answered by versions "
            f"{sorted(versions)}; {seconds:.2f} s a deployment with all its checks",
        )  # fmt: skip

    def generation(self) -> None:
        """All processes are replaced."""
        with self.load() as loads:
            started = time.monotonic()
            self.subject.deploy(1, workers=3)
            seconds = time.monotonic() - started
            time.sleep(1)
        answers, failures = totals(loads)
        self.say("new generation of processes", f"{failures} of {answers} failed; {seconds:.1f} s")
        self.subject.deploy(1)

    def killed_worker(self) -> None:
        """Each worker of two in turn, then both at once."""
        for count in (1, 1, 2):
            before = self.process.workers()
            with self.load() as loads:
                started = time.monotonic()
                for pid in before[:count]:
                    os.kill(pid, signal.SIGKILL)
                wait(lambda before=before, count=count: self._new(before) >= count)
                seconds = time.monotonic() - started
                time.sleep(1)
            answers, failures = totals(loads)
            text = f"{failures} of {answers} failed; ready again after {seconds:.2f} s"
            self.say(f"kill -9 of {count} of 2 workers", text)
            time.sleep(11)  # or the next one would count as a crash

    def _new(self, before: list[int]) -> int:
        ready = {int(file.stem) for file in (self.process.folder / "status").glob("*.json")}
        return len((ready & set(self.process.workers())) - set(before))

    def killed_supervisor(self) -> None:
        """And the endpoint is brought back."""
        template = psutil.Process(self.process.workers()[0]).ppid()
        os.kill(psutil.Process(template).ppid(), signal.SIGKILL)
        started = time.monotonic()
        wait(lambda: not self.process.workers())
        gone = time.monotonic() - started
        self.local.up("toy")
        back = time.monotonic() - started
        text = f"no process left after {gone:.1f} s; answers again by `up` after {back:.0f} s"
        self.say("kill -9 of the supervisor", text)

    def killed_all(self) -> None:
        """Every process at once, as a power cut would."""
        before = self.local.status("toy")
        pids = [p.pid for p in psutil.process_iter() if self._ours(p)]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        started = time.monotonic()
        after = self.local.up("toy")
        same = before is not None and after.model_version == before.model_version
        text = f"`up` after {time.monotonic() - started:.0f} s, version as before: {same}"
        self.say(f"kill -9 of all {len(pids)} processes", text)

    def _ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("MLOPS_ENDPOINT") == str(self.process.folder)
        except psutil.Error:
            return False

    def canary(self, what: str, built: Built, row: int = 0) -> None:
        """A bad one: rolled back, and how many requests it answered."""
        self.subject.versions[built.servable.model_version] = built
        reason = "NOT rolled back"
        with self.load(row) as loads:
            try:
                self.subject.deploy(built.servable.model_version, rollout=CANARY)
            except DeploymentError:
                lines = (self.process.folder / "rollouts.jsonl").read_text().splitlines()
                report = json.loads(lines[-1])
                reason = (
                    f"rolled back after {report['seconds']:.1f} s: {report['reason']}; "
                    f"{report['harmed_requests']} of {report['requests']} requests harmed "
                    f"({report['harmed_requests'] / max(report['requests'], 1):.0%})"
                )
        answers, failures = totals(loads)
        self.say(f"canary of 20%, {what}", f"{reason}; {failures} of {answers} not answered by 200")

    def neighbours(self) -> None:
        """A second endpoint does not appear in the first one's metrics."""
        built = build(self.folder, version=7, name="other")
        other = Subject(self.local, {7: built}, self.subject.online)
        url = other.deploy(7).url
        body = json.dumps({"rows": [built.recorded[0].features]}).encode()
        request(url, "POST", "/predict_features", body)
        texts = [request(one, "GET", "/metrics", None)[1].decode() for one in (self.url, url)]
        mixed = 'model_name="other"' in texts[0] or 'model_name="toy"' in texts[1]
        self.say("two endpoints", f"see each other's metrics: {mixed}")
        self.local.stop("other")


def totals(loads: tuple[Load, KeptLoad]) -> tuple[int, int]:
    """Answers and failures."""
    return sum(load.answers for load in loads), sum(len(load.failures) for load in loads)


def wait(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)


def slow(folder: Path) -> Built:
    """Version 12: the same labels learnt by 600 models one after the other."""
    import skops.io
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import BaggingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = feature_frame(rows(), DTYPES)
    encode = ColumnTransformer(
        [("class", OneHotEncoder(sparse_output=False, handle_unknown="ignore"), ["class"])],
        remainder="passthrough",
    )
    model = make_pipeline(encode, BaggingClassifier(LogisticRegression(), 600, random_state=0))
    model.fit(frame, (frame["spend"] > 0).astype(int))
    file = folder / "slow.skops"
    skops.io.dump(model, file)
    built = with_content(build(folder), file.read_bytes(), 12)
    asked = [one.features for one in built.recorded if None not in one.features.values()]
    scores = score(model, feature_frame(asked, DTYPES), "binary")
    recorded = tuple(
        RecordedRequest(features=features, scores=tuple(map(float, values)))
        for features, values in zip(asked, scores, strict=True)
    )
    return replace(built, recorded=recorded)


def refusing(folder: Path) -> Built:
    """Version 11: refuses what it is asked, because a value is missing."""
    return build(folder / "refusing", version=11, accepts_missing=False)


def main() -> None:
    """Run every trial and write the table."""
    swaps = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as name:
        trials = Trials(Path(name))
        try:
            trials.swaps(swaps)
            trials.generation()
            trials.killed_worker()
            trials.killed_supervisor()
            trials.killed_all()
            trials.canary("wrong scores", trials.subject.versions[2])
            trials.canary("errors", refusing(Path(name)), NULLS)
            trials.canary("slow", slow(Path(name)))
            trials.neighbours()
        finally:
            trials.local.stop("toy")
    RESULT.write_text(
        "# Swaps, kills and canaries\n\n"
        f"`python -m benchmarks.rollout {swaps}`, on {os.cpu_count()} shared cores, two clients "
        "in a closed loop.\n\n| trial | outcome |\n|---|---|\n" + "\n".join(trials.lines) + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
