"""The types a model file may hold besides those that skops trusts by itself.

A fixed list of ours: the list that MLflow writes beside a model comes from the model's author and
so guards nothing. What stands here is data or plain arithmetic; no entry holds or calls a function
of the file's choosing. Found with `skops.io.get_untrusted_types` on pipelines of every supported
encoder and estimator; an estimator of your own package needs its types added here, after a look at
their `__setstate__` and `__reduce__`.
"""

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
