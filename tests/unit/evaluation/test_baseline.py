"""A version that knows nothing is refused by the prior; one that knows something is not."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.blocks.base import Task
from mlops_assets.config import ModelSettings
from mlops_assets.ml.evaluation.baseline import against_prior, prior, rank_p_value, refusal
from mlops_assets.ml.evaluation.metrics import evaluate
from mlops_assets.ml.frames import Split
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.ml.training.fit import fit
from mlops_assets.records.evaluation import Baseline
from tests.support.toy_models import flat_table

OVERFIT = "sklearn.ensemble.HistGradientBoosting"
PLAIN = {"regression": "sklearn.linear_model.Ridge"}


def model(task: Task, estimator: str = "", **params: Any) -> ModelSettings:
    kind = "Regressor" if task == "regression" else "Classifier"
    plain = PLAIN.get(task, "sklearn.linear_model.LogisticRegression")
    return flat_table(
        {"x": "float64", "z": "float64", "y": "float64"},
        target={"task": task},
        training={
            "estimator": f"{estimator}{kind}" if estimator else plain,
            "params": params,
            "split": {"by": "random", "fraction": 0.3},
        },
    )


def rows_of(task: Task, signal: float, seed: int, rows: int, share: float = 0.5) -> Split:
    """Half to train on, half held out; the target depends on `x` by `signal`."""
    rng = np.random.default_rng(seed)
    x, z, noise = rng.normal(size=(3, rows))
    latent = signal * x + noise
    cuts = {"binary": [1 - share], "multiclass": [0.3, 0.7]}
    y = np.digitize(latent, np.quantile(latent, cuts[task])) if task in cuts else latent
    at = pd.date_range("2026-01-01", periods=rows, freq="h", tz="UTC")
    frame = pd.DataFrame({"id": range(rows), "event_timestamp": at, "x": x, "z": z})
    frame["y"] = y.astype(float)
    return Split(frame.head(rows // 2), frame.tail(rows - rows // 2))


def held(settings: ModelSettings, rows: Split) -> Baseline:
    held_out = Scored.of(fit(rows.train, settings), rows.test, settings)
    metrics = evaluate(held_out, rows.test[settings.target.name])
    return against_prior(held_out, rows, metrics, settings)


TASKS: list[Task] = ["binary", "multiclass", "regression"]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("estimator", ["", OVERFIT], ids=["linear", "overfit"])
def test_a_coin_flip_is_refused_and_says_why(task: Task, estimator: str) -> None:
    found = held(model(task, estimator), rows_of(task, 0.0, seed=3, rows=1200))
    assert not found.passed
    said = refusal(found)
    assert "prior" in said
    assert f"{found.loss_name} is {found.loss:.4g}" in said
    assert "evaluation.gate.limits" in said


@pytest.mark.parametrize("task", TASKS)
def test_a_signal_passes(task: Task) -> None:
    found = held(model(task), rows_of(task, 1.0, seed=3, rows=300))
    assert found.passed
    assert found.loss < found.prior_loss


def test_coin_flips_pass_no_more_often_than_alpha() -> None:
    settings = model("binary")
    passed = [held(settings, rows_of("binary", 0.0, s, rows=400)).passed for s in range(120)]
    assert np.mean(passed) <= 0.09  # 5 %, and three standard errors of 120 trials are 6 % more


def test_one_that_ranks_well_and_promises_too_much_is_no_coin_flip() -> None:
    """Balanced classes of a rare event: the probabilities are wrong, the order is not."""
    settings = model("binary", class_weight="balanced")
    found = held(settings, rows_of("binary", 1.0, seed=3, rows=2000, share=0.04))
    assert found.loss > found.prior_loss
    assert found.passed


def test_of_two_tests_each_has_half_the_level() -> None:
    """Or a coin flip would pass by either, nearly twice as often as `alpha`."""
    settings, rows = model("binary", class_weight="balanced"), rows_of("binary", 0.3, 3, 400, 0.1)
    held_out = Scored.of(fit(rows.train, settings), rows.test, settings)
    metrics = evaluate(held_out, rows.test["y"])
    found = against_prior(held_out, rows, metrics, settings)
    by_rank = rank_p_value(metrics["roc_auc"], rows.test["y"].to_numpy())
    assert found.loss > found.prior_loss, "the ranking alone speaks for it"
    assert found.p_value == pytest.approx(2 * by_rank)
    assert 0.001 < found.p_value < 0.9


def test_the_prior_is_what_is_usual_in_the_training_rows() -> None:
    assert prior(np.array([0, 0, 0, 1]), "binary").tolist() == [0.25]
    assert prior(np.array([1.0, 2.0, 6.0]), "regression").tolist() == [3.0]
    names = np.array(["a", "b", "b", "a", "b"], dtype=object)
    assert prior(names, "multiclass", ["a", "b", "c"]).tolist() == [0.4, 0.6, 0.0]


def test_rows_of_one_entity_are_each_taken_alone() -> None:
    rows = rows_of("binary", 1.0, seed=3, rows=300)
    one = Split(*(part.assign(id=7) for part in rows))
    assert held(model("binary"), one) == held(model("binary"), rows)


def test_the_chance_of_a_ranking() -> None:
    actual = np.array([0, 1] * 50)
    assert rank_p_value(0.5, actual) == 0.5
    assert rank_p_value(0.7, actual) < 0.001
    assert rank_p_value(0.3, actual) > 0.999
    assert rank_p_value(1.0, np.array([0, 1])) > 0.1, "two rows show nothing"
