"""Versions of a model: their pipelines from the registry, and `history`, which was live when."""

from typing import Any

from mlops_assets.errors import ConfigError
from mlops_assets.notebook.frames import FrameKind, as_kind, require_kind
from mlops_assets.notebook.state import model_settings, require_file, require_stored, resource
from mlops_assets.records.promotion import Promotion

_COLUMNS = ("sequence", "time", "from_version", "to_version", "who", "why", "data_version")


def load_model(model: str, wanted: str, version: str | None) -> Any:
    """The fitted pipeline of `champion`, `previous` or a number, if its types are on our list."""
    if version is not None or not wanted:
        raise ConfigError(f"say which version by its name: {model}/model@champion, or @3")
    number = _number(model, wanted)
    from mlops_assets.model_versions.fetched import fetched

    tracking = _tracking(model)
    found = tracking.registry.version(model, number)
    if found is None:
        there = _numbers(tracking, model)
        raise ConfigError(f"{model} has no version {number}; there are {there}")
    with fetched(found, tracking, model_settings(model)) as one:
        return one.estimator


def history(model: str, *, to: FrameKind = "pandas") -> Any:
    """A row for each move of the champion, the oldest first: which version, when, by whom and why.

    Raises:
        ConfigError: There is no such model.
    """
    require_kind(to)
    require_stored(model)
    import pandas as pd

    moves = [move.model_dump(include={*_COLUMNS}) | {"time": move.time} for move in _moves(model)]
    frame = pd.DataFrame(moves or [dict.fromkeys(_COLUMNS)])[: len(moves)][[*_COLUMNS]]
    types = {"time": "datetime64[us, UTC]", "from_version": "Int64"}
    return as_kind(frame.astype(types), to)


def _moves(model: str) -> list[Promotion]:
    ledger = resource("ledger")
    return ledger.history(model) if ledger.is_made else []


def _number(model: str, wanted: str) -> int:
    if wanted.isascii() and wanted.isdigit():
        return int(wanted)
    from resources.champion.ledger import standing

    versions = standing(_moves(model))
    named = dict(zip(("champion", "previous"), reversed(versions), strict=False))
    if wanted not in named:
        there = [*named, "the number of a version"]
        raise ConfigError(f"{model} has no model@{wanted}; after the @ stands one of {there}")
    return named[wanted]


def _tracking(model: str) -> Any:
    from resources.tracking.database import local_database

    tracking = resource("tracking")
    if database := local_database(tracking.tracking_uri):
        require_file(database, model, "registry")
    return tracking


def _numbers(tracking: Any, model: str) -> list[int]:
    with tracking.store.connected() as mlflow:
        found = mlflow.MlflowClient().search_model_versions(f"name='{model}'")
        return sorted(int(one.version) for one in found)
