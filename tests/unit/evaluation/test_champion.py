"""A champion trained under other settings: compared while it can score the rows, else said why."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.errors import NotComparableError
from mlops_assets.ml.evaluation.champion import compare_models
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.ml.training.fit import fit
from tests.support.toy_models import flat_table


def settings_of(*features, task="binary", slices=()):
    dtypes = {**dict.fromkeys(features, "float64"), "y": "float64"}
    estimator = "Ridge" if task == "regression" else "LogisticRegression"
    settings = flat_table(
        dtypes,
        target={"task": task},
        training={
            "estimator": f"sklearn.linear_model.{estimator}",
            "split": {"by": "random", "fraction": 0.3},
        },
    )
    evaluation = settings.evaluation.model_copy(update={"slices": slices, "min_slice_rows": 20})
    return settings.model_copy(update={"evaluation": evaluation})


@pytest.fixture
def rows():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(200, 2)), columns=["a", "b"])
    y = (frame["a"] + frame["b"] + rng.normal(size=200) > 0).astype(float)
    return frame.assign(y=y, id=np.arange(200))


def test_a_challenger_with_one_feature_more_is_compared(rows):
    old, new = settings_of("b"), settings_of("a", "b", slices=("a",))
    comparison = compare_models(fit(rows, old), Scored.of(fit(rows, new), rows, new), rows, new)
    assert comparison.passed
    assert comparison.overall.upper < 0
    assert comparison.overall.clusters == 200
    assert len(comparison.slices) == 4


def test_a_feature_that_is_gone_is_named(rows):
    old, new = settings_of("a", "b"), settings_of("b")
    with pytest.raises(NotComparableError, match=r"features that are gone: \['a'\]"):
        compare_models(fit(rows, old), Scored.of(fit(rows, new), rows, new), rows, new)


def test_other_classes_are_named(rows):
    new = settings_of("a", "b")
    old = fit(rows.assign(y=rows["y"] + 1), settings_of("a", "b", task="multiclass"))
    with pytest.raises(NotComparableError, match=r"predicts the classes \[1, 2\], not 0 and 1"):
        compare_models(old, Scored.of(fit(rows, new), rows, new), rows, new)


def test_a_class_that_the_champion_never_saw_is_named(rows):
    new = settings_of("a", "b", task="multiclass")
    later = rows.assign(y=rows["y"].where(rows["a"] < 1, 7))
    with pytest.raises(NotComparableError, match=r"does not know the classes \[7\]"):
        compare_models(fit(rows, new), Scored.of(fit(later, new), later, new), later, new)


def test_a_model_of_another_task_cannot_score(rows):
    new = settings_of("a", "b")
    old = fit(rows, settings_of("a", "b", task="regression"))
    with pytest.raises(NotComparableError, match=r"rows of today: .*predict_proba"):
        compare_models(old, Scored.of(fit(rows, new), rows, new), rows, new)


def test_missing_values_that_the_champion_refuses_are_said(rows):
    class Refuses:
        feature_names_in_ = ("a", "b")
        classes_ = (0, 1)

        def predict_proba(self, features):
            raise ValueError("Input contains NaN")

    new = settings_of("a", "b")
    with pytest.raises(NotComparableError, match=r"rows of today: Refuses cannot .*Input contains"):
        compare_models(Refuses(), Scored.of(fit(rows, new), rows, new), rows, new)
