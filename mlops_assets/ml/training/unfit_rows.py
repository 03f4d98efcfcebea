"""Rows that an estimator cannot be fitted to, named by their columns and with the remedy.

What scikit-learn says of them instead speaks of arrays ("window shape cannot be larger than input
array shape"), or of missing values where there are none.

Rows that break the contract never come here: they are in the quarantine (`ml.data.contract`).
"""

import numpy as np
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.errors import TrainingError
from mlops_assets.ml.estimators import Pipeline

MOST_COLUMNS = 1000
"""Of one encoded feature."""
_FLOAT32 = float(np.finfo(np.float32).max)
"""What scikit-learn's trees and many others reckon in."""
_SQUARED = float(np.sqrt(np.finfo(np.float64).max))


def require_finite(numeric: pd.DataFrame, settings: ModelSettings) -> None:
    """Refuse numeric features that no model can learn from, before any is fitted.

    Raises:
        TrainingError: One is infinite, or too large to be scaled: the sum of squares, of which the
            standard deviation is made, would be infinite, and each scaled value 0 or missing.
    """
    if infinite := numeric.columns[np.isinf(numeric).any()].tolist():
        raise TrainingError(
            f"the features {infinite} have infinite values; bound them by min and max in `contract`"
        )
    if settings.training.scale and (large := _beyond(numeric, _SQUARED / max(len(numeric), 1))):
        raise TrainingError(
            f"the features {large} have values too large to be scaled, e.g. "
            f"{_largest(numeric[large]):.3g}; bound them by min and max in `contract`, or set "
            "training.scale: false"
        )


def require_narrow(features: pd.DataFrame, settings: ModelSettings) -> None:
    """Refuse an encoding that makes so many columns that it is a mistake, before any is fitted.

    Raises:
        TrainingError: Some text has more than a thousand values to be made columns of.
    """
    for name, kind in settings.processing.categorical_encoding.items():
        values = features[name].nunique(dropna=False) if kind == "one_hot" else 0
        if values > MOST_COLUMNS:
            raise TrainingError(
                f"one_hot makes {values:,} columns of {name!r} over {len(features):,} training "
                f"rows, more than {MOST_COLUMNS:,}; set processing.categorical_encoding.{name} to "
                "target or ordinal, or remove the feature"
            )


def explained(
    err: Exception, pipeline: Pipeline, numeric: pd.DataFrame, settings: ModelSettings
) -> TrainingError:
    """Why the pipeline could not be fitted, by the most likely of the columns' faults."""
    estimator, said = settings.training.estimator, " ".join(str(err).split())
    missing = numeric.isna() if settings.training.impute == "none" else numeric.isna() & False
    if empty := numeric.columns[missing.all()].tolist():
        return TrainingError(
            f"{estimator} cannot be fitted: the features {empty} have no value in any of the "
            f"{len(numeric)} training rows; remove them from `features`, or set training.impute "
            f"to zero ({said})"
        )
    incomplete = numeric.columns[missing.any()].tolist()
    if incomplete and not _takes_nan(pipeline):
        return TrainingError(
            f"{estimator} takes no missing values, and the features {incomplete} have some; "
            "set training.impute to median, mean or zero"
        )
    if large := _beyond(numeric, _FLOAT32):
        return TrainingError(
            f"{estimator} cannot be fitted: the features {large} have values as large as "
            f"{_largest(numeric[large]):.3g}; bound them by min and max in `contract` ({said})"
        )
    return TrainingError(
        f"{estimator} cannot be fitted: {said} Check training.params and the features."
    )


def _beyond(numeric: pd.DataFrame, limit: float) -> list[str]:
    return numeric.columns[(numeric.abs() > limit).any()].tolist()


def _largest(numeric: pd.DataFrame) -> float:
    return float(numeric.abs().max().max())


def _takes_nan(pipeline: Pipeline) -> bool:
    from sklearn.utils import get_tags

    try:
        return get_tags(pipeline[-1]).input_tags.allow_nan
    except AttributeError:  # an estimator that is not built on scikit-learn's base says nothing
        return False
