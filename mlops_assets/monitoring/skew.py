"""What clients were answered with against what the offline store knows of the same moments."""

from mlops_assets.config import ModelSettings
from mlops_assets.ml.monitoring.skew import compare_features, request_keys, sample_requests
from mlops_assets.monitoring.answers import served
from mlops_assets.records.data import FeatureView
from mlops_assets.records.monitoring import SkewSummary
from resources.champion.ledger import PromotionLedger
from resources.feature_store import FeastFeatureStore
from resources.prediction_log.log import PredictionLog


def skew_of_requests(
    settings: ModelSettings,
    predictions: PredictionLog,
    ledger: PromotionLedger,
    feature_store: FeastFeatureStore,
) -> SkewSummary:
    """A sample of the champion's answers in the newest window, compared feature by feature."""
    monitoring, view = settings.monitoring, FeatureView.of(settings)
    recent = predictions.recent(settings.name, monitoring.window, monitoring.window)
    live = served(recent, ledger.head(settings.name))
    if settings.timestamp is None:  # of an earlier delivery nothing is left to compare with
        live = live[live["features_as_of"] >= feature_store.oldest(view)]
    asked = sample_requests(live, monitoring.skew.sample, seed=len(live))
    keys = request_keys(asked, settings).drop_duplicates()
    rebuilt = feature_store.training_rows(view, keys) if len(keys) else keys
    return compare_features(asked, rebuilt, settings)
