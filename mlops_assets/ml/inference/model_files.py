"""Model files in the skops format: which types they may hold, and how they are loaded.

The allow-list is fixed and ours: the list that MLflow writes beside a model comes from the model's
author and so guards nothing. What stands here is data or plain arithmetic; no entry holds or calls
a function of the file's choosing. Found with `skops.io.get_untrusted_types` on pipelines of every
supported encoder and estimator; an estimator of your own package needs its types added here, after
a look at their `__setstate__` and `__reduce__`.
"""

from mlops_assets.errors import UnsafeModelError
from mlops_assets.ml.estimators import Pipeline

TRUSTED_TYPES: tuple[str, ...] = (
    # Column dtypes that encoders and imputers remember.
    "numpy.dtype",
    # Fitted trees: arrays of nodes.
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    # The default loss of TweedieRegressor; skops trusts the other losses.
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    # CalibratedClassifierCV: a list of fitted classifiers, and two numbers for each.
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
)
"""Besides those that skops trusts by itself."""


def untrusted_types(content: bytes) -> list[str]:
    """Names of the types in a skops file that are not on the allow-list; nothing is loaded.

    Raises:
        UnsafeModelError: It is not a skops file.
    """
    import skops.io  # 9 CPU s with scikit-learn

    try:
        found = skops.io.get_untrusted_types(data=content)
    except Exception as err:  # a damaged archive fails in many ways: zip, JSON, missing keys, numpy
        raise _damaged(err) from err
    return sorted(set(found) - set(TRUSTED_TYPES))


def load_estimator(content: bytes) -> Pipeline:
    """Load a skops file if every type in it is on the allow-list.

    Raises:
        UnsafeModelError: Some type is not, or it is not a skops file.
    """
    import skops.io

    if unknown := untrusted_types(content):
        raise UnsafeModelError(
            f"the model file holds types outside the allow-list and was not loaded: {unknown}; use "
            "another estimator, or review the types and add them to "
            "mlops_assets/ml/inference/model_files.py"
        )
    try:
        return skops.io.loads(content, trusted=list(TRUSTED_TYPES))
    except Exception as err:  # as above
        raise _damaged(err) from err


def _damaged(err: Exception) -> UnsafeModelError:
    return UnsafeModelError(
        f"the model file is damaged or no skops file: {type(err).__name__}: {err}; "
        "train and register the model again"
    )
