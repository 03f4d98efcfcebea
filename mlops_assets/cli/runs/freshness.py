"""Which assets are out of date, read from the versions that Dagster records with each value.

The same rule as the UI's staleness mark, over public data: the tags of the newest materialization.
"""

from collections.abc import Iterable
from graphlib import TopologicalSorter

import dagster as dg

from mlops_assets.keys import is_training

_DATA_VERSION = "dagster/data_version"
_CODE_VERSION = "dagster/code_version"
_INPUT_VERSION = "dagster/input_data_version/"


def stale_assets(
    instance: dg.DagsterInstance, specs: Iterable[dg.AssetSpec]
) -> dict[dg.AssetKey, str]:
    """Assets on the way to the endpoint to materialize, each with the reason, upstream first.

    An asset is out of date when it has no value, its code or settings changed, an input has another
    data version than the one it was made from, or an upstream asset is out of date itself.
    """
    stale: dict[dg.AssetKey, str] = {}
    for spec in _upstream_first(spec for spec in specs if is_training(spec.key)):
        if reason := _reason(instance, spec, stale):
            stale[spec.key] = reason
    return stale


def _reason(
    instance: dg.DagsterInstance, spec: dg.AssetSpec, stale: dict[dg.AssetKey, str]
) -> str | None:
    tags = _tags(instance, spec.key)
    if not tags:
        return "never materialized"
    if tags.get(_CODE_VERSION) != spec.code_version:
        return "its code or settings changed"
    for dependency in spec.deps:
        key = dependency.asset_key
        if key in stale:
            return f"{key.to_user_string()} is out of date"
        made_from = tags.get(_INPUT_VERSION + key.to_user_string())
        if made_from != _tags(instance, key).get(_DATA_VERSION):
            return f"{key.to_user_string()} has another version"
    return None


def _tags(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, str]:
    event = instance.get_latest_materialization_event(key)
    if event is None or event.asset_materialization is None:
        return {}
    return dict(event.asset_materialization.tags or {})


def _upstream_first(specs: Iterable[dg.AssetSpec]) -> list[dg.AssetSpec]:
    by_key = {spec.key: spec for spec in specs}
    edges = {key: [dep.asset_key for dep in spec.deps] for key, spec in by_key.items()}
    return [by_key[key] for key in TopologicalSorter(edges).static_order() if key in by_key]
