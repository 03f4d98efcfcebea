"""What every process of ours settles before it does anything: private files, and a user by name.

Children inherit both, so a process that one of ours started needs not ask again.
"""

import getpass
import os
from pathlib import Path

from mlops_assets.errors import ConfigError

UMASK_VARIABLE = "MLOPS_UMASK"


def settle(home: Path | None = None) -> None:
    """Make what this process writes private, and give a user without a passwd entry a name.

    Containers run as any user id. Libraries ask for that user's name and home, and fail without.

    Args:
        home: Where such a user's dot files go, if it has no home; default: the temporary folder.

    Raises:
        ConfigError: MLOPS_UMASK is no umask.
    """
    os.umask(private_umask())
    try:
        getpass.getuser()
    except (KeyError, OSError):  # which of the two depends on the version of Python
        os.environ["USER"] = f"uid-{os.getuid()}"
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(home or os.environ.get("TMPDIR", "/tmp"))  # noqa: S108  no file


def private_umask() -> int:
    """0o077, or what MLOPS_UMASK says, e.g. `027` where a group may read the state.

    Raises:
        ConfigError: It is no umask, or one that takes away the owner's own rights.
    """
    text = os.environ.get(UMASK_VARIABLE) or "077"
    try:
        umask = int(text, 8)
    except ValueError:
        umask = -1
    if not 0 <= umask <= 0o077:
        raise ConfigError(f"{UMASK_VARIABLE}={text!r} is no umask; write e.g. 077 or 027")
    return umask
