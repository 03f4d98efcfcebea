"""Processes that do not outlive the one that started them.

`python -m mlops_assets.serving.process.parents PID COMMAND...` makes a command one that ends with
PID.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask Linux to end this process when `parent` ends, or it would keep the port for ever."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before the request was made
        os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Become the command."""
    die_with_parent(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606  no text of the user's is in it


if __name__ == "__main__":
    main()
