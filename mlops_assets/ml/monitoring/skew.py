"""Training-serving skew: features that a live request was answered with, against their definition.

Each logged request is rebuilt point in time from the offline store at the moment it was asked, and
compared feature by feature. A difference means that serving reads something else than training
would: a stale materialization, a time zone, a TTL, a default in place of a missing value, another
encoding of a category, or another entity.
"""

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import LONGEST
from mlops_assets.config import ModelSettings
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.records.monitoring import FeatureSkew, SkewSummary

TOLERANCE = 1e-9
"""Relative: both sides are the same float64, but for a store that rounds its last digit."""


def sample_requests(predictions: pd.DataFrame, size: int, seed: int) -> pd.DataFrame:
    """At most `size` requests by entity id, chosen at random but equally for equal input."""
    online = predictions[(predictions["source"] == "online") & predictions["entity"].notna()]
    online = online.drop_duplicates(["entity", "event_time"]).reset_index(drop=True)
    return online.sample(size, random_state=seed) if len(online) > size else online


def request_keys(requests: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    """`[entity, event_timestamp]` to rebuild the features of `requests` at.

    That is when they were asked; or when the features are of, which a table may hold in advance.
    """
    entity = settings.key
    asked = requests["event_time"]
    of = requests.get("features_as_of", asked)
    moments = asked.mask(of > asked, of)
    keys = pd.DataFrame({entity.name: requests["entity"], TIMESTAMP: moments})
    dtypes = {entity.name: entity.column_dtype, TIMESTAMP: "datetime64[ns, UTC]"}
    return keys.astype(dtypes).reset_index(drop=True)


def known_as_of(
    keys: pd.DataFrame, features: pd.DataFrame, settings: ModelSettings
) -> pd.DataFrame:
    """To each of `request_keys` the newest features known then, as the feature store joins them."""
    names = [settings.key.name, TIMESTAMP, *settings.features.names]
    return pd.merge_asof(
        keys.sort_values(TIMESTAMP),
        features[names].sort_values(TIMESTAMP, kind="stable"),
        on=TIMESTAMP,
        by=settings.key.name,
        tolerance=pd.to_timedelta(settings.features.ttl or LONGEST),
    )


def compare_features(
    requests: pd.DataFrame, rebuilt: pd.DataFrame, settings: ModelSettings
) -> SkewSummary:
    """Compare the features that were served with those of the offline store, in any order."""
    if requests.empty:
        return SkewSummary(model=settings.name, rows=0)
    entity = settings.key.name
    keys = request_keys(requests, settings)
    offline = keys.merge(rebuilt, on=[entity, TIMESTAMP], how="left", validate="many_to_one")
    found = []
    for name, dtype in settings.feature_dtypes.items():
        served = requests[f"feature_{name}"].reset_index(drop=True)
        different = _different(served, offline[name], text=dtype == "string")
        if different.any():
            first = int(np.flatnonzero(different)[0])
            found.append(
                FeatureSkew(
                    feature=name,
                    rows=int(different.sum()),
                    example=f"{entity} {keys[entity].iloc[first]}: served "
                    f"{served.iloc[first]}, offline {offline[name].iloc[first]}",
                )
            )
    return SkewSummary(model=settings.name, rows=len(requests), skewed=tuple(found))


def _different(served: pd.Series, offline: pd.Series, *, text: bool) -> np.ndarray:
    missing, also_missing = served.isna().to_numpy(), offline.isna().to_numpy()
    if text:
        equal = (served.astype(object) == offline.astype(object)).to_numpy()
    else:
        left = pd.to_numeric(served, errors="coerce").to_numpy(np.float64)
        right = offline.to_numpy(np.float64)
        # A text in place of a number equals nothing, and is not missing either.
        equal = np.isclose(left, right, rtol=TOLERANCE, atol=0)
    return np.where(missing | also_missing, missing != also_missing, ~equal)
