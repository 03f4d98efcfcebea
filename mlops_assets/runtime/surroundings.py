"""What every process of ours settles before it does anything: private files, and a user by name.

Its children inherit both. Where a file must be readable to others, as Prometheus', MLOPS_UMASK
opens all of them.
"""

import getpass
import os
from pathlib import Path

from mlops_assets.errors import ConfigError

_PRIVATE = 0o077
_VARIABLE = "MLOPS_UMASK"


def settle() -> None:
    """Make what this process writes private, and give a user without a passwd entry a name.

    Containers run as any user id, and libraries fail that ask for its name or home.
    """
    try:
        os.umask(chosen_umask())
    except ConfigError:  # said by the command, which asks again
        os.umask(_PRIVATE)
    try:
        getpass.getuser()
    except (KeyError, OSError):  # which of the two depends on the version of Python
        os.environ["USER"] = f"uid-{os.getuid()}"
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = "/nonexistent"  # as Debian names it: nobody can plant files there


def read_only() -> int:
    """The mode of a file that nobody shall change, and who may read it."""
    return 0o444 & ~chosen_umask()


def chosen_umask() -> int:
    """0o077, or what MLOPS_UMASK says, e.g. `027` where a group may read the state.

    Raises:
        ConfigError: It is no umask, or one that takes away the owner's own rights.
    """
    text = os.environ.get(_VARIABLE) or f"{_PRIVATE:o}"
    try:
        umask = int(text, 8)
    except ValueError:
        umask = -1
    if not 0 <= umask <= _PRIVATE:
        raise ConfigError(f"{_VARIABLE}={text!r} is no umask; write e.g. 077 or 027")
    return umask
