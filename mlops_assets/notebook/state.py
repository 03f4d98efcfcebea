"""The project's models, and the resources that read their state; looking makes none of it."""

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_assets.blocks.base import did_you_mean
from mlops_assets.errors import ConfigError
from mlops_assets.home import bucket, endpoints_root, storage_root

if TYPE_CHECKING:
    from mlops_assets.config import ModelSettings
    from resources.bucket.mirror import Mirror


def stored_models() -> list[str]:
    """The models that have left a value or an endpoint."""
    roots = [root for root in (storage_root(), endpoints_root()) if root.is_dir()]
    here = {path.name for root in roots for path in root.iterdir() if path.is_dir()}
    return sorted(here | {name.partition("/")[0] for name in values().names()})


def values() -> "Mirror":
    """The assets' values, which may be in a bucket."""
    from resources.bucket.mirror import Mirror

    return Mirror(storage_root(), bucket("assets"))


def require_stored(model: str) -> None:
    """Refuse the name of a model that has left nothing, with the names of those that have."""
    known = stored_models()
    if model not in known:
        there = f"there are {known}" if known else f"nothing is in {storage_root()} yet"
        near = did_you_mean([model], known)
        raise ConfigError(f"no model {model!r} has run here; {there}{near}; `mlops run` runs one")


def model_settings(model: str) -> "ModelSettings":
    """What the YAML of the project says of a model; `ConfigError` or its faults without one."""
    from mlops_assets.cli.context import chosen_models
    from mlops_assets.components.settings import loaded_models

    definitions = _definitions()
    chosen_models(definitions, [model])
    return loaded_models(definitions)[model]


def resource(role: str) -> Any:
    """One of the resources that runs use, of this environment."""
    import dagster as dg

    with dg.build_resources({role: (_definitions().resources or {})[role]}) as built:
        return getattr(built, role)


@cache
def _definitions() -> Any:
    """Read once in a process: a notebook that goes on is restarted after a change of a YAML."""
    cache_of_plots = os.environ.get("MPLCONFIGDIR")
    from mlops_assets.definitions import build_definitions  # 2-3 CPU s, most of it Dagster

    try:
        return build_definitions()
    finally:
        if cache_of_plots is None:  # what a notebook draws is no state of ours
            os.environ.pop("MPLCONFIGDIR", None)


def require_file(path: Path, model: str, what: str) -> None:
    """Refuse a store that nobody has made yet: opening it would make it."""
    if not path.exists():
        raise ConfigError(f"{model} has no {what} yet: there is no {path}; `mlops run {model}`")
