"""What an endpoint loses when versions, processes and candidates come and go: nothing, or how much.

    python -m benchmarks.rollout [SWAPS]     # writes results/rollout.md

All of it on one
machine, on toy models, under a constant load of two clients, one over a kept connection. Each
answer's score is compared with that of the version that it names. `rollout_kills` has the kills.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.page import publish, sized
from benchmarks.rollout.bed import TestBed
from benchmarks.rollout.kills import Kills
from mlops_assets.blocks.rollout import RolloutSettings
from mlops_assets.errors import DeploymentError
from resources.endpoints.client import request
from tests.support.served.broken_code import redeploy_with_broken_code
from tests.support.served.live_endpoints import Subject
from tests.support.served.served_models import Built, build, fit, with_content

NULLS = 7
"""The recorded request whose values are missing."""
_STEPS = 1500
"""Steps of a pipeline that change nothing: 250 ms of CPU."""
CANARY = RolloutSettings(
    strategy="canary", weights=(0.2,), step=timedelta(seconds=3), min_requests=30
)


class Rollouts:
    """What happens when versions, generations and candidates come."""

    def __init__(self, bed: TestBed) -> None:
        self.bed, self.subject = bed, bed.subject

    def swaps(self, count: int) -> None:
        """Versions 1 and 2 in turn."""
        live, started = [], time.monotonic()
        with self.bed.load() as loads:
            for number in range(count):
                self.subject.deploy(2 - number % 2)
                live.append(self._until_live())
        seconds = (time.monotonic() - started) / count
        self.bed.say(
            f"{count} swaps", f"{loads.said()}; every worker serves the version "
            f"{statistics.median(live):.2f} s (median; at most {max(live):.2f} s) after its files "
            f"are there; {seconds:.2f} s a deployment with all its checks",
        )  # fmt: skip

    def _until_live(self) -> float:
        """From the manifest written to the last worker's report."""
        folder = self.bed.process.folder
        wanted = (folder / "deployment.json").stat().st_mtime
        reports = [folder / "status" / f"{pid}.json" for pid in self.bed.process.workers()]
        return max(report.stat().st_mtime for report in reports) - wanted

    def generations(self) -> None:
        """All processes are replaced; then by some that do not start."""
        with self.bed.load() as loads:
            started = time.monotonic()
            self.subject.deploy(1, workers=3)
            seconds = time.monotonic() - started
            time.sleep(1)
        self.bed.say("new generation of processes", f"{loads.said()}; {seconds:.1f} s")
        self.subject.deploy(1)
        before = sorted(self.bed.process.workers())
        with self.bed.load() as loads:
            said = redeploy_with_broken_code(self.bed.folder, self.subject, version=1)
        same = sorted(self.bed.process.workers()) == before
        refused = "Version 1 serves again." in said
        self.bed.say(
            "new generation with an import error",
            f"{loads.said()}; deployment refused: {refused}; the same workers serve: {same}",
        )

    def canary(self, what: str, built: Built, row: int = 0) -> None:
        """A bad one: rolled back, and how many requests it answered."""
        self.subject.versions[built.servable.model_version] = built
        reason = "NOT rolled back"
        with self.bed.load(row) as loads:
            try:
                self.subject.deploy(built.servable.model_version, rollout=CANARY)
            except DeploymentError:
                lines = (self.bed.process.folder / "rollouts.jsonl").read_text().splitlines()
                report = json.loads(lines[-1])
                share = report["harmed_requests"] / max(report["requests"], 1)
                reason = (
                    f"rolled back after {report['seconds']:.1f} s: {report['reason']}; "
                    f"{report['harmed_requests']} of {report['requests']} requests harmed "
                    f"({share:.1%})"
                )
        self.bed.say(f"canary of 20%, {what}", f"{reason}; {loads.said()}")

    def neighbours(self) -> None:
        """A second endpoint sees nothing of the first one, and shows nothing to it."""
        built = build(self.bed.folder, version=7, name="other")
        other = Subject(self.bed.local, {7: built}, self.subject.online, workers=2)
        urls = {"toy": self.bed.url, "other": other.deploy(7).url}
        for url in urls.values():
            body = json.dumps({"rows": [built.recorded[0].features]}).encode()
            assert request(url, "POST", "/predict_features", body)[0] == 200
        series, files = 0, 0
        for name, foreign in (("toy", "other"), ("other", "toy")):
            text = request(urls[name], "GET", "/metrics", None)[1].decode()
            series += text.count(f'model_name="{foreign}"')
            folder = str(self.bed.process.folder.with_name(foreign))
            files += sum(folder in path for path in opened(self.bed, name))
        self.bed.say(
            "two endpoints", f"{series} series and {files} open or mapped files of one another"
        )
        self.bed.local.stop("other")


def opened(bed: TestBed, name: str) -> list[str]:
    """Every file that a process of that endpoint has open or mapped."""
    paths = []
    for process in bed.processes(name):
        paths += [file.path for file in process.open_files()]
        paths += [mapped.path for mapped in process.memory_maps()]
    return paths


def slow(folder: Path) -> Built:
    """Version 12: version 1's scores, 200 ms and more later."""
    import skops.io
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    encode, classifier = (step for _, step in fit("binary", 1).steps)
    unchanged = StandardScaler(with_mean=False, with_std=False).fit([[0.0] * 4])
    wait = [(f"wait_{number}", unchanged) for number in range(_STEPS)]
    file = folder / "slow.skops"
    skops.io.dump(Pipeline([("encode", encode), *wait, ("classifier", classifier)]), file)
    return with_content(build(folder), file.read_bytes(), 12)


def refusing(folder: Path) -> Built:
    """Version 11: refuses what it is asked, because a value is missing."""
    return build(folder / "refusing", version=11, accepts_missing=False)


def main() -> None:
    """Run every trial and write the table."""
    swaps = int(sys.argv[1]) if len(sys.argv) > 1 else sized(100, 2)
    with tempfile.TemporaryDirectory() as name:
        bed = TestBed(Path(name))
        rollouts, kills = Rollouts(bed), Kills(bed)
        trials = [
            lambda: rollouts.swaps(swaps),
            rollouts.generations,
            kills.workers,
            kills.crash_loop,
            kills.template,
            kills.supervisor,
            kills.everything,
            lambda: rollouts.canary("wrong scores", bed.subject.versions[2]),
            lambda: rollouts.canary("errors", refusing(Path(name)), NULLS),
            lambda: rollouts.canary("slow", slow(Path(name))),
            rollouts.neighbours,
        ]
        try:
            for trial in sized(trials, trials[:2]):
                trial()
        finally:
            bed.local.stop("toy")
    publish(
        "rollout",
        "# Swaps, kills and canaries\n\n"
        f"`python -m benchmarks.rollout {swaps}`, on {os.cpu_count()} shared cores, two clients "
        "in a closed loop, of which one keeps its connection. Each answer's score is compared with "
        "the recorded one of the version that it names. What fails at a kill is what the killed "
        "worker was answering, at once: no client hung.\n\n"
        "| trial | outcome |\n|---|---|\n" + "\n".join(bed.lines),
    )


if __name__ == "__main__":
    main()
