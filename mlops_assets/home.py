"""The state folder, and where the user interfaces to it are found.

The folder holds everything this project keeps. Deleting it resets everything, copying it moves
everything: what is written in it about places in it is relative, or follows (`MLflowStore`).
"""

import os
import re
from pathlib import Path

from mlops_assets.errors import StateError

PROJECT_ROOT = Path(__file__).resolve().parents[1]
HOST = "127.0.0.1"
INTERFACE_PORTS = {"MLOPS_DAGSTER_PORT": 3000, "MLOPS_MLFLOW_PORT": 5000}
"""Variables that move the ports of `mlops dev`, and their defaults."""


_NO_ADDRESS = re.compile(r"\?|%[0-9A-Fa-f]{2}|[\x00-\x1f\x7f]")
"""What an address of a sqlite file means otherwise; SQLAlchemy's and Dagster's know no escape."""


def home() -> Path:
    """`MLOPS_HOME`, or `.mlops/` in the project, absolute; as `require_addressable` has it."""
    named = os.environ.get("MLOPS_HOME") or PROJECT_ROOT / ".mlops"
    return require_addressable(Path(named).expanduser().absolute(), "MLOPS_HOME")


def endpoints_root() -> Path:
    """The folder of the local endpoints, one folder for each model."""
    return Path(os.environ.get("MLOPS_ENDPOINTS") or home() / "endpoints")


def require_addressable(path: Path, variable: str) -> Path:
    """The same path; `StateError` naming `variable` if no sqlite file in it can be named."""
    if wrong := _NO_ADDRESS.search(str(path)):
        raise StateError(
            f"{variable}={str(path)!r} has {wrong.group()!r} in it, which the address of a sqlite "
            "file cannot hold; name another folder"
        )
    return path


def interface_url(variable: str) -> str:
    """Where the interface whose port this variable moves is found."""
    return f"http://{HOST}:{os.environ.get(variable, INTERFACE_PORTS[variable])}"
