"""What a supervisor and a template decide, without processes."""

from pathlib import Path

import pytest

from mlops_assets.serving import supervisor
from mlops_assets.serving.supervisor import LOG_BYTES, shorten
from resources.endpoint_process import EndpointProcess, Launch


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
