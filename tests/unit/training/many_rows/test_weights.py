"""What counts for more in the training moves the model, and what cannot be weighted is refused."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from mlops_assets.errors import FeatureError, TrainingError
from mlops_assets.ml.features.build import build_labels
from mlops_assets.ml.training.fit import build_pipeline, fit, split
from mlops_assets.ml.training.weights import row_weights
from mlops_assets.testing.estimators import contract_rows, contract_settings
from tests.support.toy_models import event_log, flat_table

pytestmark = pytest.mark.usefixtures("one_thread")

LOGISTIC = "sklearn.linear_model.LogisticRegression"
VOTING = {"voting": "soft", "estimators": [["one", {"estimator": LOGISTIC}]]}
STEPS = {"steps": [["model", {"estimator": LOGISTIC}]]}


def model(**training: Any):
    columns = {"x": "float64", "counts": "float64", "note": "string", "y": "float64"}
    return flat_table(
        columns,
        features=("x",),
        training={"estimator": LOGISTIC, "split": {"by": "random", "fraction": 0.3}, **training},
    )


def table(rows: int = 200) -> pd.DataFrame:
    random = np.random.default_rng(0)
    x = random.normal(size=rows)
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "at": pd.Timestamp("2024-01-01", tz="UTC"),
            "x": x,
            "counts": np.where(x > 0, 3.0, 1.0),
            "y": (x + random.normal(size=rows) > 1.5).astype(float),
        }
    ).rename(columns={"at": "event_timestamp"})


def mean_score(settings: Any) -> float:
    train, test = split(table(), settings)
    return float(fit(train, settings).predict_proba(test[["x"]])[:, 1].mean())


def test_weights_are_what_is_computed_by_hand() -> None:
    target = np.array([0, 0, 0, 1])
    train = pd.DataFrame({"counts": [1.0, 2.0, 3.0, 0.0]})

    assert row_weights(train, target, model()) is None
    balanced = row_weights(train, target, model(class_weight="balanced"))
    assert balanced == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2])
    given = row_weights(train, target, model(class_weight={"0": 1, "1": 5}))
    assert given == pytest.approx([0.5, 0.5, 0.5, 2.5])
    assert row_weights(train, target, model(weight="counts")) == pytest.approx([2 / 3, 4 / 3, 2, 0])
    train["counts"] = [1.0, 1.0, 1.0, 3.0]
    both = row_weights(train, target, model(weight="counts", class_weight={"0": 1, "1": 2}))
    assert both == pytest.approx([4 / 9, 4 / 9, 4 / 9, 24 / 9])


@pytest.mark.parametrize(
    ("estimator", "params"),
    [
        (LOGISTIC, {}),
        ("sklearn.pipeline.Pipeline", STEPS),
        ("sklearn.ensemble.VotingClassifier", VOTING),
        ("xgboost.XGBClassifier", {"n_estimators": 3}),
        ("lightgbm.LGBMClassifier", {"n_estimators": 3}),
        ("catboost.CatBoostClassifier", {"iterations": 3}),
    ],
)
def test_a_rare_class_that_counts_as_much_as_the_other_is_expected_more_often(
    estimator: str, params: dict[str, Any]
) -> None:
    plain = mean_score(model(estimator=estimator, params=params))
    balanced = mean_score(model(estimator=estimator, params=params, class_weight="balanced"))
    assert plain < 0.35 < balanced


def test_a_row_that_counts_three_times_is_as_three_rows() -> None:
    settings = model(weight="counts")
    train = split(table(), settings).train
    repeated = train.loc[train.index.repeat(train["counts"].astype(int))].reset_index(drop=True)

    # Of the mean weight 1, the penalty weighs as it does of so many rows as there are.
    scale = {"params": {"C": 1e9}}
    once = fit(train, model(weight="counts", **scale))[-1].coef_
    assert once == pytest.approx(fit(repeated, model(**scale))[-1].coef_, rel=1e-3)


@pytest.mark.parametrize(
    ("values", "said"),
    [([1.0, -1.0], "is -1"), ([1.0, np.nan], "is nan"), ([0.0, 0.0], "every weight")],
)
def test_a_weight_that_is_none_is_said(values: list[float], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        row_weights(pd.DataFrame({"counts": values}), np.array([0, 1]), model(weight="counts"))


@pytest.mark.parametrize("given", [{"yes": 1, "no": 2}, {"1": 5}, {"0": 1, "1": 2, "2": 3}])
def test_classes_that_no_binary_target_has_are_refused_at_load(given: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="classes of a binary target are 0 and 1"):
        model(class_weight=given)


def test_a_class_without_a_weight_is_said() -> None:
    settings = contract_settings(
        "sklearn.tree.DecisionTreeClassifier", {}, "multiclass", class_weight={"low": 1, "mid": 2}
    )
    rows = pd.DataFrame(index=range(3))
    with pytest.raises(TrainingError, match=r"gives \['low', 'mid'\].*\['high', 'low', 'mid'\]"):
        row_weights(rows, np.array(["low", "mid", "high"]), settings)


def test_a_booster_whose_classes_are_numbered_for_it_is_weighted_too() -> None:
    weights = {"high": 1, "low": 1, "mid": 50}
    params = {"n_estimators": 3}
    plain, weighted = (
        contract_settings("xgboost.XGBClassifier", params, "multiclass", class_weight=given)
        for given in (None, weights)
    )
    train = split(contract_rows("multiclass"), plain).train
    features = train[list(plain.features.names)]
    found = [fit(train, each).predict_proba(features)[:, 2].mean() for each in (plain, weighted)]
    assert found[0] < 0.4 < found[1]


def test_what_takes_no_weights_is_refused_before_it_trains() -> None:
    neighbours = "sklearn.neighbors.KNeighborsClassifier"
    with pytest.raises(TrainingError, match=r"takes no weights; remove training\.class_weight"):
        build_pipeline(model(estimator=neighbours, class_weight="balanced"))


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"weight": "x"}, "also a feature"),
        ({"weight": "y"}, "also a feature or the target"),
        ({"weight": "note"}, "is no number but string"),
        ({"weight": "count"}, "did you mean 'counts'"),
        ({"class_weight": {"0": 0}}, "greater than 0"),
    ],
)
def test_a_weight_that_does_not_fit_is_refused_at_load(training: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        model(**training)


def test_an_event_log_and_a_regression_have_none() -> None:
    split_by = {"split": {"by": "time", "test": "10 days"}}
    with pytest.raises(ValidationError, match="an event log has no column"):
        event_log(training={"weight": "amount", **split_by})
    with pytest.raises(ValidationError, match="has no classes"):
        flat_table(
            {"x": "float64", "y": "float64"},
            target={"task": "regression"},
            training={"class_weight": "balanced", "split": {"by": "random", "fraction": 0.2}},
        )


def test_the_weight_comes_with_the_label_of_its_row() -> None:
    rows = table(6).rename(columns={"event_timestamp": "at"})
    labels = build_labels(rows, rows, model(weight="counts"))
    assert labels["counts"].tolist() == rows["counts"].tolist()
    with pytest.raises(FeatureError, match="counts"):
        build_labels(rows.drop(columns="counts"), rows, model(weight="counts"))
