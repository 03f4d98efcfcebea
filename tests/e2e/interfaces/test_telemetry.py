"""What a run and a live endpoint write and whom they ask, by their system calls."""

import ipaddress
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.runs.small_dagster import INSTANCE, LOCATION, loans, write_loans
from tests.support.servers import ROOT, free_port

pytestmark = pytest.mark.e2e

TOOLS = Path(sys.executable).parent
CALLS = "connect,sendto,sendmsg,open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2"
ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
WRITES = re.compile(r"O_CREAT|O_WRONLY|O_RDWR|^\d+ +(?:creat|mkdir|rename)")
PATHS = re.compile(r'"([^"]+)"')
RUN = """
import subprocess, sys, time
from mlops_assets.definitions import build_resources
from mlops_assets.home import home

deployment = build_resources(home())["deployment"]
try:
    subprocess.run(sys.argv[1:], check=True)
    assert deployment.predict("loans", [5])
    time.sleep(2)  # for what is sent later
finally:
    deployment.stop("loans")
"""


def test_nothing_is_written_outside_the_state_and_nobody_else_is_asked(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        reason = "needs strace on the PATH"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)

    calls = traced_run(tmp_path)

    assert len(calls) > 1000  # it was watched
    assert list((tmp_path / "home").rglob("*")) == []
    assert {address for call in calls for address in asked(call)} == {"127.0.0.1"}
    assert {
        path for call in calls for path in written(call) if not path.is_relative_to(tmp_path)
    } == set()


def traced_run(folder: Path) -> list[str]:
    """Train, deploy and ask one model, with a home and state in the folder; the calls."""
    for name in ("home", "dagster", "project", "tmp"):
        (folder / name).mkdir()
    (folder / "dagster" / "dagster.yaml").write_text(yaml.safe_dump(INSTANCE))
    write_loans(folder / "loans.csv", 400)
    settings = loans(folder / "loans.csv", free_port())
    (folder / "loans.yaml").write_text(yaml.safe_dump(settings))
    variables = {"HOME": "home", "TMPDIR": "tmp", "DAGSTER_HOME": "dagster", "MLOPS_HOME": "state"}
    variables |= {"MLOPS_DATA_ROOT": "project", "SMALL_PROJECT": "loans.yaml"}
    environment = {name: str(folder / path) for name, path in variables.items()}
    train = [str(TOOLS / "dagster"), "asset", "materialize", "--select", "group:loans"]
    trace = ["strace", "-f", "--seccomp-bpf", "-e", "signal=none", "-e", f"trace={CALLS}"]
    run = [sys.executable, "-c", RUN, *train, "-m", LOCATION]
    done = subprocess.run(
        [*trace, "-s", "400", "-o", str(folder / "calls"), *run],
        cwd=ROOT,
        # Compiled code of the checkout is Python's own, and written by whoever comes first.
        env=environment
        | {"PATH": os.environ["PATH"], "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return (folder / "calls").read_text(errors="replace").splitlines()


def asked(call: str) -> list[str]:
    """The addresses to which a call goes, this machine's own as 127.0.0.1."""
    found = [ipaddress.ip_address(four or six) for four, six in ADDRESS.findall(call)]
    return ["127.0.0.1" if address.is_loopback else str(address) for address in found]


def written(call: str) -> list[Path]:
    """The absolute paths that a successful call made or opened to write; no bytecode, no device."""
    if " = -1 " in call or not WRITES.search(call):
        return []
    paths = [Path(text) for text in PATHS.findall(call) if text.startswith("/")]
    return [
        path
        for path in paths
        if path.parts[1] not in ("dev", "proc") and "__pycache__" not in path.parts
    ]
