"""Entities that cannot be answered: what each is told, and when the whole request is refused.

One that has no fresh features does not refuse the others. A request of which none can be answered
is an error by its status too, so that a client that looks at nothing else notices.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from mlops_assets.serving.online.lookup import EntityId, OnlineRows, StaleEntity
from mlops_assets.serving.wire.http import RequestError

UNKNOWN = "unknown_entity"
STALE = "stale_features"

Refusal = dict[str, Any]
_LONGEST = 1000


def refusals(found: OnlineRows) -> dict[EntityId, Refusal]:
    """The `error` of each entity that cannot be answered."""
    unknown = {entity: _unknown(entity, found) for entity in found.unknown}
    return unknown | {item.entity: _stale(item) for item in found.stale}


def require_some_answered(entities: Sequence[EntityId], refused: dict[EntityId, Refusal]) -> None:
    """Refuse a request whose entities all are refused.

    Raises:
        RequestError: 404 if one of them is unknown, 409 if all are stale; `details` has them all.
    """
    if not refused or any(entity not in refused for entity in entities):
        return
    details = [{"entity": _shown(entity), **error} for entity, error in refused.items()]
    status = 404 if any(error["code"] == UNKNOWN for error in refused.values()) else 409
    code = UNKNOWN if status == 404 else STALE
    message = "; ".join(error["message"] for error in list(refused.values())[:10])
    raise RequestError(status, code, message, details=details)


def _shown(entity: EntityId) -> EntityId:
    """An id as it was sent; of one that is longer than any of ours, its beginning."""
    whole = not isinstance(entity, str) or len(entity) <= _LONGEST
    return entity if whole else f"{entity[:_LONGEST]}..."


def _unknown(entity: EntityId, found: OnlineRows) -> Refusal:
    message = f"no features of {entity!r:.100} are known here; correct it, or ask for another"
    if not found.knows_expired:
        message += " (what is older than `features.ttl` is not published)"
    return {"code": UNKNOWN, "message": message}


def _stale(item: StaleEntity) -> Refusal:
    return {
        "code": STALE,
        "message": f"the features of {item.entity!r:.100} are {_said(item.age)} old, older than "
        f"their ttl of {_said(item.ttl)}; materialize newer ones, or set a longer `features.ttl`",
        "features_as_of": iso(item.features_as_of),
        "age_seconds": item.age.total_seconds(),
    }


def _said(length: timedelta) -> str:
    return str(length - timedelta(microseconds=length.microseconds))


@lru_cache(maxsize=1024)  # the entities of a request mostly share one
def iso(moment: datetime) -> str:
    """A time in UTC as the API writes it."""
    return moment.isoformat().replace("+00:00", "Z")


def nulls(rows: Mapping[int, Mapping[str, object]], asked_by: str) -> list[dict[str, Any]]:
    """Of refused rows by their places in `rows` or `entities`: each null feature, and in which."""
    found: dict[str, list[int]] = defaultdict(list)
    for place, row in rows.items():
        for name, value in row.items():
            if value is None:
                found[name].append(place)
    return [
        {"field": name, "message": f"is null in {_listed(places, asked_by)}"}
        for name, places in sorted(found.items())
    ]


def _listed(places: Sequence[int], asked_by: str) -> str:
    """E.g. `rows[3]`, or of many the first, as a program counts: `rows[0], rows[4] and 12 more`."""
    first, more = ", ".join(f"{asked_by}[{at}]" for at in places[:_NAMED]), len(places) - _NAMED
    return f"{first}{f' and {more} more' if more > 0 else ''}"


_NAMED = 3
