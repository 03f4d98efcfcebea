"""The state folder: one place that holds everything this project keeps.

Deleting it resets everything, copying it moves everything.
"""

import os
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[1]


def home() -> Path:
    """`MLOPS_HOME`, or `.mlops/` in the project; absolute, not created here."""
    return Path(os.environ.get("MLOPS_HOME", PROJECT_ROOT / ".mlops")).absolute()
