"""The command `mlops` before it is any verb."""

import signal
import subprocess
import sys

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
