"""Each finding of `mlops doctor`, with nothing wrong and with what it is there for."""

import fcntl
import os
import socket
import time
from pathlib import Path

import pytest

from mlops_assets.cli.facts import doctor
from mlops_assets.cli.facts.records import Finding
from mlops_assets.runtime.telemetry import SWITCHES


def bad(found: list[Finding]) -> list[str]:
    assert all(one.remedy for one in found if not one.good)
    return [one.said for one in found if not one.good]


def test_a_private_writable_folder_is_good(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert bad([*doctor.permissions(tmp_path), *doctor.disk(tmp_path)]) == []
    assert bad([*doctor.clock(tmp_path)]) == []


def test_a_folder_that_others_read_is_named_with_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    found = [*doctor.permissions(tmp_path)]
    assert bad(found) == [f"{tmp_path} has mode 755"]
    assert found[-1].remedy.startswith(f"chmod 700 {tmp_path}")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    found = [*doctor.permissions(Path("/proc"))]
    assert "/proc cannot be written" in bad(found)[0]


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_LITTLE", 1e9)
    assert "GB are free" in bad([*doctor.disk(tmp_path)])[0]


def test_a_ledger_of_the_future_is_named(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    ahead = time.time() + 3600
    os.utime(tmp_path / "ledger.db", (ahead, ahead))
    assert "in the future" in bad([*doctor.clock(tmp_path)])[0]


@pytest.mark.parametrize(
    ("text", "good"),
    [("telemetry: {enabled: false}", True), ("telemetry: {enabled: true}", False), ("", False)],
)
def test_telemetry_of_dagster_is_off_only_where_its_file_says_so(
    tmp_path: Path, text: str, good: bool
) -> None:
    (tmp_path / "dagster.yaml").write_text(text, encoding="utf-8")
    found = [*doctor.telemetry(str(tmp_path))]
    assert [one.good for one in found] == [True, good]


def test_a_switch_that_was_taken_away_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = next(iter(SWITCHES))
    monkeypatch.setenv(name, "")
    assert f"not off: {name}" in bad([*doctor.telemetry(str(tmp_path))])


def test_a_lock_that_is_held_is_named_and_one_that_is_free_is_not(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    for name in ("loans", "shop"):
        (tmp_path / "locks" / f"{name}.lock").touch()
    with (tmp_path / "locks" / "loans.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        (found,) = doctor.locks(tmp_path)
        assert found.said == "held by commands that run: loans"
    (found,) = doctor.locks(tmp_path)
    assert found.said == "none is held"


def test_a_port_of_somebody_else_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert doctor._port("for x", port, "end it", ours=True).good
        found = doctor._port("for x", port, "end it", ours=False)
        assert (found.good, found.remedy) == (False, "end it")
        assert f"{port}, for x, is taken by another program" in found.said
    assert doctor._port("for x", port, "end it", ours=False).good
