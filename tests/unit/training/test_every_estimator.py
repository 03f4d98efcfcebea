"""What people fit on a table can be trained, stored without pickle, loaded and served."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin  # noqa: TID253

from mlops_assets.blocks.base import Task
from mlops_assets.errors import EstimatorContractError
from mlops_assets.testing.estimators import check_estimator_contract

LOGISTIC = {"estimator": "sklearn.linear_model.LogisticRegression"}
TREE = {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 3}}
RIDGE = {"estimator": "sklearn.linear_model.Ridge"}
XGBOOST = {"estimator": "xgboost.XGBClassifier", "params": {"n_estimators": 3}}
POLYNOMIAL = {"estimator": "sklearn.preprocessing.PolynomialFeatures", "params": {"degree": 2}}


def boosted(path: str, **params: Any) -> list[tuple[Task, str, dict[str, Any]]]:
    return [
        ("binary", f"{path}Classifier", params),
        ("multiclass", f"{path}Classifier", params),
        ("regression", f"{path}Regressor", params),
    ]


BOOSTERS = [
    *boosted("xgboost.XGB", n_estimators=5),
    *boosted("lightgbm.LGBM", n_estimators=5, min_child_samples=5),
    *boosted("catboost.CatBoost", iterations=5),
]
NESTED: list[tuple[Task, str, dict[str, Any]]] = [
    (task, path, params)
    for task in ("binary", "multiclass")
    for path, params in [
        (
            "sklearn.ensemble.VotingClassifier",
            {"estimators": [["one", LOGISTIC], ["two", XGBOOST]], "voting": "soft"},
        ),
        (
            "sklearn.ensemble.StackingClassifier",
            {"estimators": [["one", TREE], ["two", XGBOOST]], "final_estimator": LOGISTIC, "cv": 2},
        ),
        ("sklearn.pipeline.Pipeline", {"steps": [["square", POLYNOMIAL], ["model", XGBOOST]]}),
        ("sklearn.calibration.CalibratedClassifierCV", {"estimator": XGBOOST, "cv": 2}),
        (
            "sklearn.calibration.CalibratedClassifierCV",
            {"estimator": {"estimator": "sklearn.svm.SVC"}, "cv": 2, "ensemble": False},
        ),
        ("sklearn.ensemble.BaggingClassifier", {"estimator": XGBOOST, "n_estimators": 2}),
        ("sklearn.ensemble.AdaBoostClassifier", {"estimator": TREE, "n_estimators": 3}),
    ]
] + [
    (
        "regression",
        "sklearn.ensemble.StackingRegressor",
        {"estimators": [["one", RIDGE]], "final_estimator": RIDGE, "cv": 2},
    ),
    (
        "regression",
        "sklearn.gaussian_process.GaussianProcessRegressor",
        {"kernel": {"estimator": "sklearn.gaussian_process.kernels.RBF"}, "alpha": 0.1},
    ),
]


@pytest.mark.parametrize(("task", "estimator", "params"), [*BOOSTERS, *NESTED])
def test_boosters_and_what_is_made_of_others_keep_the_contract(
    task: Task, estimator: str, params: dict[str, Any]
) -> None:
    check_estimator_contract(estimator, params, task=task)


class Remembers(ClassifierMixin, BaseEstimator):
    """An estimator of one's own that keeps a type of one's own, and says what it is told to."""

    def __init__(self, share: float = 0.5, wobbles: bool = False):
        self.share = share
        self.wobbles = wobbles

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Remembers":
        self.classes_, self.kept_ = np.unique(y), Kept(np.random.default_rng().random())
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        share = self.kept_.value if self.wobbles else self.share
        return np.tile([1 - share, share], (len(X), 1))

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Kept:
    def __init__(self, value: float):
        self.value = value


def test_an_estimator_of_ones_own_keeps_the_contract_once_its_types_are_named() -> None:
    own, kept = f"{__name__}.Remembers", f"{__name__}.Kept"
    with pytest.raises(EstimatorContractError, match=r"not loaded: \['.*\.Kept'\].*trusted_types"):
        check_estimator_contract(own, task="binary")

    found = check_estimator_contract(own, task="binary", trusted_types=[kept])
    assert found.runtime == "scikit-learn"
    assert "Remembers has no ONNX export" in found.reason

    nested = {"estimators": [["own", {"estimator": own}]], "voting": "soft"}
    voting = "sklearn.ensemble.VotingClassifier"
    check_estimator_contract(voting, nested, task="binary", trusted_types=[kept])


def test_what_breaks_the_contract_is_said() -> None:
    own, kept = f"{__name__}.Remembers", f"{__name__}.Kept"
    for params, limit, said in [
        ({"wobbles": True}, 10**6, "trained again on the same rows"),
        ({"share": float("nan")}, 10**6, "not a number"),
        ({}, 100, "more than 100"),
    ]:
        with pytest.raises(EstimatorContractError, match=said):
            check_estimator_contract(
                own, params, task="binary", max_size_bytes=limit, trusted_types=[kept]
            )
