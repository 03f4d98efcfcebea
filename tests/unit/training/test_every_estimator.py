"""What people fit on a table can be trained, stored without pickle, loaded and served."""

from typing import Any

import pytest

from mlops_assets.blocks.base import Task
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
