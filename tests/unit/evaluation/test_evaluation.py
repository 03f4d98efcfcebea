"""Metrics against answers computed by hand, and the sentences of the gate."""

import math

import numpy as np
import pandas as pd
import pytest

from mlops_assets.blocks.evaluation import METRICS, GateSettings
from mlops_assets.errors import EvaluationError
from mlops_assets.ml.evaluation.metrics import breaches
from mlops_assets.ml.evaluation.metrics import evaluate as metrics_on
from mlops_assets.ml.inference.scoring import Scored
from tests.support.toy_models import flat_table


class Table:
    """A model whose answers stand in the features."""

    def __init__(self, classes=()):
        self.classes_ = np.asarray(classes)

    def predict(self, features):
        return features["p"].to_numpy()

    def predict_proba(self, features):
        if len(self.classes_):
            return features.to_numpy()
        p = features["p"].to_numpy()
        return np.column_stack([1 - p, p])


class Regressor:
    """Its answers stand in the features."""

    def predict(self, features):
        return features["p"].to_numpy()


def evaluate(model, test, settings):
    return metrics_on(Scored.of(model, test, settings), test[settings.target.name])


def settings_of(task, columns=("p",), target="float64"):
    dtypes = {**dict.fromkeys(columns, "float64"), "y": target}
    return flat_table(dtypes, target={"task": task})


def test_binary_metrics_by_hand():
    test = pd.DataFrame({"p": [0.9, 0.6, 0.4, 0.1], "y": [1, 0, 1, 0]})
    metrics = evaluate(Table(), test, settings_of("binary"))
    assert set(metrics) == METRICS["binary"]
    assert metrics["roc_auc"] == pytest.approx(0.75)  # of 4 pairs, .4 < .6 is the wrong one
    assert metrics["log_loss"] == pytest.approx(-(math.log(0.9) + math.log(0.4)) / 2)
    assert metrics["brier"] == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    assert metrics["calibration_ratio"] == pytest.approx(1.0)
    assert metrics["accuracy"] == pytest.approx(0.5)
    assert all(type(value) is float for value in metrics.values())


def test_a_probability_of_one_half_counts_as_positive():
    test = pd.DataFrame({"p": [0.5, 0.2], "y": [1.0, 0.0]})
    metrics = evaluate(Table(), test, settings_of("binary"))
    assert metrics["accuracy"] == 1.0
    assert metrics["calibration_ratio"] == pytest.approx(0.7)


def test_multiclass_metrics_by_hand():
    test = pd.DataFrame(
        {
            "a": [0.8, 0.5, 0.3, 0.1],
            "b": [0.1, 0.4, 0.4, 0.2],
            "c": [0.1, 0.1, 0.3, 0.7],
            "y": ["a", "b", "b", "c"],
        }
    )
    settings = settings_of("multiclass", ("a", "b", "c"), target="string")
    metrics = evaluate(Table(["a", "b", "c"]), test, settings)
    assert set(metrics) == METRICS["multiclass"]
    assert metrics["accuracy"] == pytest.approx(0.75)
    # Predicted a a b c. F1: a 2/3 (precision 1/2, recall 1), b 2/3 (precision 1, recall 1/2), c 1.
    assert metrics["f1_macro"] == pytest.approx(7 / 9)
    assert metrics["log_loss"] == pytest.approx(
        -(math.log(0.8) + 2 * math.log(0.4) + math.log(0.7)) / 4
    )
    assert metrics["roc_auc"] == pytest.approx(1.0)
    assert all(type(value) is float for value in metrics.values())


def test_multiclass_auc_is_weighted_by_the_classes_present():
    test = pd.DataFrame(
        {
            "a": [0.6, 0.3, 0.5],
            "b": [0.3, 0.4, 0.45],
            "c": [0.1, 0.3, 0.05],
            "y": ["a", "a", "b"],
        }
    )
    settings = settings_of("multiclass", ("a", "b", "c"), target="string")
    metrics = evaluate(Table(["a", "b", "c"]), test, settings)
    # a: of 2 pairs .6 > .5 right, .3 < .5 wrong: 1/2; b: .45 > .3 and > .4: 1; c has no rows.
    assert metrics["roc_auc"] == pytest.approx((2 * 0.5 + 1 * 1) / 3)


def test_regression_metrics_by_hand():
    test = pd.DataFrame({"p": [1.0, 2.0, 6.0], "y": [1.0, 3.0, 5.0]})
    metrics = evaluate(Regressor(), test, settings_of("regression"))
    assert set(metrics) == METRICS["regression"]
    assert metrics["rmse"] == pytest.approx(math.sqrt(2 / 3))
    assert metrics["mae"] == pytest.approx(2 / 3)
    assert metrics["r2"] == pytest.approx(1 - 2 / 8)
    assert metrics["bias"] == pytest.approx(0.0)
    over = evaluate(Regressor(), test.assign(p=test["y"] + 2), settings_of("regression"))
    assert over["bias"] == pytest.approx(2.0)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_one_class_only_is_refused(task):
    test = pd.DataFrame({"p": [0.9, 0.6], "y": [1, 1]})
    with pytest.raises(EvaluationError, match=r"only the targets \[1\]; provide more rows"):
        evaluate(Table(), test, settings_of(task))


def test_a_single_row_is_refused():
    with pytest.raises(EvaluationError, match="the 1 test rows"):
        evaluate(Regressor(), pd.DataFrame({"p": [1.0], "y": [1.0]}), settings_of("regression"))


def test_a_class_that_training_did_not_see_is_refused():
    test = pd.DataFrame({"a": [0.6, 0.4], "b": [0.4, 0.6], "y": ["a", "z"]})
    settings = settings_of("multiclass", ("a", "b"), target="string")
    with pytest.raises(EvaluationError, match=r"classes \['z'\], which training did not see"):
        evaluate(Table(["a", "b"]), test, settings)


def test_scores_that_are_not_finite_are_refused():
    test = pd.DataFrame({"p": [1.0, math.inf], "y": [1.0, 2.0]})
    with pytest.raises(EvaluationError, match="not finite"):
        evaluate(Regressor(), test, settings_of("regression"))


def test_breaches_name_metric_value_and_bound():
    gate = GateSettings.model_validate(
        {"limits": {"roc_auc": {"min": 0.75}, "ratio": {"min": 0.5, "max": 2}, "lost": {"max": 1}}}
    )
    assert breaches({"roc_auc": 0.61234, "ratio": 2.5}, gate) == [
        "roc_auc 0.6123 is below the minimum 0.75",
        "ratio 2.5 is above the maximum 2",
        "lost is not known, but has limits",
    ]
    assert breaches({"roc_auc": 0.75, "ratio": 2.0, "lost": 1.0}, gate) == []
    assert breaches({"roc_auc": math.nan, "ratio": 1.0, "lost": 0.0}, gate) == [
        "roc_auc is not known, but has limits"
    ]


def test_a_gate_without_limits_lets_everything_through():
    assert breaches({"roc_auc": 0.1}, GateSettings()) == []
