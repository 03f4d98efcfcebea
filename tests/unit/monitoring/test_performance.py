"""Verdicts on live predictions: known answers, chance, and the estimate without labels."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.ml.monitoring.performance import calibration_map, estimate, summarize
from mlops_assets.records.monitoring import PerformanceSummary, Window
from tests.support.toy_models import event_log, flat_table

START = pd.Timestamp("2024-03-01", tz="UTC")
LATER = START + pd.Timedelta(days=400)
WINDOW = Window(start=START.to_pydatetime(), end=(START + pd.Timedelta(days=1)).to_pydatetime())


def model(base: ModelSettings, **blocks: Any) -> ModelSettings:
    return ModelSettings.model_validate({**base.model_dump(exclude={"monitoring"}), **blocks})


def binary(**performance: Any) -> ModelSettings:
    return model(event_log(), monitoring={"performance": performance})


def table(task: str) -> ModelSettings:
    return flat_table({"x": "float64", "y": "float64"}, target={"task": task})


def predictions(score: np.ndarray, label: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {"score": score, "label": label, "features_as_of": START, "model_version": 3}
    )


def draw(rows: int, seed: int, scale: float = 1.0) -> pd.DataFrame:
    """Rows of a calibrated model; the outcomes come `scale` times as often as promised."""
    rng = np.random.default_rng(seed)
    score = rng.beta(2, 5, rows)
    return predictions(score, (rng.uniform(size=rows) < score * scale).astype(float))


def judge(
    rows: pd.DataFrame,
    settings: ModelSettings,
    known_until: pd.Timestamp = LATER,
    **reference: float,
) -> PerformanceSummary:
    return summarize(rows, WINDOW, settings, reference=reference, known_until=known_until)


def expected_loss(seed: int = 1) -> float:
    score = np.random.default_rng(seed).beta(2, 5, 200_000)
    return float(-(score * np.log(score) + (1 - score) * np.log(1 - score)).mean())


def test_a_calibrated_model_is_good():
    summary = judge(draw(2000, 0), binary(), log_loss=expected_loss())
    assert (summary.verdict, summary.final, summary.model_version) == ("good", True, 3)
    assert summary.metrics["calibration_ratio"] == pytest.approx(1, abs=0.1)
    assert summary.labelled_rows == summary.rows == 2000


def test_outcomes_half_as_frequent_as_promised_are_miscalibration():
    summary = judge(draw(2000, 0, scale=0.5), binary())
    assert summary.verdict == "degraded"
    assert "were promised" in summary.reasons[0]


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1 / 3, "degraded"), (0.6, "good"), (1.7, "good"), (3, "degraded")]
)
def test_a_tolerance_of_100_percent_is_a_factor_of_two_either_way(factor: float, verdict: str):
    """A share taken off the promised positives would let a third of them, or none, pass."""
    positives = round(200 * factor)
    label = np.concatenate([np.ones(positives), np.zeros(1000 - positives)])
    summary = judge(predictions(np.full(1000, 0.2), label), binary(calibration=1.0))
    assert summary.verdict == verdict
    assert [f"{positives} of 1000 rows were positive, 200.0" in one for one in summary.reasons] == [
        True for _ in range(verdict == "degraded")
    ]


def test_a_concept_that_turned_around_is_lost_although_no_feature_moved():
    rows = draw(2000, 0)
    turned = rows.assign(label=1 - rows["label"])
    (first, *_) = judge(turned, binary(), log_loss=expected_loss()).reasons
    assert first.startswith("log loss")
    assert "more than 10% above" in first


def test_the_same_share_of_errors_needs_enough_rows_to_be_a_verdict():
    rows = predictions(np.full(40, 0.3), np.array([1.0] * 18 + [0.0] * 22))
    assert judge(rows, binary(min_rows=10)).verdict == "good"
    many = pd.concat([rows] * 50, ignore_index=True)
    assert judge(many, binary(min_rows=10)).verdict == "degraded"


def test_few_labels_or_an_immature_window_give_no_verdict():
    rows = draw(2000, 0)
    assert judge(rows.head(99), binary()).verdict == "unknown"
    early = judge(rows, binary(), known_until=START + pd.Timedelta(days=9))
    assert (early.verdict, early.final, early.metrics) == ("unknown", False, {})


def test_false_alarms_of_a_year_stay_within_alpha():
    loss = expected_loss()
    verdicts = [judge(draw(300, seed), binary(), log_loss=loss).verdict for seed in range(365)]
    assert verdicts.count("degraded") <= 1


def test_a_broken_limit_of_the_gate_degrades():
    limits = {"roc_auc": {"min": 0.99}}
    settings = model(event_log(), evaluation={"primary": "roc_auc", "gate": {"limits": limits}})
    assert "roc_auc" in judge(draw(2000, 0), settings).reasons[0]


def test_multiclass_is_judged_by_its_errors():
    settings = table("multiclass")
    rows = pd.DataFrame(
        {
            "score": 0.9,
            "predicted": ["1"] * 500,
            "label": [1.0] * 300 + [0.0] * 200,
            "features_as_of": START,
            "model_version": 1,
        }
    )
    assert judge(rows, settings, accuracy=0.6).verdict == "good"
    worse = judge(rows, settings, accuracy=0.9)
    assert worse.metrics == {"accuracy": pytest.approx(0.6)}
    assert "share of errors 0.4" in worse.reasons[0]


def test_a_row_whose_class_nobody_knows_any_more_is_no_error():
    named = pd.DataFrame(
        {
            "score": 0.9,
            "predicted": ["1"] * 100,
            "label": 1.0,
            "features_as_of": START,
            "model_version": 1,
        }
    )
    found = judge(pd.concat([named, named.assign(predicted=None)]), table("multiclass"))
    assert (found.rows, found.labelled_rows, found.metrics) == (200, 100, {"accuracy": 1.0})


def test_a_regression_is_judged_by_its_squared_error():
    settings = table("regression")
    rng = np.random.default_rng(0)
    rows = predictions(rng.normal(size=500), np.zeros(500))
    assert judge(rows, settings, rmse=1.0).verdict == "good"
    assert judge(rows, settings, rmse=0.7).verdict == "degraded"


def test_the_estimate_equals_what_calibrated_outcomes_show():
    rows = draw(50_000, 5)
    score, label = rows["score"].to_numpy(), rows["label"].to_numpy()
    found = estimate(score, score)
    measured = judge(rows, binary()).metrics
    assert set(found) == set(measured)
    for name, value in measured.items():
        assert found[name] == pytest.approx(value, rel=0.02), name
    assert label.mean() == pytest.approx(score.mean(), rel=0.02)


def test_the_estimate_by_hand():
    found = estimate(np.array([0.2, 0.8]), np.array([0.0, 1.0]))
    assert found["accuracy"] == 1
    assert found["roc_auc"] == 1
    assert found["brier"] == pytest.approx(0.04)
    assert found["log_loss"] == pytest.approx(-np.log(0.8))
    assert "roc_auc" not in estimate(np.array([0.2]), np.array([0.0]))


def test_the_calibration_map_mends_a_score_that_promises_too_much():
    rng = np.random.default_rng(3)
    true = rng.uniform(size=20_000)
    actual = (rng.uniform(size=20_000) < true).astype(int)
    mended = calibration_map(np.sqrt(true), actual, np.sqrt(true))
    assert np.abs(mended - true).mean() < 0.02
