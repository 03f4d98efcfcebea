"""Of a few estimators the simplest that is not shown to be worse is taken, with the evidence."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from mlops_assets.errors import TrainingError
from mlops_assets.ml.training.choice import candidates, choose, simplest
from mlops_assets.ml.training.fit import build_pipeline, split
from tests.support.toy_models import flat_table

pytestmark = pytest.mark.usefixtures("one_thread")


def model(task="binary", **training):
    training = {"estimator": "auto", "split": {"by": "random", "fraction": 0.3}, **training}
    columns = {"x": "float64", "z": "float64", "y": "float64"}
    return flat_table(columns, target={"task": task}, training=training)


def rows(score, task="binary", count=400):
    random = np.random.default_rng(3)
    x, z = random.normal(size=(2, count))
    value = score(x, z) + random.normal(size=count) * 0.5
    return pd.DataFrame(
        {
            "id": np.arange(count),
            "event_timestamp": pd.Timestamp("2024-01-01", tz="UTC"),
            "x": np.where(np.arange(count) % 10 == 0, np.nan, x),
            "z": z,
            "y": value if task == "regression" else (value > 0).astype(float),
        }
    )


@pytest.mark.parametrize(
    ("losses", "taken"),
    [
        # Above by 0.1 each time: shown to be worse, however small.
        ({"a": [1.25, 2.25, 3.25], "b": [1.0, 2.0, 3.0]}, "b"),
        # Above by 0.1 on average, with a standard error of 0.1155.
        ({"a": [1.3, 2.1, 2.9], "b": [1.0, 2.0, 3.0]}, "a"),
        # As good: the simpler one.
        ({"a": [1.0, 2.0], "b": [1.0, 2.0]}, "a"),
        # The simplest is the best.
        ({"a": [1.0, 2.0], "b": [3.0, 3.0]}, "a"),
        # Neither the best nor the simplest.
        ({"a": [9.0, 9.0, 9.0], "b": [1.2, 1.8, 3.1], "c": [1.0, 2.0, 3.0]}, "b"),
    ],
)
def test_the_rule_is_that_of_one_standard_error(losses, taken):
    assert simplest(losses) == taken


@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize(
    ("score", "taken"),
    [
        (lambda x, z: x - z, "linear"),
        (lambda x, z: 3 * np.sign(x * z), "boosted trees"),
        (lambda x, z: 0 * x, "usual answer"),
    ],
)
def test_it_takes_what_the_rows_are_made_by(task, score, taken):
    settings = model(task)
    train = split(rows(score, task), settings).train

    named, choice = choose(train, settings)

    assert choice.taken == taken
    assert named.training.estimator == {c.name: c.estimator for c in choice.candidates}[taken]
    assert build_pipeline(named)
    assert choice.folds == 5
    losses = {c.name: c.loss for c in choice.candidates}
    assert list(losses) == ["usual answer", "linear", "boosted trees"]
    assert min(c.excess for c in choice.candidates) == 0


def test_a_candidate_that_cannot_be_fitted_is_left_out_with_the_reason():
    settings = model()
    train = split(rows(lambda x, z: 3 * np.sign(x * z)), settings).train
    train.loc[::9, "z"] = 1e300  # too large to be scaled, as the linear model's are

    _, choice = choose(train, settings)

    assert choice.taken == "boosted trees"
    (failed,) = [c for c in choice.candidates if c.failed]
    assert (failed.name, failed.loss) == ("linear", None)
    assert "too large to be scaled" in failed.failed
    assert choose(train, settings)[1] == choice


def test_too_few_rows_to_compare_are_said():
    with pytest.raises(TrainingError, match=r"cannot be cut into two folds.*name one"):
        choose(rows(lambda x, z: x, count=1), model())


def test_a_named_estimator_is_its_own_only_candidate():
    settings = model(estimator="sklearn.linear_model.LogisticRegression")
    assert list(candidates(settings).values()) == [settings]


@pytest.mark.parametrize("given", ["params", "tune", "early_stopping"])
def test_what_belongs_to_one_estimator_is_refused_beside_auto(given):
    space = {"params": {"C": {"type": "float", "low": 1, "high": 2}}}
    values = {"params": {"C": 1}, "tune": space, "early_stopping": {"rounds": 3}}
    with pytest.raises(ValidationError, match=rf"auto takes no training\.{given}; name"):
        model(**{given: values[given]})
