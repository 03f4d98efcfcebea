"""A trial from its first step to the verdict, with one worker in this process under load."""

import asyncio
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.blocks.prediction_log import LogSettings
from mlops_assets.blocks.rollout import RolloutSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.ml.evaluation.canary import percentile
from mlops_assets.records.rollout import Candidate
from mlops_assets.records.serving import Manifest
from mlops_assets.serving.version.active import Active, Tally
from mlops_assets.serving.version.model import FeatureRow
from resources.endpoints.client import EndpointClient
from resources.endpoints.deployer import nothing
from resources.endpoints.process import Launch
from resources.endpoints.rollout.local import LocalTrial, Rollout, _tail
from resources.endpoints.target import Release
from tests.support.served.served_models import Built, build, with_content
from tests.support.served.serving_worker import Worker, features

SCOPE = {"type": "http", "method": "POST", "path": "/predict_features", "headers": []}


def _receiver(body: bytes) -> Callable:
    async def receive() -> dict:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _sender(sent: list) -> Callable:
    async def send(message: dict) -> None:
        sent.append(message)

    return send


class InProcess(Rollout):
    """Reaches a worker without a server."""

    def __init__(self, worker: Worker) -> None:
        launch = Launch(port=1, workers=1, code="")
        super().__init__(worker.folder, launch, EndpointClient(launch.url), 1.0, launch)
        self._worker = worker

    def reach(self, wanted: Manifest) -> None:
        self._worker.holder.reconcile()
        status = self._worker.status()
        assert status["generation"] == wanted.generation
        if status["error"]:
            raise DeploymentError(status["error"])


class Asking(threading.Thread):
    """Asks one row over and over, and lets the worker report as its own thread would."""

    def __init__(self, worker: Worker, row: dict) -> None:
        super().__init__()
        self._worker, self._row, self.ends = worker, row, threading.Event()
        self.counts: Counter[int] = Counter()
        self.refused = 0

    def run(self) -> None:
        asyncio.run(self._ask())

    async def _ask(self) -> None:
        # In one event loop, as in a server: a shadow answers into it later.
        while not self.ends.is_set():
            sent: list = []
            body = msgspec.json.encode(features(self._row))
            await self._worker.app(SCOPE, _receiver(body), _sender(sent))
            if sent[0]["status"] == 200:
                self.counts[json.loads(sent[1]["body"])["model_version"]] += 1
            else:
                self.refused += 1
            self._worker.holder.report_trial()
            await asyncio.sleep(0.002)


@pytest.fixture
def worker(worker: Worker) -> Worker:
    """Serves version 1, verified."""
    current = worker.folder.current()
    assert current is not None
    worker.folder.mark_verified(current)
    return worker


@pytest.fixture
def load(worker: Worker, built: Built) -> Generator[Asking]:
    asking = Asking(worker, built.recorded[0].features)
    asking.start()
    yield asking
    asking.ends.set()
    asking.join()


def settings(strategy: str = "canary", **changed: object) -> RolloutSettings:
    quick = {"weights": (0.2, 0.6), "step": timedelta(seconds=1), "min_requests": 30}
    return RolloutSettings.model_validate({"strategy": strategy} | quick | changed)


def wanted_of(worker: Worker, built: Built) -> Manifest:
    """Of another version, whose files are in place."""
    folder = worker.folder.stage(built.servable, built.model_file, built.recorded)
    good = worker.folder.verified()
    assert good is not None
    number = built.servable.model_version
    return good.model_copy(update={"folder": str(folder), "model_version": number})


def run(worker: Worker, built: Built, chosen: RolloutSettings) -> dict:
    """Go through a trial; the line that it left."""
    good, wanted = worker.folder.verified(), wanted_of(worker, built)
    assert good is not None
    try:
        LocalTrial(InProcess(worker), worker.folder, chosen).run(good, wanted)
    finally:
        (line,) = (worker.folder.path / "rollouts.jsonl").read_text().splitlines()
    return json.loads(line)


def same(built: Built) -> Built:
    return with_content(built, built.model_file.read_bytes(), 4)


def test_a_good_canary_passes_every_step(worker: Worker, built: Built, load: Asking) -> None:
    report = run(worker, same(built), settings())

    assert (report["passed"], report["harmed_requests"]) == (True, 0)
    assert report["candidate_requests"] >= 60
    assert set(load.counts) == {1, 4}


def test_a_canary_with_other_scores_is_taken_away_and_its_harm_counted(
    worker: Worker, tmp_path: Path, load: Asking
) -> None:
    with pytest.raises(DeploymentError, match=r"canary with 20% .*its scores diverge by 1\.00"):
        run(worker, build(tmp_path, version=2), settings())

    load.ends.set()
    load.join()
    report = json.loads((worker.folder.path / "rollouts.jsonl").read_text())
    assert report["harmed_requests"] == load.counts[2] > 0
    assert report["harmed_requests"] < 0.5 * report["requests"]
    assert worker.post("/predict", {"entities": [1]}).json()["model_version"] == 1
    assert not (worker.folder.path / "trial").exists()


def test_a_canary_that_refuses_is_taken_away(worker: Worker, built: Built, tmp_path: Path) -> None:
    asking = Asking(worker, {"spend": None, "class": "x"})
    asking.start()
    try:
        with pytest.raises(DeploymentError, match=r"of its requests failed against 0 of"):
            run(worker, build(tmp_path, version=2, accepts_missing=False), settings())
    finally:
        asking.ends.set()
        asking.join()
    report = json.loads((worker.folder.path / "rollouts.jsonl").read_text())
    assert 5 <= asking.refused <= report["harmed_requests"]


def test_a_shadow_with_other_scores_harms_nobody(
    worker: Worker, tmp_path: Path, load: Asking
) -> None:
    with pytest.raises(DeploymentError, match=r"The shadow was stopped .* diverge by 1\.00"):
        run(worker, build(tmp_path, version=2), settings("shadow"))
    report = json.loads((worker.folder.path / "rollouts.jsonl").read_text())
    assert report["harmed_requests"] == 0
    assert set(load.counts) == {1}


def test_too_few_requests_are_no_verdict(worker: Worker, built: Built) -> None:
    with pytest.raises(DeploymentError, match="each needs 30 a step"):
        run(worker, same(built), settings(timeout=timedelta(seconds=1), weights=(0.2,)))


def test_a_candidate_that_no_worker_takes_up_is_reported(worker: Worker, built: Built) -> None:
    with pytest.raises(DeploymentError, match="damaged"):
        run(worker, with_content(built, b"no model", 3), settings())
    report = json.loads((worker.folder.path / "rollouts.jsonl").read_text())
    assert (report["passed"], report["harmed_requests"]) == (False, 0)


def interrupt_once(ready: Callable[[], bool]) -> None:
    """Press Ctrl-C as soon as it is ready."""

    def press() -> None:
        while not ready():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()


def test_a_canceled_trial_says_so(worker: Worker, built: Built, load: Asking) -> None:
    long = settings(step=timedelta(minutes=5))
    interrupt_once(lambda: load.counts[4] > 5)
    with pytest.raises(KeyboardInterrupt):
        run(worker, same(built), long)
    report = json.loads((worker.folder.path / "rollouts.jsonl").read_text())
    assert (report["passed"], report["reason"]) == (False, "the run was canceled")
    assert report["candidate_requests"] >= 5


def test_a_canceled_move_leaves_the_version_before_alone_though_canceled_twice(
    worker: Worker, built: Built, load: Asking
) -> None:
    """The second comes while the candidate is taken away."""
    fourth = same(built)
    wanted, rollout = wanted_of(worker, fourth), CanceledTwice(worker)
    interrupt_once(lambda: load.counts[4] > 5)
    chosen = DeploymentSettings(port=1024, rollout=settings(step=timedelta(minutes=5)))
    files = (fourth.servable, fourth.model_file, fourth.recorded)

    with pytest.raises(KeyboardInterrupt):
        rollout.to(wanted, Release(*files, wanted.online, chosen, nothing))

    assert rollout.again, "or nothing was tested"
    for manifest in (worker.folder.current(), worker.folder.verified()):
        assert manifest is not None
        assert (manifest.model_version, manifest.candidate) == (1, None)
    load.counts.clear()
    time.sleep(0.1)
    assert set(load.counts) == {1}


class CanceledTwice(InProcess):
    """Is told to end once more when it reaches what it goes back to."""

    again = False

    def reach(self, wanted: Manifest) -> None:
        if wanted.candidate is None:
            self.again = True
            os.kill(os.getpid(), signal.SIGINT)
        super().reach(wanted)


def test_a_trial_whose_process_was_killed_is_ended_by_the_next_look(
    worker: Worker, built: Built, load: Asking
) -> None:
    good, wanted = worker.folder.verified(), wanted_of(worker, same(built))
    assert good is not None
    candidate = Candidate(model_version=4, folder=wanted.folder, role="canary", weight=0.5)
    rollout = InProcess(worker)
    rollout.reach(worker.folder.write_trial(good, candidate))
    while load.counts[4] < 5:
        time.sleep(0.05)

    for _ in range(2):  # and once only
        rollout.end_left_trial()

    (line,) = (worker.folder.path / "rollouts.jsonl").read_text().splitlines()
    report = json.loads(line)
    assert (report["passed"], report["to_version"]) == (False, 4)
    assert "was killed" in report["reason"]
    assert report["harmed_requests"] > 0
    current = worker.folder.current()
    assert current is not None
    assert (current.model_version, current.candidate) == (1, None)


def on_trial(worker: Worker, seconds: float, weight: float) -> tuple[Active, Active]:
    """Two versions that a thread computes, one of them slowly."""
    active = worker.holder.active
    assert active is not None

    def slowly(rows: Sequence[FeatureRow]) -> np.ndarray:
        time.sleep(seconds)
        return active.model.scores(rows)

    log = LogSettings(fsync="request")  # which is nothing for the event loop
    active = replace(active, manifest=active.manifest.model_copy(update={"log": log}))
    slow = replace(active.model, scores=slowly)
    candidate = replace(active, model=slow, role="canary", weight=weight, tally=Tally())
    worker.holder.active = both = replace(active, candidate=candidate, tally=Tally())
    return both, candidate


def test_what_waits_behind_a_slow_candidate_is_not_slow_itself(
    worker: Worker, built: Built
) -> None:
    both, candidate = on_trial(worker, 0.1, weight=0.5)
    body = msgspec.json.encode(features(built.recorded[0].features))

    async def ask_at_once() -> None:
        asked = (worker.app(SCOPE, _receiver(body), _sender([])) for _ in range(30))
        await asyncio.gather(*asked)

    asyncio.run(ask_at_once())
    assert both.tally is not None
    assert candidate.tally is not None
    before, now = both.tally.sighting(), candidate.tally.sighting()
    assert before.requests + now.requests == 30
    assert percentile(before.seconds, 0.5) < 0.1 <= min(now.seconds)


def test_a_candidate_that_does_not_answer_in_time_has_failed(worker: Worker, built: Built) -> None:
    _, candidate = on_trial(worker, 0.3, weight=1.0)
    body = msgspec.json.encode(features(built.recorded[0].features))

    async def give_up() -> None:
        async with asyncio.timeout(0.1):  # as the guard does
            await worker.app(SCOPE, _receiver(body), _sender([]))

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    assert candidate.tally is not None
    assert candidate.tally.sighting().errors == 1


def test_the_end_of_a_log_is_whole_lines_of_this_deployment(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    assert _tail(log, 0, "why") == ""
    log.write_text("11:40 generation 3 cannot be served: version 1 is damaged.\n")
    begun = log.stat().st_size
    assert _tail(log, begun, "its scores diverge") == "", "what is old is of another deployment"
    with log.open("a") as file:
        file.write("12:00 started\n12:01 generation 4 cannot be served: It is damaged.\n" * 2)
        file.write("12:02 half a li")
    assert _tail(log, begun, "It is damaged.") == "12:00 started\n12:00 started"
    assert _tail(log, begun, "Only 1 of 2 were ready.").count("It is damaged.\n") == 1
    log.write_text("".join(f"12:0{at} {'x' * 900}\n" for at in range(5)))
    long = _tail(log, 10**9, "why")  # moved aside meanwhile
    assert [line[:5] for line in long.splitlines()] == ["12:03", "12:04"]


def test_a_canary_that_is_refused_is_told_no_old_lines(worker: Worker) -> None:
    log = worker.folder.path / "server.log"
    log.write_text("11:40 generation 3 cannot be served: version 1 is damaged.\n")
    assert InProcess(worker)._back("its scores diverge") == "Version 1 serves again."
