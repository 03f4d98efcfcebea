"""What clients were answered with against what the offline store knows of the same moments.

The store holds the features of the newest run. Where those are not the champion's, they are made
again as it was trained: a version that was refused may have published what is served since.
"""

import pandas as pd

from mlops_assets.errors import FeatureError
from mlops_assets.ml.documented import TracedFile
from mlops_assets.ml.monitoring.skew import (
    compare_features,
    known_as_of,
    request_keys,
    sample_requests,
)
from mlops_assets.ml.stored_rows import frame_of
from mlops_assets.model_versions.champion.as_trained import RowsAsTrained
from mlops_assets.monitoring.answers import served
from mlops_assets.records.data import FeatureView
from mlops_assets.records.monitoring import SkewSummary
from resources.champion.ledger import PromotionLedger
from resources.feature_store import FeastFeatureStore
from resources.prediction_log.log import PredictionLog


def skew_of_requests(
    features: TracedFile,
    champion: RowsAsTrained,
    predictions: PredictionLog,
    ledger: PromotionLedger,
    feature_store: FeastFeatureStore,
) -> SkewSummary:
    """A sample of the champion's answers in the newest window, compared feature by feature."""
    settings = champion.settings
    monitoring, view = settings.monitoring, FeatureView.of(settings)
    recent = predictions.recent(settings.name, monitoring.window, monitoring.window)
    live = served(recent, ledger.head(settings.name))
    if settings.timestamp is None:  # of an earlier delivery nothing is left to compare with
        live = live[live["features_as_of"] >= feature_store.oldest(view)]
    asked = sample_requests(live, monitoring.skew.sample, seed=len(live))
    keys = request_keys(asked, settings).drop_duplicates()
    try:
        rebuilt = _rebuilt(keys, features, champion, feature_store) if len(keys) else keys
    except FeatureError as err:
        return SkewSummary(model=settings.name, rows=0, not_compared=str(err))
    return compare_features(asked, rebuilt, settings)


def _rebuilt(
    keys: pd.DataFrame,
    features: TracedFile,
    champion: RowsAsTrained,
    feature_store: FeastFeatureStore,
) -> pd.DataFrame:
    if champion.are_features(features.record):
        return feature_store.training_rows(FeatureView.of(champion.settings), keys)
    return known_as_of(keys, frame_of(champion.features(features)), champion.settings)
