"""Which lookup workers use: the table itself where it says what Feast says, else Feast's SDK.

It is chosen once, when a version is deployed; the manifest holds the choice and the reason, and a
worker that cannot follow it does not serve that manifest.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from mlops_assets.errors import FeatureStoreError
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.serving.online.feast import FeastLookup
from mlops_assets.serving.online.lookup import EntityId, NoLookup, OnlineLookup, OnlineRows
from mlops_assets.serving.online.secrets import opened
from mlops_assets.serving.online.sqlite import SqliteLookup, why_not_direct

_NEVER_STALE = timedelta(days=1_000_000)
_NOBODY: dict[str, EntityId] = {"int64": -(2**63), "string": "\N{REPLACEMENT CHARACTER}nobody"}


def open_online(online: OnlineFeatures) -> OnlineLookup:
    """Open the lookup that was chosen; `FeatureStoreError` if it cannot be."""
    if online.lookup == "none":
        return NoLookup()
    online = opened(online)
    return SqliteLookup(online) if online.lookup == "direct" else FeastLookup(online)


def choose_lookup(online: OnlineFeatures, sample: Sequence[EntityId]) -> OnlineFeatures:
    """Record the direct lookup if it finds of `sample` what Feast's SDK finds, else the SDK.

    Raises:
        FeatureStoreError: Not even the SDK can read the store.
    """
    if reason := why_not_direct(online) or _compare(opened(online), sample):
        return online.model_copy(update={"lookup": "feast", "lookup_reason": reason})
    reason = f"equal to Feast's SDK for {len(sample)} entities"
    return online.model_copy(update={"lookup": "direct", "lookup_reason": reason})


def _compare(online: OnlineFeatures, sample: Sequence[EntityId]) -> str | None:
    # Of stale entities the values are compared too, and all at one moment.
    view = online.view.model_copy(update={"ttl": _NEVER_STALE})
    as_of = online.as_of or datetime.now(UTC)
    compared = online.model_copy(update={"view": view, "as_of": as_of})
    sdk = FeastLookup(compared)
    if not sdk.lookup(sample).rows:
        return f"none of the {len(sample)} entities to compare is stored"
    try:
        direct = SqliteLookup(compared)
    except FeatureStoreError as err:
        return str(err)
    return difference(sdk, direct, [*sample, _NOBODY[view.key.dtype]])


def difference(sdk: OnlineLookup, direct: SqliteLookup, entities: Sequence[EntityId]) -> str | None:
    """What the table says otherwise than the SDK, which must answer; None if nothing."""
    for entity in entities:
        expected = sdk.lookup([entity])
        try:
            found = direct.lookup([entity])
        except FeatureStoreError as err:
            return str(err)
        # Of several times the SDK takes the one that it reads last, e.g. of a feature that is no
        # longer published; the table's oldest is the one to go by.
        if direct.has_several_times(entity):
            found.as_of = expected.as_of
        if found != expected:
            return f"of {entity!r} Feast's SDK says {_said(expected)}, the table {_said(found)}"
    return None


def _said(found: OnlineRows) -> str:
    if not found.rows:
        return "nothing"
    return f"{found.rows[0]} as of {found.as_of[0].isoformat()}"
