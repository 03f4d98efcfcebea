"""Estimators made of others: what cannot be put together is said before any data is read."""

import re
from typing import Any

import pytest

from mlops_assets.errors import ParameterError
from mlops_assets.ml.training.estimators import build_estimator
from tests.support.toy_models import flat_table

ONE = {"estimator": "sklearn.linear_model.LogisticRegression"}
SCALER = {"estimator": "sklearn.preprocessing.StandardScaler"}
VOTING = "sklearn.ensemble.VotingClassifier"
STACKING = "sklearn.ensemble.StackingClassifier"
PIPELINE = "sklearn.pipeline.Pipeline"


def built(path: str, params: dict[str, Any]) -> Any:
    training = {
        "estimator": path,
        "params": params,
        "split": {"by": "random", "fraction": 0.3},
    }
    return build_estimator(
        flat_table({"a": "float64", "y": "float64"}, target={"task": "binary"}, training=training)
    )


@pytest.mark.parametrize(
    ("path", "params", "place", "said"),
    [
        (VOTING, {"estimators": [["a", ONE], ["a", ONE]]}, "estimators", "not unique"),
        (VOTING, {"estimators": [["a__b", ONE]]}, "estimators", "must not contain __"),
        (
            VOTING,
            {"estimators": [["a", ONE], ["b", "nope"]]},
            "estimators",
            "write {estimator: nope}",
        ),
        (VOTING, {"estimators": [["a", ONE]], "weights": [1, 2]}, "weights", "2 weights for 1"),
        (VOTING, {"estimators": []}, "estimators", "non-empty list"),
        (
            VOTING,
            {"estimators": [["a", {"estimator": "sklearn.linear_model.Ridge"}]]},
            "estimators",
            "Ridge should be a classifier; correct",
        ),
        (STACKING, {"estimators": [["final_estimator", ONE]]}, "estimators", "conflict"),
        (PIPELINE, {"steps": [["s", SCALER], ["s", ONE]]}, "steps", "not unique"),
        (PIPELINE, {"steps": [["a", ONE], ["b", ONE]]}, "steps", "should be transformers"),
        (
            "sklearn.ensemble.BaggingClassifier",
            {"estimator": {"estimator": STACKING, "params": {"estimators": [["a", "x"]]}}},
            "estimator.params.estimators",
            "'x' is a text",
        ),
    ],
)
def test_parts_that_do_not_fit_are_named(
    path: str, params: dict[str, Any], place: str, said: str
) -> None:
    soft = {"voting": "soft"} if path == VOTING else {}
    with pytest.raises(ParameterError, match=re.escape(said)) as caught:
        built(path, {**soft, **params})
    assert caught.value.name == place


@pytest.mark.parametrize(
    ("path", "params"),
    [
        (VOTING, {"voting": "soft", "estimators": [["a", ONE], ["b", "drop"]], "weights": [1, 2]}),
        (PIPELINE, {"steps": [["s", SCALER], ["p", "passthrough"], ["m", ONE]]}),
        (STACKING, {"estimators": [["a", ONE], ["b", ONE]]}),
    ],
)
def test_parts_that_fit_are_taken(path: str, params: dict[str, Any]) -> None:
    assert built(path, params).get_params(deep=False).keys() >= params.keys()
