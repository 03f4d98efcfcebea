"""Objects whose files run code when they are loaded, as an attacker's would."""

import os
from pathlib import Path
from typing import Any


class Dropper:
    """A skops file: writes a file when it is constructed from its saved state."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __setstate__(self, state: dict) -> None:
        Path(state["target"]).touch()


class Maker:
    """A pickle: makes a folder when it is unpickled."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.target,)
