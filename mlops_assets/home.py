"""The state folder, and where the user interfaces to it are found.

The folder holds everything this project keeps. Deleting it resets everything, copying it moves
everything.
"""

import os
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[1]
HOST = "127.0.0.1"
INTERFACE_PORTS = {"MLOPS_DAGSTER_PORT": 3000, "MLOPS_MLFLOW_PORT": 5000}
"""Variables that move the ports of `mlops dev`, and their defaults."""


def home() -> Path:
    """`MLOPS_HOME`, or `.mlops/` in the project; absolute, not created here."""
    return Path(os.environ.get("MLOPS_HOME", PROJECT_ROOT / ".mlops")).absolute()


def interface_url(variable: str) -> str:
    """Where the interface whose port this variable moves is found."""
    return f"http://{HOST}:{os.environ.get(variable, INTERFACE_PORTS[variable])}"
