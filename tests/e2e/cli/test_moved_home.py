"""A live model's state folder: private, self-contained, and good wherever it is moved or copied."""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.e2e.cli.test_examples import free_port
from tests.support.servers import alive_with

pytestmark = [pytest.mark.e2e, pytest.mark.thorough, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[3]
TOOLS = Path(sys.executable).parent
_OURS = ("MLOPS_", "DAGSTER_", "MLFLOW_")


@dataclass(frozen=True)
class State:
    """A state folder, all else being as a user's shell has it."""

    home: Path
    port: int

    def run(self, *command: str, code: int = 0) -> str:
        base = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        done = subprocess.run(
            [str(TOOLS / command[0]), *command[1:]],
            cwd=ROOT,
            env=base | {"MLOPS_HOME": str(self.home), "MLOPS_PORT_CUSTOMERS": str(self.port)},
            capture_output=True,
            text=True,
            umask=0o022,
            timeout=400,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def contents(self) -> dict[Path, bytes]:
        """Every file but those that a live endpoint writes by itself."""
        files = [path for path in self.home.rglob("*") if path.is_file()]
        own = {"status", "prometheus", "server.log", "predictions"}
        return {p: p.read_bytes() for p in files if not own & set(p.relative_to(self.home).parts)}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Generator[State]:
    state = State(tmp_path_factory.mktemp("state") / "home", free_port())
    before = in_the_checkout()
    try:
        state.run("mlops", "run", "customers")
        assert in_the_checkout() == before, "nothing of it is in the checkout"
        yield state
    finally:
        state.run("mlops", "stop", "customers")
        assert not alive_with("MLOPS_ENDPOINT", str(state.home / "endpoints/customers"))


def in_the_checkout() -> set[str]:
    """What stands in it, and in its DVC, but for what tools of development cache there."""
    found = {path.name for folder in (ROOT, ROOT / ".dvc") for path in folder.iterdir()}
    return {name for name in found if "cache" not in name and not name.startswith(".coverage")}


def test_a_copy_lives_and_leaves_the_original_alone(live: State, tmp_path: Path) -> None:
    copy = replace(live, home=Path(shutil.copytree(live.home, tmp_path / "copy")))
    before = live.contents()
    assert "Address already in use" in copy.run("mlops", "up", code=1)
    copy = replace(copy, port=free_port())
    try:
        assert "prediction=" in copy.run("mlops", "run", "customers")
        retrain(copy)
        assert "version=1" in copy.run("mlops", "predict", "customers", "1")
    finally:
        copy.run("mlops", "stop", "customers")
    assert live.contents() == before
    assert "version=1" in live.run("mlops", "predict", "customers", "1")


def test_a_moved_one_goes_on_as_before(live: State) -> None:
    said = live.run("mlops", "predict", "customers", "1", "2")
    history = live.run("mlops", "history", "customers")
    live.run("mlops", "stop", "customers")
    moved = replace(live, home=live.home.rename(live.home.with_name("it's, a Ø & 100 % #1")))
    try:
        moved.run("mlops", "up", "customers")
        assert moved.run("mlops", "predict", "customers", "1", "2") == said
        assert moved.run("mlops", "history", "customers") == history
        assert "equal" in moved.run("mlops", "reproduce", "customers@champion")
        retrain(moved)
        moved.run("mlops", "deploy", "customers")
        assert "version 2" in moved.run("mlops", "status", "customers")
        assert "version 1 at" in moved.run("mlops", "rollback", "customers", "--why", "a test")
        assert moved.run("mlops", "predict", "customers", "1", "2") == said
        logged = list((moved.home / "predictions" / "customers").rglob("*.parquet"))
        assert logged, "the log that was begun in the old place is compacted in the new one"
        assert not live.home.exists(), "nothing was written to the old place"
    finally:
        moved.run("mlops", "stop", "customers")
        moved.home.rename(live.home)


def retrain(state: State) -> None:
    """From features that were published before to a report on what was logged before."""
    stages = ("trained_model", "evaluation_report", "reference_profile")
    stages += ("prediction_log", "drift_report")
    keys = " or ".join(f'key:"customers/{stage}"' for stage in stages)
    script = 'eval "$(mlops env)" && exec dagster asset materialize -m mlops_assets.definitions '
    state.run("/bin/sh", "-c", f"PATH=\"{TOOLS}:$PATH\"; {script} --select '{keys}'")
