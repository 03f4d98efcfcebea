"""Where each version of a model stands by the ledger, told on the versions in the registry.

The ledger is the truth; a tag only repeats it for who looks at MLflow.
"""

from collections.abc import Sequence

from mlops_assets.records.promotion import Promotion
from resources.tracking.tracking import MLflowTracking

PLACE = "mlops/place"
"""Tag of a version: `champion`, `previous champion`, `earlier champion` or `rolled back`; of one
that was never champion `passed the gate` or `refused by the gate`."""
_TOUCHED = 3
"""Versions whose place one move changes: the new champion and the two before."""


def places(history: Sequence[Promotion]) -> dict[int, str]:
    """Version -> its place, of all that ever were champion, those of the newest moves last.

    >>> places([])
    {}
    """
    found: dict[int, str] = {}
    for row in history:
        for version, place in found.items():
            if place == "previous champion":
                found[version] = "earlier champion"
        if row.from_version is not None:
            found.pop(row.from_version, None)
            found[row.from_version] = "rolled back" if row.is_rollback else "previous champion"
        found.pop(row.to_version, None)
        found[row.to_version] = "champion"
    return found


def tell_places(model: str, history: Sequence[Promotion], tracking: MLflowTracking) -> None:
    """Tag the versions that the newest move touched; one that was deleted is left out."""
    for number, place in list(places(history).items())[-_TOUCHED:]:
        if version := tracking.registry.version(model, number):
            tracking.registry.tag(version, {PLACE: place})
