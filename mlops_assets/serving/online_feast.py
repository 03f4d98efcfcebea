"""The lookup of any online store, by Feast's SDK; it costs a process 6-10 CPU s and much memory."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mlops_assets.errors import FeatureStoreError
from mlops_assets.records.data import FeatureView, references, stored_name
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.serving.online import EntityId, FeatureValue, OnlineRows, Stored, collect


class FeastLookup:
    """A view of Feast's online store, opened once per worker and generation."""

    is_short = False

    def __init__(self, online: OnlineFeatures) -> None:
        """Open the store and read one row, so that a broken store shows now.

        Raises:
            FeatureStoreError: The store, its registry or the view cannot be read.
        """
        self._view = online.view
        self._as_of = online.as_of
        self._references = references(online.view)
        try:
            from feast import FeatureStore, RepoConfig  # 6-10 CPU s

            self._store = FeatureStore(config=RepoConfig(**online.store))
            self._read([0 if online.view.entity.dtype == "int64" else ""])
        except Exception as err:  # Feast's and each store's own exceptions have no common root
            raise FeatureStoreError(
                f"cannot read the online features of {online.view.name!r}: "
                f"{type(err).__name__}: {err}. Materialize the features again."
            ) from err

    def lookup(self, entities: Sequence[EntityId]) -> OnlineRows:
        """See `OnlineLookup.lookup`."""
        try:
            answer = self._read(entities)
        except Exception as err:  # as above
            raise FeatureStoreError(
                f"the online store of {self._view.name!r} does not answer: "
                f"{type(err).__name__}: {err}"
            ) from err
        now = self._as_of or datetime.now(UTC)
        return collect(self._view, entities, stored_of(self._view, entities, answer), now)

    def _read(self, entities: Sequence[EntityId]) -> Any:
        key = stored_name(self._view.entity.name)
        return self._store.get_online_features(
            features=self._references, entity_rows=[{key: entity} for entity in entities]
        )


def stored_of(
    view: FeatureView, entities: Sequence[EntityId], answer: Any
) -> dict[EntityId, Stored | None]:
    """What a Feast answer says of each entity."""
    columns: Mapping[str, list[Any]] = answer.to_dict(include_event_timestamps=True)
    stored: dict[EntityId, Stored | None] = dict.fromkeys(entities)
    unknown = unknown_rows(view, answer)
    for row, entity in enumerate(entities):
        if row in unknown:
            continue
        seconds = min(columns[f"{stored_name(name)}__ts"][row] for name in view.features)
        values = {name: _plain(columns[stored_name(name)][row]) for name in view.features}
        stored[entity] = Stored(datetime.fromtimestamp(seconds, UTC), values)
    return stored


def unknown_rows(view: FeatureView, answer: Any) -> set[int]:
    """Find the rows of a Feast answer for which the store lacks some feature altogether.

    A null that was stored counts as present. A feature that was added to the view but not
    materialized yet makes its entities unknown: a guess in its place would be silent.
    """
    from feast.protos.feast.serving.ServingService_pb2 import FieldStatus

    names, ours = answer.proto.metadata.feature_names.val, {*map(stored_name, view.features)}
    return {
        row
        for name, vector in zip(names, answer.proto.results, strict=True)
        if name in ours
        for row, status in enumerate(vector.statuses)
        if status == FieldStatus.NOT_FOUND
    }


def _plain(value: Any) -> FeatureValue:
    if value is None or value != value:  # NaN
        return None
    return value if isinstance(value, str) else float(value)
