"""Features by entity id: what any lookup answers, with the checks that Feast leaves out.

Feast answers an unknown entity with nulls and enforces no TTL online; either would become a
prediction that nobody can defend. Here both are named instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from mlops_assets.records.data import FeatureView

EntityId = int | str
FeatureValue = float | str | None


@dataclass(frozen=True)
class StaleEntity:
    """An entity whose newest features are older than the view's TTL."""

    entity: EntityId
    features_as_of: datetime
    age: timedelta
    ttl: timedelta


@dataclass
class OnlineRows:
    """What a lookup found; `rows` and `as_of` are parallel to the ids asked for that are good.

    A feature that is null for a known entity is None.
    """

    rows: list[dict[str, FeatureValue]] = field(default_factory=list)
    as_of: list[datetime] = field(default_factory=list)
    unknown: list[EntityId] = field(default_factory=list)
    stale: list[StaleEntity] = field(default_factory=list)
    knows_expired: bool = True
    """False: the store lacks what had expired when it was published, so that it is unknown."""


class OnlineLookup(Protocol):
    """Anything that finds features by entity id."""

    @property
    def is_short(self) -> bool:
        """Whether a lookup never waits, so that it may run on an event loop."""
        ...

    def lookup(self, entities: Sequence[EntityId]) -> OnlineRows:
        """The newest features of each entity, for any thread; else `FeatureStoreError`."""
        ...


class NoLookup:
    """Of a model without an entity: nobody is known."""

    is_short = True

    def lookup(self, entities: Sequence[EntityId]) -> OnlineRows:
        """See `OnlineLookup.lookup`."""
        return OnlineRows(unknown=list(entities))


class Stored(NamedTuple):
    """What a store holds of an entity."""

    as_of: datetime
    """Time of its oldest feature, in UTC."""
    features: dict[str, FeatureValue]


class Expired(NamedTuple):
    """What a store holds of an entity whose features had expired before they were published."""

    as_of: datetime
    """Time of its newest features, in UTC."""


def collect(
    view: FeatureView,
    entities: Sequence[EntityId],
    stored: Mapping[EntityId, Stored | Expired | None],
    now: datetime,
) -> OnlineRows:
    """Sort what a store holds of `entities` into rows, unknown and stale entities."""
    result, ttl = OnlineRows(), view.ttl
    for entity in entities:
        known = stored[entity]
        if known is None:
            result.unknown.append(entity)
        elif (age := now - known.as_of) > ttl or isinstance(known, Expired):
            result.stale.append(StaleEntity(entity, known.as_of, age, ttl))
        else:
            result.rows.append(known.features)
            result.as_of.append(known.as_of)
    return result
