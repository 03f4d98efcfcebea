"""What a supervisor and a template decide, without processes."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import grimp
import pytest

from mlops_assets.cli.endpoints import brought_up
from mlops_assets.serving.process import supervisor
from mlops_assets.serving.process.supervisor import (
    LOG_BYTES,
    Generation,
    Supervisor,
    listen,
    shorten,
)
from mlops_assets.serving.process.workers import CRASHES, Template
from resources.endpoints.process import EndpointProcess, Launch
from resources.endpoints.worker_code import PACKAGE, worker_files
from tests.support.served.served_models import build
from tests.support.served.serving_worker import Worker


def test_a_long_log_is_moved_aside_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * LOG_BYTES)
        shorten(log)
        assert log.stat().st_size == LOG_BYTES, "not yet too long"
        writer.write(b"y")
        shorten(log)
        writer.write(b"z")
    assert log.read_bytes() == b"z"
    assert (tmp_path / "server.log.1").stat().st_size == LOG_BYTES + 1


def test_a_log_that_cannot_be_moved_is_still_shortened(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_bytes(b"x" * (LOG_BYTES + 1))
    (tmp_path / "server.log.1").mkdir()
    with pytest.raises(OSError, match="directory"):
        shorten(log)
    assert log.stat().st_size == 0


def test_an_endpoint_remembers_how_it_was_launched(tmp_path: Path) -> None:
    process = EndpointProcess(tmp_path)
    assert process.kept_launch() is None
    (tmp_path / supervisor.LAUNCH_FILE).write_text("{")
    assert process.kept_launch() is None
    (tmp_path / supervisor.LAUNCH_FILE).write_text(
        '{"port": 5, "workers": 2, "environment": {"MLOPS_CODE": "abc"}}'
    )
    assert process.kept_launch() == Launch(port=5, workers=2, code="abc")


def test_up_brings_back_nothing_where_nothing_was_deployed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_ENDPOINTS", str(tmp_path / "endpoints"))
    assert brought_up([]) == []
    (found,) = brought_up(["shop"])
    assert found.version is None
    assert found.said == "shop: 'shop' was never deployed here; run `mlops run shop`"
    assert not (tmp_path / "endpoints").exists()


def test_a_change_of_any_module_that_a_worker_imports_makes_a_new_generation() -> None:
    graph = grimp.build_graph("mlops_assets", exclude_type_checking_imports=True, cache_dir=None)
    used = graph.find_upstream_modules("mlops_assets.serving", as_package=True)
    files = {PACKAGE.joinpath(*name.split(".")[1:]).with_suffix(".py") for name in used}
    assert len(files) > 10
    assert {file for file in files if file.exists()} - {*worker_files()} == set()


@pytest.fixture
def dying(tmp_path: Path) -> Path:
    """An endpoint whose template ends as soon as it is started, and writes that it was."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho started >> {tmp_path}/starts\nexit 3\n")
    python.chmod(0o700)
    launch = {"python": str(python), "workers": 1, "environment": {"MLOPS_CODE": "a"}}
    (tmp_path / supervisor.LAUNCH_FILE).write_text(json.dumps(launch))
    return tmp_path


def test_a_template_that_dies_at_once_is_started_again_after_a_pause(dying: Path) -> None:
    with listen(0) as listener:
        supervising = Supervisor(dying, listener)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            supervising._turn()
            time.sleep(0.01)
    starts = (dying / "starts").read_text().split()
    assert len(starts) in (2, 3), "at once, then after 2 s, 4 s, ..."


def test_the_pause_is_short_again_after_a_template_that_lived_long(dying: Path) -> None:
    launch = json.loads((dying / supervisor.LAUNCH_FILE).read_text())
    with listen(0) as listener:
        supervising = Supervisor(dying, listener)
        dead = Generation(dying, listener, launch)
        for age, pause in [(0, 2), (0, 4), (0, 8), (1000, 1), (0, 2)]:
            dead.process.wait()
            dead.started, supervising._next_start = time.monotonic() - age, 0.0
            now = time.monotonic()
            dead = supervising._again(dead)
            assert supervising._next_start - now == pytest.approx(pause, abs=0.9)
        dead.process.wait()


@pytest.fixture
def template(worker: Worker, tmp_path: Path) -> Generator[Template]:
    """Of an endpoint that serves version 2, with version 1 to go back to."""
    good = worker.folder.current()
    assert good is not None
    worker.folder.mark_verified(good)
    worker.serve(build(tmp_path, version=2))
    with listen(0) as listener:
        yield Template(worker.folder.path, listener, workers=2)


def served(worker: Worker) -> int:
    manifest = worker.folder.current()
    assert manifest is not None
    return manifest.model_version


def test_only_crashes_in_a_row_give_a_version_up(template: Template, worker: Worker) -> None:
    for crashed in (True, True, False, True, True):
        template._count(crashed=crashed)
    assert served(worker) == 2
    template._count(crashed=True)
    assert served(worker) == 1


@pytest.mark.parametrize(
    ("ages", "version"),
    [((11.0, 12.0), 2), ((11.0, 1.0), 1), ((11.0,), 1)],
    ids=["all have grown", "one is young", "one is missing"],
)
def test_crashes_are_forgotten_once_all_workers_live(
    template: Template, worker: Worker, ages: tuple[float, ...], version: int
) -> None:
    """Or three crashes in a year, each for a reason of its own, would give a good version up."""
    for _ in range(CRASHES - 1):
        template._count(crashed=True)
    template._born = {-pid: time.monotonic() - age for pid, age in enumerate(ages, start=2)}
    template._forget_crashes()
    template._count(crashed=True)
    assert served(worker) == version


@pytest.mark.parametrize("moved", [True, False])
def test_what_was_started_before_the_folder_was_moved_is_ended_and_nothing_of_a_copy(
    tmp_path: Path, moved: bool
) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    environment = {"MLOPS_ENDPOINT": str(before), "MLOPS_CODE": "a"}
    kept = {"port": 1, "workers": 1, "environment": environment}
    (before / "launch.json").write_text(json.dumps(kept))
    code = "print('up', flush=True); import time; time.sleep(60)"
    command = [sys.executable, "-c", code, "mlops_assets.serving.process.supervisor"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert EndpointProcess(before).launch() is not None
        if moved:
            before.rename(after)
        else:
            shutil.copytree(before, after)
        assert EndpointProcess(after).launch() is None, "it writes to where the folder was"
        EndpointProcess(after).stop()
        if not moved:
            assert process.poll() is None
            EndpointProcess(before).stop()
        assert process.poll() is not None
