"""Which assets are out of date, read from the versions that Dagster records with each value.

The same rule as the UI's staleness mark, over public data: the tags of the newest materialization.
"""

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter

import dagster as dg

from mlops_assets.keys import is_training

_DATA_VERSION = "dagster/data_version"
_CODE_VERSION = "dagster/code_version"
_INPUT_VERSION = "dagster/input_data_version/"
_INPUT_EVENT = "dagster/input_event_pointer/"


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
        if _made_from(instance, key, tags) != _tags(instance, key).get(_DATA_VERSION):
            return f"{key.to_user_string()} has another version"
    return None


def _made_from(
    instance: dg.DagsterInstance, key: dg.AssetKey, tags: Mapping[str, str]
) -> str | None:
    """The data version of an input that an asset was made from, by the asset's own tags.

    Of an input with partitions Dagster notes a hash of those that the run could see, and its newest
    event then, which has the version of all of them.
    """
    newest = _newest(instance, key)
    if newest is None or newest.partition is None:
        return tags.get(_INPUT_VERSION + key.to_user_string())
    event = int(tags.get(_INPUT_EVENT + key.to_user_string(), 0))
    wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=[event])
    found = instance.fetch_materializations(wanted, limit=1).records
    seen = found[0].asset_materialization if found else None
    return (seen.tags or {}).get(_DATA_VERSION) if seen else None


def _tags(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, str]:
    newest = _newest(instance, key)
    return dict(newest.tags or {}) if newest else {}


def _newest(instance: dg.DagsterInstance, key: dg.AssetKey) -> dg.AssetMaterialization | None:
    event = instance.get_latest_materialization_event(key)
    return event.asset_materialization if event else None


def _upstream_first(specs: Iterable[dg.AssetSpec]) -> list[dg.AssetSpec]:
    by_key = {spec.key: spec for spec in specs}
    edges = {key: [dep.asset_key for dep in spec.deps] for key, spec in by_key.items()}
    return [by_key[key] for key in TopologicalSorter(edges).static_order() if key in by_key]
