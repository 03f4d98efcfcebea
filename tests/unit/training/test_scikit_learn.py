"""Every classifier and regressor of scikit-learn keeps the contract, or is refused with a reason.

docs/how-to/estimators.md lists the refused ones; this holds the list and the page together.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from sklearn.utils import all_estimators  # noqa: TID253  what there is, is the test's parameters

from mlops_assets.blocks.base import Task
from mlops_assets.errors import TrainingError
from mlops_assets.testing.estimators import check_estimator_contract

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    # Of parts that scikit-learn will take away or change: not ours to decide.
    pytest.mark.filterwarnings("ignore::FutureWarning:sklearn"),
    pytest.mark.filterwarnings("ignore:y contains no unlabeled samples"),
]
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "estimators.md"

LOGISTIC = {"estimator": "sklearn.linear_model.LogisticRegression"}
RIDGE = {"estimator": "sklearn.linear_model.Ridge"}
TREE = {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 3}}
POSITIVE = {"estimator": "sklearn.preprocessing.MinMaxScaler", "params": {"clip": True}}
FEW: dict[str, Any] = {"n_estimators": 5}
PARAMS: dict[str, dict[str, Any]] = {
    "AdaBoostClassifier": FEW,
    "AdaBoostRegressor": FEW,
    "BaggingClassifier": FEW,
    "BaggingRegressor": FEW,
    "CalibratedClassifierCV": {"estimator": LOGISTIC, "cv": 2},
    "ClassifierChain": {"estimator": LOGISTIC},
    "ExtraTreesClassifier": FEW,
    "ExtraTreesRegressor": FEW,
    "FixedThresholdClassifier": {"estimator": LOGISTIC},
    "GaussianProcessRegressor": {"alpha": 0.5, "normalize_y": True},
    "GradientBoostingClassifier": FEW,
    "GradientBoostingRegressor": FEW,
    "HistGradientBoostingClassifier": {"max_iter": 5},
    "HistGradientBoostingRegressor": {"max_iter": 5},
    "LinearSVR": {"max_iter": 100_000},
    "MLPClassifier": {"solver": "lbfgs", "max_iter": 2000, "hidden_layer_sizes": [4]},
    "MLPRegressor": {"solver": "lbfgs", "max_iter": 5000, "hidden_layer_sizes": [3]},
    "MultiOutputClassifier": {"estimator": LOGISTIC},
    "MultiOutputRegressor": {"estimator": RIDGE},
    "OneVsOneClassifier": {"estimator": LOGISTIC},
    "OneVsRestClassifier": {"estimator": LOGISTIC},
    "OutputCodeClassifier": {"estimator": LOGISTIC},
    "PLSRegression": {"n_components": 1},
    "QuadraticDiscriminantAnalysis": {"reg_param": 0.1},
    "RadiusNeighborsClassifier": {"radius": 9.0},
    "RadiusNeighborsRegressor": {"radius": 9.0},
    "RandomForestClassifier": FEW,
    "RandomForestRegressor": FEW,
    "RegressorChain": {"estimator": RIDGE},
    "SGDClassifier": {"loss": "log_loss"},
    "SelfTrainingClassifier": {"estimator": LOGISTIC},
    "StackingClassifier": {"estimators": [["one", LOGISTIC], ["two", TREE]], "cv": 2},
    "StackingRegressor": {"estimators": [["one", RIDGE]], "cv": 2},
    "TunedThresholdClassifierCV": {"estimator": LOGISTIC, "cv": 2},
    "VotingClassifier": {"estimators": [["one", LOGISTIC], ["two", TREE]], "voting": "soft"},
    "VotingRegressor": {"estimators": [["one", RIDGE]]},
}
"""What it must be given, or is given to be quick."""
BARE = "has no predict_proba"
CALIBRATED = f"{BARE}.*calibrate it: estimator: sklearn.calibration.CalibratedClassifierCV"
MANY = "cannot be fitted"
REFUSED: dict[str, str] = {
    "LinearSVC": CALIBRATED,
    "NuSVC": CALIBRATED,
    "PassiveAggressiveClassifier": CALIBRATED,
    "Perceptron": CALIBRATED,
    "RidgeClassifier": CALIBRATED,
    "RidgeClassifierCV": CALIBRATED,
    "SVC": CALIBRATED,
    "OneVsOneClassifier": BARE,
    "OutputCodeClassifier": BARE,
    "CategoricalNB": "Negative values",
    "ComplementNB": "Negative values",
    "MultinomialNB": "Negative values",
    "ClassifierChain": MANY,
    "MultiOutputClassifier": MANY,
    "CCA": MANY,
    "MultiOutputRegressor": MANY,
    "MultiTaskElasticNet": MANY,
    "MultiTaskElasticNetCV": MANY,
    "MultiTaskLasso": MANY,
    "MultiTaskLassoCV": MANY,
    "PLSCanonical": MANY,
    "RegressorChain": MANY,
    "IsotonicRegression": "2d array with 1 feature",
    "TunedThresholdClassifierCV": "types that are not loaded",
}
"""Class -> what is said of it; the page says why."""


def estimators(*, refused: bool) -> list[Any]:
    tasks: dict[str, Task] = {"classifier": "binary", "regressor": "regression"}
    return [
        pytest.param(task, f"{found.__module__}.{name}", id=name)
        for kind, task in tasks.items()
        for name, found in all_estimators(type_filter=kind)
        if (name in REFUSED) == refused
    ]


@pytest.mark.parametrize(("task", "estimator"), estimators(refused=False))
def test_it_keeps_the_contract(task: Task, estimator: str) -> None:
    check_estimator_contract(estimator, PARAMS.get(estimator.rpartition(".")[2]), task=task)


@pytest.mark.parametrize(("task", "estimator"), estimators(refused=True))
def test_it_is_refused_and_the_page_lists_it(task: Task, estimator: str) -> None:
    name = estimator.rpartition(".")[2]
    with pytest.raises(TrainingError, match=REFUSED[name]):
        check_estimator_contract(estimator, PARAMS.get(name), task=task)
    listed = PAGE.read_text(encoding="utf-8").partition("## Refused")[2]
    assert re.search(rf"`{name}`", listed)


@pytest.mark.parametrize("name", ["ComplementNB", "MultinomialNB"])
def test_what_takes_no_negative_numbers_can_be_given_others(name: str) -> None:
    bayes = {"estimator": f"sklearn.naive_bayes.{name}"}
    steps = {"steps": [["positive", POSITIVE], ["model", bayes]]}
    check_estimator_contract("sklearn.pipeline.Pipeline", steps, task="binary")
