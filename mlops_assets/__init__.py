"""One YAML file per model; from raw data to a live endpoint as Dagster assets.

Importing this package has two side effects, before any library is imported: telemetry is off, and
what the process writes is private. `load`, `history` and `score` are here for notebooks, and
imported when they are first named; for all else import the concrete module you need.
"""

from typing import TYPE_CHECKING, Any

from mlops_assets.runtime.surroundings import settle
from mlops_assets.runtime.telemetry import turn_telemetry_off

if TYPE_CHECKING:
    from mlops_assets.notebook.loading import load
    from mlops_assets.notebook.scores import score
    from mlops_assets.notebook.versions import history

__all__ = ["history", "load", "score"]

turn_telemetry_off()
settle()


def __getattr__(name: str) -> Any:
    from importlib import import_module

    homes = {"load": "loading", "history": "versions", "score": "scores"}
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"mlops_assets.notebook.{homes[name]}"), name)
