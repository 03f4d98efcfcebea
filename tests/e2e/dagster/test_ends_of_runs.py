"""Whole runs that are canceled or killed, as in `benchmarks/`, where there are more of them."""

import signal
from collections.abc import Generator
from functools import partial
from pathlib import Path

import pytest

from tests.support.runs.canceled_runs import Server, cancel_command, cancel_launched, in_step
from tests.support.runs.killed_runs import RUN, kill_and_recover
from tests.support.runs.small_checkout import Checkout
from tests.support.servers import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Generator[Checkout]:
    """One model, whose champion serves."""
    made = Checkout.at(tmp_path_factory.mktemp("ends") / "project", free_port())
    made.run(*RUN)
    yield made
    made.run("mlops", "stop")


@pytest.mark.thorough  # the gate cancels in every way without a server: tests/graph/dagster
@pytest.mark.parametrize(
    ("executor", "stage", "forced"),
    [("in_process", "trained_model", False), ("forkserver", "deployed_endpoint", True)],
)
def test_a_terminated_run_is_canceled_and_the_champion_stays(
    checkout: Checkout, executor: str, stage: str, forced: bool
) -> None:
    server = Server(checkout, free_port())
    with server.running(executor):
        moment = partial(in_step, checkout, stage)
        assert cancel_launched(server, checkout, moment, forced=forced).faults == []


def test_ctrl_c_at_the_command_cancels_its_run(checkout: Checkout) -> None:
    moment = partial(in_step, checkout, "trained_model")
    assert cancel_command(checkout, moment, signal.SIGINT).faults == []
    said = Path(checkout.folder, "log").read_text(encoding="utf-8")
    assert said.endswith("canceled; the same command goes on from here\n")


@pytest.mark.thorough
@pytest.mark.parametrize("after", [6, 14])
def test_a_plain_run_recovers_from_a_kill(checkout: Checkout, after: float) -> None:
    _, faults = kill_and_recover(checkout, after, empty=after == 6)
    assert faults == []
