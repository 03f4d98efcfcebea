"""A whole run on a bucket, by one variable: and the S3 server away for a while meanwhile."""

import os
import time
from collections.abc import Generator

import dagster as dg
import pytest

from tests.support.runs.small_checkout import MODEL, Checkout
from tests.support.servers import alive_with, free_port, wait_for
from tests.support.services.s3_server import ACCESS_KEY, SECRET, S3Server

# In the gate test_several_machines.py runs on a bucket too.
pytestmark = [pytest.mark.e2e, pytest.mark.thorough, pytest.mark.timeout(600)]

AWAY_SECONDS = float(os.environ.get("S3_AWAY", "8"))
MOMENTS = os.environ.get("S3_MOMENTS", "trained_model").split(",")
"""Stages in whose step the server goes away; by hand any others."""


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> str:
    return s3.new_bucket()


@pytest.fixture(scope="module")
def checkout(
    tmp_path_factory: pytest.TempPathFactory, s3: S3Server, bucket: str
) -> Generator[Checkout]:
    """One model of a first run."""
    made = Checkout.at(tmp_path_factory.mktemp("bucket") / "project", free_port())
    assert made.start("mlops", "run", MODEL, **s3.told(bucket)).wait() == 0, log_of(made)
    yield made
    made.start("mlops", "stop").wait()


def log_of(checkout: Checkout) -> str:
    return (checkout.folder / "log").read_text(encoding="utf-8")[-5000:]


def steps_begun(checkout: Checkout) -> list[str]:
    """Of all runs."""
    with checkout.instance() as instance:
        return [
            event.step_key or ""
            for run in instance.get_runs()
            for event in instance.all_logs(run.run_id, dg.DagsterEventType.STEP_START)
        ]


def versions(checkout: Checkout) -> list[int]:
    return [move.to_version for move in checkout.ledger.history(MODEL)]


def test_data_artifacts_and_values_are_in_the_bucket(
    s3: S3Server, checkout: Checkout, bucket: str
) -> None:
    kept = s3.contents(bucket)
    (data,) = (content for key, content in kept.items() if key.startswith("dvc/files/md5/"))
    assert data == (checkout.folder / "loans.csv").read_bytes()
    assert any(key.startswith(f"mlflow/{MODEL}/") and key.endswith("model.skops") for key in kept)
    assert not (checkout.home / "mlflow").exists()
    values = {path.name for path in (checkout.home / "assets" / MODEL).glob("[!.]*.*")}
    assert {key for key in kept if key.startswith("assets/")} == {
        f"assets/{MODEL}/{v}" for v in values
    }


def test_no_secret_is_in_a_log_a_file_a_command_line_or_an_event(
    s3: S3Server, checkout: Checkout, bucket: str
) -> None:
    files = [path for path in checkout.folder.rglob("*") if path.is_file()]
    contents = [*(path.read_bytes() for path in files), *s3.contents(bucket).values()]
    processes = alive_with("MLOPS_ENDPOINT", str(checkout.home / "endpoints" / MODEL))
    lines = [" ".join(process.cmdline()).encode() for process in processes]
    assert lines
    for word in (SECRET, ACCESS_KEY):
        assert not any(word.encode() in content for content in [*contents, *lines])


@pytest.mark.parametrize("stage", MOMENTS)
def test_a_while_without_the_server_loses_and_doubles_nothing(
    s3: S3Server, checkout: Checkout, bucket: str, stage: str
) -> None:
    before, begun = versions(checkout), steps_begun(checkout).count(f"{MODEL}__{stage}")
    checkout.new_data()
    process = checkout.start("mlops", "run", MODEL, **s3.told(bucket))
    step = f"{MODEL}__{stage}"
    wait_for(stage, lambda: steps_begun(checkout).count(step) > begun, 120, every=0.05)
    s3.end()
    try:
        served = checkout.start("mlops", "predict", MODEL, "1", **s3.told(bucket)).wait(60)
        time.sleep(AWAY_SECONDS)
    finally:
        s3.start()
    assert served == 0, log_of(checkout)
    if process.wait(300):  # it has failed; the same command goes on from there
        assert checkout.start("mlops", "run", MODEL, **s3.told(bucket)).wait() == 0
    assert versions(checkout) == [*before, len(before) + 1]
    assert checkout.faults() == []
    models = [key for key in s3.contents(bucket) if key.endswith("/model.skops")]
    assert len(models) == len(before) + 1
    data = [key for key in s3.contents(bucket) if key.startswith("dvc/files/md5/")]
    assert len(data) == len(before) + 1
