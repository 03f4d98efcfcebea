"""What an older commit wrote is read, served and moved on by today's code.

Made by `tests/old_states/make.py`: version 1, then 2, then 1 again by hand; two predictions
compacted, two not; a decision and a pause.
"""

import re
import subprocess
import tarfile
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from resources.decisions import DecisionStore
from resources.prediction_log.log import PredictionLog
from resources.tracking.tracking import MLflowTracking
from tests.old_states.unpack import FOLDER, MODEL, unpack
from tests.support.runs.small_checkout import TOOLS, Checkout
from tests.support.servers import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

COMMIT = "7c88e62"


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Generator[Checkout]:
    port = free_port()
    checkout = Checkout.at(tmp_path_factory.mktemp("old") / "checkout", port)
    unpack(COMMIT, checkout.home, port)
    try:
        yield checkout
    finally:
        checkout.run("mlops", "stop", MODEL)


@pytest.fixture
def tracking(old: Checkout) -> MLflowTracking:
    store = f"sqlite:///{old.home / 'mlflow.db'}"
    return MLflowTracking(tracking_uri=store, artifacts=str(old.home / "mlflow"))


def says(old: Checkout, *command: str) -> str:
    done = subprocess.run(
        [TOOLS / command[0], *command[1:]],
        cwd=old.folder,
        env=old.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_it_is_small_and_names_no_machine() -> None:
    packed = FOLDER / f"{COMMIT}.tar.xz"
    assert packed.stat().st_size < 300_000
    with tarfile.open(packed) as archive:
        contents = [archive.extractfile(one).read() for one in archive if one.isfile()]
    assert not [one for one in contents if re.search(rb"/(home|root|Users)/", one)]


def test_its_history_is_read(old: Checkout) -> None:
    history = old.ledger.history(MODEL)
    assert [(one.from_version, one.to_version) for one in history] == [(None, 1), (1, 2), (2, 1)]
    assert (history[-1].who, history[-1].why) == ("somebody", "rollback: version 2 was worse")
    assert all(one.evaluation and one.data_version for one in history[:2])
    then = old.ledger.as_of(MODEL, history[1].time)
    assert then is not None
    assert then.to_version == 2


def test_its_registry_is_read(old: Checkout, tracking: MLflowTracking, tmp_path: Path) -> None:
    numbers = {
        name: tracking.registry.version_by_alias(MODEL, name) for name in ("champion", "previous")
    }
    assert {name: one and one.version for name, one in numbers.items()} == {
        "champion": 1,
        "previous": 2,
    }
    for number in (1, 2):
        version = tracking.registry.version(MODEL, number)
        assert version is not None
        assert (
            tracking.registry.download_model(version, tmp_path / str(number)).stat().st_size > 1000
        )
        assert tracking.run_of(version).tags()["dvc/md5"]


def test_its_decisions_are_read(old: Checkout) -> None:
    decisions = DecisionStore(database=str(old.home / "decisions.db"))
    (only,) = decisions.history(MODEL, 10)
    assert (only.action, only.rule) == ("idle", "calm")
    assert decisions.load(MODEL).state.fingerprint
    pause = decisions.pause(MODEL, only.time + timedelta(days=1))
    assert pause is not None
    assert (pause.who, pause.why) == ("somebody", "until a test reads it")


def test_its_prediction_log_is_read_and_compacted(old: Checkout) -> None:
    log = PredictionLog(endpoints=str(old.home / "endpoints"), root=str(old.home / "predictions"))
    begin, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    rows = log.read(MODEL, begin, end)
    answered = rows[["entity", "model_version"]].to_dict("split")["data"]
    assert answered == [[299, 1], [329, 2], [299, 1], [329, 1]]
    assert log.compact(MODEL).rows == 2
    assert log.read(MODEL, begin, end).equals(rows)


def test_its_endpoint_is_served_again_and_moved_on(old: Checkout) -> None:
    said = says(old, "mlops", "up", MODEL)
    assert said == f"{MODEL}: version 1 at http://127.0.0.1:{old.port}"
    first = says(old, "mlops", "predict", MODEL, "299", "329")
    assert first.count("version=1") == 2
    moved = says(old, "mlops", "rollback", MODEL, "--to", "2", "--why", "a test")
    assert f"{MODEL}: version 2 at" in moved
    assert says(old, "mlops", "predict", MODEL, "329").endswith("version=2")
    assert old.faults() == []
