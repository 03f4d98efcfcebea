"""Features by entity id from Feast's online store, with the checks that Feast leaves out.

Feast answers an unknown entity with nulls and enforces no TTL online; either would become a
prediction that nobody can defend. Here both are named instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from mlops_assets.errors import FeatureStoreError
from mlops_assets.records.data import FeatureView
from mlops_assets.records.serving import OnlineFeatures

EntityId = int | str


@dataclass(frozen=True)
class StaleEntity:
    """An entity whose newest features are older than the view's TTL."""

    entity: EntityId
    features_as_of: datetime
    age: timedelta


@dataclass
class OnlineRows:
    """What a lookup found; `rows` and `as_of` are parallel to the ids asked for, if all are good.

    A feature that is null for a known entity is None.
    """

    rows: list[dict[str, float | str | None]] = field(default_factory=list)
    as_of: list[datetime] = field(default_factory=list)
    unknown: list[EntityId] = field(default_factory=list)
    stale: list[StaleEntity] = field(default_factory=list)


class OnlineLookup(Protocol):
    """Anything that finds features by entity id."""

    def lookup(self, entities: Sequence[EntityId]) -> OnlineRows:
        """Find the newest features of each entity."""


class OnlineStore:
    """A view of Feast's online store, opened once per worker and generation."""

    def __init__(self, online: OnlineFeatures) -> None:
        """Open the store and read one row, so that a broken store shows now.

        Raises:
            FeatureStoreError: The store, its registry or the view cannot be read.
        """
        self._view = online.view
        self._as_of = online.as_of
        self._references = [f"{online.view.name}:{name}" for name in online.view.features]
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
        """Find the newest features of each entity.

        Raises:
            FeatureStoreError: The store does not answer.
        """
        try:
            answer = self._read(entities)
        except Exception as err:  # as above
            raise FeatureStoreError(
                f"the online store of {self._view.name!r} does not answer: "
                f"{type(err).__name__}: {err}"
            ) from err
        now = self._as_of or datetime.now(UTC)
        return collect(self._view, entities, answer, now)

    def _read(self, entities: Sequence[EntityId]) -> Any:
        key = self._view.entity.name
        return self._store.get_online_features(
            features=self._references, entity_rows=[{key: entity} for entity in entities]
        )


def unknown_rows(view: FeatureView, answer: Any) -> set[int]:
    """Find the rows of a Feast answer for which the store lacks some feature altogether.

    A null that was stored counts as present. A feature that was added to the view but not
    materialized yet makes its entities unknown: a guess in its place would be silent.
    """
    from feast.protos.feast.serving.ServingService_pb2 import FieldStatus

    names = answer.proto.metadata.feature_names.val
    return {
        row
        for name, vector in zip(names, answer.proto.results, strict=True)
        if name in view.features
        for row, status in enumerate(vector.statuses)
        if status == FieldStatus.NOT_FOUND
    }


def collect(
    view: FeatureView,
    entities: Sequence[EntityId],
    answer: Any,
    now: datetime,
) -> OnlineRows:
    """Sort a Feast answer into rows, unknown and stale entities."""
    columns: Mapping[str, list[Any]] = answer.to_dict(include_event_timestamps=True)
    unknown = unknown_rows(view, answer)
    result = OnlineRows()
    for row, entity in enumerate(entities):
        seconds = min(columns[f"{name}__ts"][row] for name in view.features)
        as_of = datetime.fromtimestamp(seconds, UTC)
        if row in unknown:
            result.unknown.append(entity)
        elif (age := now - as_of) > view.ttl:
            result.stale.append(StaleEntity(entity, as_of, age))
        else:
            result.rows.append({name: _plain(columns[name][row]) for name in view.features})
            result.as_of.append(as_of)
    return result


def _plain(value: Any) -> float | str | None:
    if value is None or value != value:  # NaN
        return None
    return value if isinstance(value, str) else float(value)
