"""Miscalibration against answers by hand, and what the gate makes of it."""

import numpy as np
import pytest

from mlops_assets.blocks.evaluation import EvaluationSettings
from mlops_assets.ml.evaluation.calibration import miscalibration
from mlops_assets.ml.evaluation.gate import compare, decide, row_losses


def binary(probabilities, actual):
    return miscalibration(np.asarray(probabilities)[:, None], np.asarray(actual), "binary")


def rows(count=4000, seed=0):
    """True log odds, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(-1, 1.5, count)
    return odds, (rng.uniform(size=count) < sigmoid(odds)).astype(np.int64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_a_promise_of_twice_the_rate_costs_its_divergence():
    actual = np.repeat([1, 0], [10, 90])
    expected = 0.1 * np.log(0.1 / 0.2) + 0.9 * np.log(0.9 / 0.8)
    assert binary(np.full(100, 0.2), actual).mean() == pytest.approx(expected)


def test_probabilities_that_are_kept_cost_nothing():
    promised = np.repeat([0.25, 0.75], 8)
    actual = np.repeat([1, 0, 1, 0], [2, 6, 6, 2])
    assert binary(promised, actual) == pytest.approx(np.zeros(16), abs=1e-6)


def test_what_is_left_does_not_depend_on_how_the_log_odds_were_bent():
    odds, actual = rows()
    left = []
    for bent in (odds, 0.5 * odds, 2 * odds - 1):
        scores = sigmoid(bent)[:, None]
        losses = row_losses(scores, actual, "binary")
        left.append((losses - miscalibration(scores, actual, "binary")).mean())
    assert left == pytest.approx([left[0]] * 3, abs=1e-6)


def test_two_classes_are_the_binary_case():
    odds, actual = rows(500)
    positive = sigmoid(2 * odds)
    both = np.column_stack([1 - positive, positive])
    names = np.array(["no", "yes"])
    several = miscalibration(both, names[actual], "multiclass", names)
    assert several == pytest.approx(binary(positive, actual), abs=1e-5)


def test_three_classes_with_one_promised_too_often():
    actual = np.repeat([0, 1, 2], [20, 30, 50])
    scores = np.tile([0.4, 0.3, 0.3], (100, 1))
    expected = 0.2 * np.log(0.2 / 0.4) + 0.5 * np.log(0.5 / 0.3)
    found = miscalibration(scores, actual, "multiclass", np.arange(3))
    assert found.mean() == pytest.approx(expected)


def test_a_regression_that_is_off_by_a_line_is_all_miscalibration():
    actual = np.array([0.0, 1.0, 4.0, 2.0])
    predicted = 2 * actual + 1
    found = miscalibration(predicted[:, None], actual, "regression")
    assert found == pytest.approx((predicted - actual) ** 2)


def test_certain_and_right_or_wrong_is_finite():
    found = binary([1.0, 0.0, 1.0, 0.5], [1, 0, 0, 1])
    assert np.isfinite(found).all()
    assert found.mean() > 0


def compared(champion, challenger, actual, clusters=None, **gate):
    """Of two vectors of log odds."""
    settings = EvaluationSettings.model_validate({"primary": "roc_auc", "gate": gate})
    scores = [sigmoid(odds)[:, None] for odds in (champion, challenger)]
    old, new = (row_losses(each, actual, "binary") for each in scores)
    excess = tuple(miscalibration(each, actual, "binary") for each in scores)
    comparison = compare(
        old, new, task="binary", settings=settings, miscalibration=excess, clusters=clusters
    )
    return comparison, settings.gate


def test_better_ranking_does_not_pay_for_worse_calibration():
    odds, actual = rows()
    noisy = odds + np.random.default_rng(1).normal(0, 1, len(odds))
    calibrated = noisy * 2.25 / 3.25 - 1 / 3.25  # the odds given the noisy ones
    comparison, gate = compared(calibrated, odds + 0.5, actual)
    assert comparison.passed, "the whole loss is lower"
    assert comparison.calibration.worse
    (reason,) = decide({}, comparison, gate).reasons
    assert reason.startswith("calibration: miscalibration costs 0.0")
    assert "the difference is more than 0.50% of the champion's 0." in reason

    tolerant, gate = compared(calibrated, odds + 0.5, actual, calibration_margin=0.2)
    assert decide({}, tolerant, gate).promoted


def test_the_same_and_the_better_calibrated_are_not_refused():
    odds, actual = rows()
    for champion, challenger in [(odds, odds), (2 * odds, odds), (odds, odds + 0.02)]:
        comparison, gate = compared(champion, challenger, actual)
        assert not comparison.calibration.worse
        assert decide({}, comparison, gate).promoted
    assert comparison.calibration.upper > comparison.calibration.lower


def test_copies_of_an_entitys_rows_do_not_prove_it_worse():
    odds, actual = rows(60)
    copies = np.repeat(np.arange(60), 40)
    many, _ = compared(odds[copies], odds[copies] + 0.6, actual[copies])
    clustered, _ = compared(odds[copies], odds[copies] + 0.6, actual[copies], clusters=copies)
    assert many.calibration.worse
    assert clustered.calibration.p_value > 10 * many.calibration.p_value


def test_off_asks_for_no_calibration():
    odds, actual = rows()
    comparison, gate = compared(odds, odds + 2, actual, against_champion="off")
    assert decide({}, comparison, gate).promoted
