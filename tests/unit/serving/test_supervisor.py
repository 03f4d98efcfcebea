"""What a supervisor and a template decide, without processes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from mlops_assets.cli.endpoints import bring_up
from mlops_assets.serving.process import supervisor
from mlops_assets.serving.process.supervisor import LOG_BYTES, shorten
from resources.endpoints.process import EndpointProcess, Launch
from resources.endpoints.worker_code import PACKAGE, worker_files


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
    assert bring_up([]) == ([], [])
    good, (line,) = bring_up(["shop"])
    assert good == []
    assert line == "shop: 'shop' was never deployed here; run `mlops run shop`"
    assert not (tmp_path / "endpoints").exists()


def test_a_change_of_any_module_that_a_worker_imports_makes_a_new_generation() -> None:
    graph = grimp.build_graph("mlops_assets", exclude_type_checking_imports=True, cache_dir=None)
    used = graph.find_upstream_modules("mlops_assets.serving", as_package=True)
    files = {PACKAGE.joinpath(*name.split(".")[1:]).with_suffix(".py") for name in used}
    assert len(files) > 10
    assert {file for file in files if file.exists()} - {*worker_files()} == set()


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
