"""The processes of `mlops dev`: started again, given up, and gone with their starter."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from mlops_assets.interfaces.children import CRASHES, Child, GivenUpError, end
from tests.support.servers import has_ended


def until(found: Callable[[], object], seconds: float = 20) -> None:
    ends = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_what_crashes_time_after_time_is_given_up_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("mlops_assets.interfaces.children.FIRST_PAUSE_SECONDS", 0.01)
    child, said = Child("the thing", ["/bin/sh", "-c", "echo no; exit 7"], {}, tmp_path / "log"), []

    def keep_on() -> bool:
        said.append(child.keep())
        return False

    with pytest.raises(GivenUpError, match="the thing ended by itself with exit code 7, the 4th"):
        until(keep_on)
    assert next(one for one in said if one) == (
        "the thing ended by itself with exit code 7; starting it again in 0.01 s"
    )
    assert len([one for one in said if one]) == CRASHES - 1
    assert (tmp_path / "log").read_text() == "no\n" * CRASHES


def test_what_lives_is_left_alone_and_ended_with_what_it_started(tmp_path: Path) -> None:
    command = ["/bin/sh", "-c", "sleep 100 & sleep 100"]
    child = Child("the thing", command, {"A_VARIABLE": "1"}, tmp_path / "log")
    process = psutil.Process(child.process.pid)
    until(lambda: process.name() == "sh" and len(process.children()) == 2)
    below = process.children()
    assert child.keep() is None
    assert process.environ()["A_VARIABLE"] == "1"

    end([child.process])

    until(lambda: all(map(has_ended, below)))


def test_what_its_starter_left_by_sigkill_ends_too(tmp_path: Path) -> None:
    code = (
        "import time; from pathlib import Path; from mlops_assets.interfaces.children import Child;"
        f"log = Path({str(tmp_path / 'log')!r});"
        "child = Child('x', ['/bin/sleep', '100'], {}, log);"
        "print(child.process.pid, flush=True); time.sleep(100)"
    )
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    child = psutil.Process(int(starter.stdout.readline()))
    until(lambda: child.name() == "sleep")

    starter.kill()
    starter.communicate()

    until(lambda: has_ended(child))
