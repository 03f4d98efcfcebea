"""A whole run with Redis as the online store: and the server away for half a minute meanwhile."""

import os
import time
from collections.abc import Generator

import dagster as dg
import pytest

from tests.support.runs.small_checkout import MODEL, Checkout
from tests.support.servers import free_port, wait_for
from tests.support.services.redis_server import PASSWORD, RedisServer

pytestmark = [pytest.mark.e2e, pytest.mark.thorough, pytest.mark.timeout(900)]

AWAY_SECONDS = float(os.environ.get("REDIS_AWAY", "30"))
MOMENTS = os.environ.get("REDIS_MOMENTS", "features").split(",")
"""Stages in whose step the server goes away; by hand any others."""


@pytest.fixture(scope="module")
def redis() -> Generator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.end()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, redis: RedisServer) -> Generator[Checkout]:
    """One model of a first run."""
    made = Checkout.at(tmp_path_factory.mktemp("redis") / "project", free_port())
    assert made.start("mlops", "run", MODEL, **told(redis)).wait() == 0, log_of(made)
    yield made
    made.start("mlops", "stop").wait()


def told(redis: RedisServer) -> dict[str, str]:
    return {"MLOPS_ONLINE_STORE": redis.online_store, "REDIS_PASSWORD": PASSWORD}


def log_of(checkout: Checkout) -> str:
    return (checkout.folder / "log").read_text(encoding="utf-8")[-5000:]


def begun(checkout: Checkout, step: str) -> int:
    """How often, in all runs."""
    with checkout.instance() as instance:
        return sum(
            event.step_key == step
            for run in instance.get_runs()
            for event in instance.all_logs(run.run_id, dg.DagsterEventType.STEP_START)
        )


@pytest.mark.parametrize("stage", MOMENTS)
def test_half_a_minute_without_the_server_loses_and_doubles_nothing(
    redis: RedisServer, checkout: Checkout, stage: str
) -> None:
    before, step = len(checkout.ledger.history(MODEL)), f"{MODEL}__{stage}"
    known = begun(checkout, step)
    checkout.new_data()
    process = checkout.start("mlops", "run", MODEL, **told(redis))
    wait_for(stage, lambda: begun(checkout, step) > known, 120, every=0.05)
    redis.end()
    try:
        time.sleep(AWAY_SECONDS)
    finally:
        redis.start()
    if process.wait(300):  # it has failed; the same command goes on from there
        assert "Traceback" not in log_of(checkout)
        assert checkout.start("mlops", "run", MODEL, **told(redis)).wait() == 0, log_of(checkout)
    moves = [move.to_version for move in checkout.ledger.history(MODEL)]
    assert moves == [*range(1, before + 2)]
    assert checkout.faults() == []
