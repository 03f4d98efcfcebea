"""A booster stops where more rounds make it worse on rows that it does not see."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.blocks.base import Task
from mlops_assets.errors import TrainingError
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.training.early_stopping import Judged, best_rounds, later_part, rounds_of
from mlops_assets.ml.training.fit import build_pipeline, fit, split
from mlops_assets.testing.estimators import contract_rows, contract_settings

pytestmark = pytest.mark.usefixtures("one_thread")

HIST = "sklearn.ensemble.HistGradientBoosting"
STOP = {"early_stopping": {"fraction": 0.25, "rounds": 5}}
MOST = 150


@pytest.mark.parametrize(
    ("task", "estimator", "name"),
    [
        (task, f"{library}{kind}", name)
        for library, name in [
            ("xgboost.XGB", "n_estimators"),
            ("lightgbm.LGBM", "n_estimators"),
            ("catboost.CatBoost", "iterations"),
            (HIST, "max_iter"),
        ]
        for task, kind in [
            ("binary", "Classifier"),
            ("multiclass", "Classifier"),
            ("regression", "Regressor"),
        ]
    ],
)
def test_a_booster_has_as_many_rounds_as_are_of_use(task: Task, estimator: str, name: str) -> None:
    settings = contract_settings(estimator, {name: MOST, "learning_rate": 0.3}, task, **STOP)
    train = split(contract_rows(task), settings).train

    fitted = fit(train, settings)

    assert 1 <= rounds_of(fitted) < MOST
    again = fit(train.sample(frac=1, random_state=1).sort_values([TIMESTAMP]), settings)
    assert rounds_of(again) == rounds_of(fitted)
    # A plain model of all rows with that number.
    params = {name: rounds_of(fitted), "learning_rate": 0.3}
    if estimator.startswith(HIST):
        params["early_stopping"] = False
    plain = fit(train, contract_settings(estimator, params, task))
    answers = [each.predict(train[list(settings.features.names)]) for each in (fitted, plain)]
    assert np.array_equal(*answers)


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        ("xgboost.XGBClassifier", "n_estimators"),
        ("lightgbm.LGBMClassifier", "n_estimators"),
        ("catboost.CatBoostClassifier", "iterations"),
        (f"{HIST}Classifier", "max_iter"),
    ],
)
def test_rows_that_count_nothing_do_not_judge(estimator: str, name: str) -> None:
    """Rows whose classes are exchanged make each round worse, unless they count nothing."""
    x = np.random.default_rng(0).normal(size=(200, 1))
    target, wrong = (x[:, 0] > 0).astype(int), np.arange(200) % 3 > 0
    judged = np.where(wrong, 1 - target, target)
    settings = contract_settings(estimator, {name: 30}, "binary", **STOP)
    wanted = settings.training.early_stopping
    assert wanted is not None
    plain, weighted = (
        best_rounds(
            build_pipeline(settings)[-1], Judged(x, target, None, x, judged, weights), wanted
        )
        for weights in (None, np.where(wrong, 1e-6, 1.0))
    )
    assert plain < 3 < 10 < weighted


def test_the_rows_to_judge_by_are_the_latest_and_no_label_window_reaches_into_them() -> None:
    settings = contract_settings(f"{HIST}Classifier", {}, "binary")
    moments = pd.date_range("2024-01-01", periods=8, tz="UTC")
    rows = pd.DataFrame({TIMESTAMP: moments, "n": range(8)})

    fitted, judged = later_part(rows, settings, 0.25)
    assert (fitted["n"].tolist(), judged["n"].tolist()) == ([0, 1, 2, 3, 4, 5], [6, 7])

    target = settings.target.model_copy(update={"window": pd.Timedelta(days=2)})
    windowed = settings.model_copy(update={"target": target})
    assert later_part(rows, windowed, 0.25).train["n"].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(TrainingError, match=r"0 are left to fit.*early_stopping\.fraction"):
        later_part(rows.tail(2), settings, 0.9)


def test_what_has_no_rounds_is_refused_before_it_trains() -> None:
    for estimator in ("sklearn.linear_model.LogisticRegression", "sklearn.svm.NuSVR"):
        task: Task = "binary" if "Logistic" in estimator else "regression"
        with pytest.raises(TrainingError, match="cannot be stopped early; remove"):
            build_pipeline(contract_settings(estimator, {}, task, **STOP))
