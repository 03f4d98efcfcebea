"""The command `mlops` before it is any verb, and after its reader is gone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

LOADING = """
import signal, sys, os, importlib.abc

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "mlops_assets.cli":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Slow())
from mlops_assets.__main__ import main
sys.exit(main())
"""


def test_an_interrupt_while_it_is_still_imported_ends_it_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADING], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 128 + signal.SIGINT
    assert done.stderr == "canceled before anything was done\n"


def test_a_reader_that_has_read_enough_is_nothing_that_went_wrong(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "mlops_assets", "env"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "MLOPS_HOME": str(tmp_path), "DAGSTER_HOME": ""},
    )
    os.close(writer)
    assert done.stderr == ""
    assert not (tmp_path / "errors").exists()
