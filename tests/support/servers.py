"""Servers of our own in tests: a free port, waiting for an answer, and an end without leftovers."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what: str, found: Callable[[], T | None], seconds: float, every: float = 0.3) -> T:
    """Poll until `found` gives something true; fail by the name of what did not come."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(every)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end_group(process: subprocess.Popen[bytes], seconds: float = 15) -> None:
    """End a process that leads a session, politely first, and all that it left behind."""
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def alive_with(variable: str, value: str) -> list[psutil.Process]:
    """Processes whose environment has the variable: also those that left their group."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if (
                process.status() != psutil.STATUS_ZOMBIE
                and process.environ().get(variable) == value
            ):
                found.append(process)
    return found


def command_of(process: psutil.Process) -> str:
    """Its command line; empty when it has ended since it was found."""
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def has_ended(process: psutil.Process) -> bool:
    """Also when nobody has asked for its exit code yet."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kill_all_with(variable: str, value: str) -> None:
    """Kill what `alive_with` finds; what ended by itself meanwhile is no error."""
    for process in alive_with(variable, value):
        with suppress(psutil.NoSuchProcess):
            process.kill()
