"""How the endpoint of a version will read its features, decided before it is deployed."""

import numpy as np

from mlops_assets.config import ModelSettings
from mlops_assets.ml.file_part import Part, frames_in
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.records.data import FeatureView
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.serving.online.choice import choose_lookup
from resources.feature_store import FeastFeatureStore

COMPARED = 100
"""Entities of each kind of which a direct lookup must find what Feast finds."""


def online_features(
    rows: Part, settings: ModelSettings, feature_store: FeastFeatureStore
) -> OnlineFeatures:
    """How workers read features, compared once with Feast, and what they measure age against.

    Without an entity they read none.
    """
    view = FeatureView.of(settings)
    newest = rows[TIMESTAMP].max().to_pydatetime()
    as_of = newest if settings.features.clock == "data" else None
    if view.entity is None:
        said = "the model has no entity"
        return OnlineFeatures(store={}, view=view, as_of=as_of, lookup="none", lookup_reason=said)
    online = OnlineFeatures(store=feature_store.serving_config(view), view=view, as_of=as_of)
    return choose_lookup(online, entities_to_compare(rows, view))


def entities_to_compare(rows: Part, view: FeatureView) -> list[int | str]:
    """The newest entities, the newest with a feature that is missing, and some of all times."""
    parts = frames_in(rows[list(view.features)])
    gaps = np.concatenate([frame.isna().to_numpy().any(axis=1) for frame in parts])
    missing = np.flatnonzero(gaps)[-COMPARED:]
    newest = np.arange(max(len(rows) - COMPARED, 0), len(rows))
    some = np.arange(0, len(rows), len(rows) // COMPARED + 1)
    places = np.concatenate([newest, missing, some])
    return rows.take(places)[view.key.name].drop_duplicates().tolist()
