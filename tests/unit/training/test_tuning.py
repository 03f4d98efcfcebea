"""The search finds what was planted, keeps its budget, and gives the same answer again."""

import sys
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from mlops_assets.blocks.training import SearchSpace, TuneSettings
from mlops_assets.config import ModelSettings
from mlops_assets.errors import TrainingError
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.training.tuning import Tuning, tune, validation_folds
from tests.support.toy_models import event_log, flat_table

RIDGE = "sklearn.linear_model.Ridge"
ALPHA = {"alpha": {"type": "float", "low": 1e-3, "high": 1e6, "log": True}}


def model(tuned: dict[str, Any] | None = None, **training: Any) -> ModelSettings:
    """Ridge regression of y on x; the best alpha is small, and the largest predicts the mean."""
    tune = {"params": ALPHA, "metric": "loss", "trials": 12, **(tuned or {})}
    split = {"by": "time", "test": "10 days"}
    return flat_table(
        {"x": "float64", "y": "float64"},
        target={"task": "regression"},
        training={"estimator": RIDGE, "split": split, "tune": tune, **training},
    )


def rows(count: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=count)
    times = pd.date_range("2024-01-01", periods=count, freq="D", tz="UTC")
    y = 3 * x + rng.normal(scale=0.1, size=count)
    return pd.DataFrame({"id": range(count), TIMESTAMP: times, "x": x, "y": y})


def search(settings: ModelSettings, seen: list[Any] | None = None) -> Tuning:
    wanted = settings.training.tune
    assert wanted is not None
    seen = [] if seen is None else seen
    return tune(rows(), settings, wanted, lambda *told: seen.append(told))


def test_a_planted_optimum_is_found() -> None:
    found = search(model())
    assert found.metric == "rmse"
    assert found.best.params["alpha"] < 3  # below it the noise, 0.1, is all that is left
    assert found.best.value == pytest.approx(0.1, abs=0.03)
    assert found.best.value == min(t.value for t in found.trials if t.value is not None)


def test_every_trial_is_told_with_the_best_so_far() -> None:
    told: list[Any] = []
    found = search(model(), told)
    assert [trial.number for trial, _ in told] == list(range(12))
    assert told[-1][1] == found.best
    assert any(trial != best for trial, best in told)


def test_a_seed_is_a_search() -> None:
    first, again, other = search(model()), search(model()), search(model(seed=1))
    assert first == again
    assert first.trials[0].params != other.trials[0].params


def test_a_higher_metric_is_better_where_it_is() -> None:
    settings = model({"metric": "primary"})
    settings = settings.model_copy(
        update={"evaluation": settings.evaluation.model_copy(update={"primary": "r2"})}
    )
    found = search(settings)
    assert found.metric == "r2"
    assert found.best.value is not None
    assert found.best.value > 0.99


def test_hopeless_trials_are_pruned_and_never_the_best() -> None:
    found = search(model({"trials": 25}))
    states = [trial.state for trial in found.trials]
    assert "pruned" in states[5:]
    assert "pruned" not in states[:5]
    assert found.best.state == "complete"
    assert set(states) == {"complete", "pruned"}
    unpruned = search(model({"trials": 25, "prune": False}))
    assert {trial.state for trial in unpruned.trials} == {"complete"}


def test_no_trial_starts_after_the_time_is_over() -> None:
    settings = model({"trials": 100_000, "timeout": "1s"})
    assert settings.training.tune
    assert settings.training.tune.timeout == timedelta(seconds=1)
    assert 1 <= len(search(settings).trials) < 100_000


def test_a_trial_that_cannot_be_fitted_is_passed_over() -> None:
    space = {**ALPHA, "solver": {"type": "choice", "choices": ["svd", "no such solver"]}}
    found = search(model({"params": space}))
    assert {trial.state for trial in found.trials} >= {"complete", "failed"}
    assert found.best.params["solver"] == "svd"


def test_when_nothing_can_be_fitted_the_reason_is_told() -> None:
    space = {"solver": {"type": "choice", "choices": ["none", "neither"]}}
    with pytest.raises(TrainingError, match=r"none of 12 trials could be fitted.*solver"):
        search(model({"params": space}))


def test_folds_are_later_than_what_trains_for_them_and_cover_all_but_the_oldest_part() -> None:
    folds = validation_folds(rows(), model(), 3)
    assert [len(fold.train) for fold in folds] == [30, 60, 90]
    assert [len(fold.test) for fold in folds] == [30, 30, 30]
    for fold in folds:
        assert fold.train[TIMESTAMP].max() < fold.test[TIMESTAMP].min()


def test_no_label_window_reaches_into_the_fold_that_judges() -> None:
    settings = event_log(training={"split": {"by": "time", "test": "10 days"}})
    moments = pd.date_range("2024-01-01", periods=12, freq="5D", tz="UTC")
    train = pd.DataFrame({"customer": range(12), TIMESTAMP: moments})
    window = settings.target.window
    assert window == timedelta(days=10)
    for fold in validation_folds(train, settings, 2):
        assert (fold.train[TIMESTAMP] + window <= fold.test[TIMESTAMP].min()).all()
        assert (fold.train[TIMESTAMP] + window).max() == fold.test[TIMESTAMP].min()


def test_at_random_no_entity_is_on_both_sides() -> None:
    settings = model(split={"by": "random", "fraction": 0.3})
    train = pd.concat([rows(), rows()], ignore_index=True)
    folds = validation_folds(train, settings, 3)
    for fold in folds:
        assert not set(fold.train["id"]) & set(fold.test["id"])
    assert sorted(pd.concat([fold.test["id"] for fold in folds])) == sorted(train["id"])


def test_too_many_folds_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"fold 1 of 5 has 0 rows.*training\.tune\.folds"):
        validation_folds(rows(3), model(), 5)


def test_without_optuna_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(TrainingError, match=r"pip install 'mlops-assets\[tune\]'"):
        search(model())


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"type": "float", "low": 1}, "`low` below `high`"),
        ({"type": "float", "low": 2, "high": 1}, "`low` below `high`"),
        ({"type": "float", "low": 0, "high": 1, "log": True}, "low above 0"),
        ({"type": "int", "low": 1, "high": 2.5}, "whole numbers"),
        ({"type": "int", "low": 1, "high": 2, "choices": [1, 2]}, "no choices"),
        ({"type": "choice", "choices": ["a"]}, "two or more"),
        ({"type": "choice", "choices": ["a", "b"], "low": 1}, "two or more"),
    ],
)
def test_a_space_that_says_nothing_is_refused(space: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SearchSpace.model_validate(space)


def test_a_parameter_is_fixed_or_searched_not_both() -> None:
    with pytest.raises(ValidationError, match=r"\['alpha'\]"):
        model(params={"alpha": 1.0})
    with pytest.raises(ValidationError):
        TuneSettings.model_validate({"params": {}})
