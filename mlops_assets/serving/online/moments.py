"""How moments are kept online: their form in Feast's sqlite table, and how fine each store is.

Feast hands the store a UTC clock without a zone, and its sqlite store takes that for local time and
drops the fraction. Here a moment is written with its zone and to the microsecond, so it reads alike
whatever `TZ` a process has. Features are timed to the microsecond (`ml.features.build`), so only
what a store keeps more coarsely is told by `resolution`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

_MILLISECOND, _SECOND = timedelta(milliseconds=1), timedelta(seconds=1)
_COARSE = {
    "aerospike": _MILLISECOND,
    "cassandra": _MILLISECOND,
    "mongodb": _MILLISECOND,
    "scylladb": _MILLISECOND,
    "hbase": _SECOND,
    "mysql": _SECOND,
    "singlestore": _SECOND,
}
"""By Feast's name of a store: the finest moments that its column or message can hold."""


def resolution(online_store: Mapping[str, Any]) -> timedelta:
    """How fine the moments are that a store keeps; microseconds unless it is known as coarser."""
    return _COARSE.get(str(online_store.get("type")), timedelta(microseconds=1))


def spell(moment: datetime) -> str:
    """ISO 8601 in UTC, to the microsecond; one without a zone is UTC, as Feast means it."""
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return utc.isoformat(timespec="microseconds")


def parse(stored: str | int) -> datetime:
    """What `spell` wrote, or whole seconds, as Feast itself did before; else `ValueError`."""
    if isinstance(stored, int):
        # The UTC clock's reading, taken for local time: read back likewise until published anew.
        return datetime.fromtimestamp(stored).replace(tzinfo=UTC)  # noqa: DTZ006
    return datetime.fromisoformat(stored)
