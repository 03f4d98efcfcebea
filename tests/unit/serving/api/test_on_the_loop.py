"""What is computed on the event loop, and what by a thread."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from typing import Any

import numpy as np
import pytest

from mlops_assets.serving.api import rollout
from mlops_assets.serving.version.active import QUICK_ROWS, QUICK_SECONDS, Pace
from mlops_assets.serving.wire.requests import RequestDecoder
from tests.support.served.served_models import rows
from tests.support.served.serving_worker import Worker

MANY = 40


@pytest.fixture
def threads(worker: Worker) -> list[bool]:
    """Of each request whether it was computed on the loop, by a model of ONNX Runtime."""
    active, on_loop = worker.holder.active, list[bool]()
    assert active is not None
    assert active.model.servable.inference.runtime == "onnxruntime"
    compute = active.model.scores

    def scores(asked: Sequence[Any]) -> np.ndarray:
        on_loop.append(threading.current_thread() is threading.main_thread())
        return compute(asked)

    worker.holder.active = replace(
        active,
        manifest=active.manifest.model_copy(update={"max_body_bytes": 10_000}),
        model=replace(active.model, scores=scores),
        decoder=RequestDecoder(active.model.servable, MANY),
    )
    return on_loop


def asked(worker: Worker, count: int, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for so many rows, by a clock on which that takes `seconds`."""
    monkeypatch.setattr(rollout, "perf_counter", cycle([0.0, seconds]).__next__)
    assert worker.post("/predict_features", {"rows": rows(count)}).status_code == 200


def test_few_rows_never_wait_for_a_thread(
    worker: Worker, threads: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        asked(worker, QUICK_ROWS, 5 * QUICK_SECONDS, monkeypatch)

    assert threads == [True, True]


def test_many_rows_follow_the_pace_of_the_version(
    worker: Worker, threads: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds in (0.9, 0.9, 1.1, 0.9, 0.9):
        asked(worker, MANY, seconds * QUICK_SECONDS, monkeypatch)

    # Not known yet; then as the one before each was.
    assert threads == [False, True, True, False, True]


def test_a_slow_version_keeps_the_loop_free_whatever_small_requests_come_between(
    worker: Worker, threads: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    for count, seconds in ((MANY, 2.0), (1, 1e-6), (MANY, 2.0)):
        asked(worker, count, seconds * QUICK_SECONDS, monkeypatch)

    assert threads == [False, True, False]


def test_another_version_begins_without_a_pace() -> None:
    assert MANY * Pace().seconds_per_row > QUICK_SECONDS
