"""Which types a model file may hold besides those that skops trusts by itself.

Every entry is data or plain arithmetic; none holds or calls a function of the file's choosing. What
skops cannot know is whether the numbers in it are sound: trees of scikit-learn and of the boosters
are read by compiled code that believes them, so a file of unknown origin may end the process that
loads it, but not run code of its choice. Its checksum is compared before it is opened.

Found with `skops.io.get_untrusted_types` on fitted pipelines of every estimator that
`tests/unit/training/test_every_estimator.py` lists, after a look at their `__setstate__` and
`__reduce__`. An estimator of a library that is not here needs no entry: it is trusted where the
YAML names it, see `own_types`.
"""

from mlops_assets.blocks.training import TrainingSettings
from mlops_assets.dotted import import_object

_SKLEARN = (
    # Column dtypes that encoders and imputers remember.
    "numpy.dtype",
    # Fitted trees: arrays of nodes.
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    # Losses; skops trusts the others.
    "sklearn._loss.loss.HalfTweedieLoss",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    # CalibratedClassifierCV: a list of fitted classifiers, and one or two numbers for each.
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    # Neighbours: arrays of points and boxes, and the distance by its name. The distance that calls
    # a function of the user's, PyFuncDistance, is not here.
    "sklearn.metrics._dist_metrics.ChebyshevDistance64",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.metrics._dist_metrics.MinkowskiDistance64",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    # MLP: the state of the optimizer, arrays.
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    # Gaussian processes: arrays, and kernels, which are parameters alone.
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.DotProduct",
    "sklearn.gaussian_process.kernels.Exponentiation",
    "sklearn.gaussian_process.kernels.ExpSineSquared",
    "sklearn.gaussian_process.kernels.Matern",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RationalQuadratic",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.gaussian_process.kernels.Sum",
    "sklearn.gaussian_process.kernels.WhiteKernel",
    # Voting and Stacking: a dict of their members.
    "sklearn.utils._bunch.Bunch",
    # OneVsRest, OneVsOne, OutputCode: the class that always is.
    "sklearn.multiclass._ConstantPredictor",
    # Searches: how the rows were cut, and that the estimator's own score was asked.
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    # Splines: knots and coefficients; and selectors: the test that is run in training alone.
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
    "scipy.interpolate._bsplines.BSpline",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
)
_XGBOOST = (
    # `__setstate__` hands the bytes to the library's own reader, as `load_model` does.
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
    "xgboost.sklearn.XGBRFClassifier",
    "xgboost.sklearn.XGBRFRegressor",
)
_LIGHTGBM = (
    "collections.OrderedDict",
    # `__setstate__` hands the model as the library's text to its reader.
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
)
_CATBOOST = (
    # `__setstate__` hands the bytes, a cbm file, to the library's reader.
    "catboost.core.CatBoostClassifier",
    "catboost.core.CatBoostRegressor",
)
TRUSTED_TYPES: tuple[str, ...] = (*_SKLEARN, *_XGBOOST, *_LIGHTGBM, *_CATBOOST)

BOOSTERS = ("catboost", "lightgbm", "xgboost")
"""Packages of the extras of the same names."""
_LISTED = ("sklearn", *BOOSTERS)


def own_types(training: TrainingSettings) -> tuple[str, ...]:
    """Names of the types that a model of these settings may hold besides `TRUSTED_TYPES`.

    They stand in the YAML, which is the user's, and never in what comes from the registry: classes
    of other packages that `training` names, and its `trusted_types`.

    Raises:
        DottedPathError: One cannot be imported.
    """
    paths = [p for p in training.named_classes if p.partition(".")[0] not in _LISTED]
    return (*dict.fromkeys(map(_type_name, paths)), *training.trusted_types)


def _type_name(path: str) -> str:
    """The name by which skops knows what a path, perhaps of another module, leads to."""
    found = import_object(path)
    return f"{found.__module__}.{found.__name__}" if isinstance(found, type) else path
