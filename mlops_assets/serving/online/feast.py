"""The lookup of any online store, by Feast's SDK; it costs a process 2-3 CPU s and much memory."""

import importlib
import os
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mlops_assets.errors import FeatureStoreError
from mlops_assets.records.data import FeatureView, references, stored_name
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.serving.online.lookup import (
    EntityId,
    Expired,
    FeatureValue,
    OnlineRows,
    Stored,
    collect,
)
from mlops_assets.serving.online.moments import parse, spell
from mlops_assets.serving.online.sqlite import expired, remedy

IMPORTED = (
    "feast", "feast.repo_operations", "feast.infra.passthrough_provider",
    "feast.infra.online_stores.sqlite", "feast.infra.offline_stores.duckdb",
)  # fmt: skip
"""What a lookup imports, some of it when it first reads."""

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""What Feast's Redis store gives, with nulls and as present, of an entity that it does not have."""


def open_feast(config: Mapping[str, Any]) -> Any:
    """Feast's `FeatureStore` of a RepoConfig, with moments that no process's `TZ` moves."""
    os.environ["PGTZ"] = "UTC"  # PostgreSQL takes a clock without a zone for the session's
    import_feast()
    from feast import FeatureStore, RepoConfig
    from feast.infra.online_stores import sqlite  # noqa: F401 - registers its own forms first

    sqlite3.register_adapter(datetime, spell)
    sqlite3.register_converter("timestamp", _converted)
    return FeatureStore(config=RepoConfig(**config))


def import_feast() -> None:
    """Import Feast as it is written: typeguard would write checks into 240 of its functions.

    That takes 3.0 of the 4.3 CPU seconds of the import, and nobody calls these functions but us.
    """
    if "feast" in sys.modules:
        return
    typeguard: Any = importlib.import_module("typeguard")  # of Feast's dependencies, none of ours
    checked = typeguard.typechecked
    typeguard.typechecked = _unchecked
    try:
        importlib.import_module("feast")
    finally:
        typeguard.typechecked = checked


def _unchecked(target: Any = None, **_: Any) -> Any:
    return _unchecked if target is None else target


def _converted(stored: bytes) -> datetime:
    text = stored.decode()
    return parse(int(text) if text.lstrip("-").isdigit() else text)


class FeastLookup:
    """A view of Feast's online store, opened once per worker and generation."""

    is_short = False

    def __init__(self, online: OnlineFeatures) -> None:
        """Open the store and read one row; `FeatureStoreError` now if store or view is broken."""
        self._view = online.view
        self._as_of = online.as_of
        store = online.store.get("online_store", {})
        self._sqlite = store["path"] if store.get("type") == "sqlite" else None
        self._references = references(online.view)
        try:
            self._store = open_feast(online.store)
            self._read([0 if online.view.key.dtype == "int64" else ""])
        except Exception as err:  # Feast's and each store's own exceptions have no common root
            raise FeatureStoreError(
                f"cannot read the online features of {online.view.name!r}: "
                f"{type(err).__name__}: {err}. {remedy(err, self._sqlite, online.view.name)}"
            ) from err

    def lookup(self, entities: Sequence[EntityId]) -> OnlineRows:
        """See `OnlineLookup.lookup`."""
        try:
            stored = self._stored(entities)
        except Exception as err:  # as above
            raise FeatureStoreError(
                f"the online store of {self._view.name!r} does not answer: "
                f"{type(err).__name__}: {err}"
            ) from err
        found = collect(self._view, entities, stored, self._as_of or datetime.now(UTC))
        found.knows_expired = self._sqlite is not None
        return found

    def _stored(self, entities: Sequence[EntityId]) -> dict[EntityId, Stored | Expired | None]:
        found = stored_of(self._view, entities, self._read(entities))
        missing = [entity for entity, stored in found.items() if stored is None]
        if self._sqlite is None or not missing:
            return {**found}
        return {**found, **expired(self._sqlite, self._view.key, missing)}

    def _read(self, entities: Sequence[EntityId]) -> Any:
        key = stored_name(self._view.key.name)
        return self._store.get_online_features(
            features=self._references, entity_rows=[{key: entity} for entity in entities]
        )


def stored_of(
    view: FeatureView, entities: Sequence[EntityId], answer: Any
) -> dict[EntityId, Stored | None]:
    """What a Feast answer says of each entity; None where it lacks some feature altogether."""
    from feast.protos.feast.serving.ServingService_pb2 import FieldStatus

    columns: Mapping[str, list[Any]] = answer.to_dict()
    vectors = dict(zip(answer.proto.metadata.feature_names.val, answer.proto.results, strict=True))
    names = {name: stored_name(name) for name in view.features}
    found: dict[EntityId, Stored | None] = dict.fromkeys(entities)
    for row, entity in enumerate(entities):
        # A stored null is present. What was added to the view but not materialized yet makes its
        # entities unknown: a guess in its place would be silent.
        if any(vectors[name].statuses[row] == FieldStatus.NOT_FOUND for name in names.values()):
            continue
        # Not `to_dict(include_event_timestamps=True)`, which drops the fraction of a second.
        times = [vectors[name].event_timestamps[row].ToDatetime(UTC) for name in names.values()]
        values = {name: _plain(columns[stored][row]) for name, stored in names.items()}
        if min(times) == _NEVER and set(values.values()) == {None}:
            continue
        found[entity] = Stored(min(times), values)
    return found


def _plain(value: Any) -> FeatureValue:
    if value is None or value != value:  # NaN
        return None
    return value if isinstance(value, str) else float(value)
