"""The champion gate against answers by hand, independent oracles, and its own sentences."""

import math

import numpy as np
import pytest
from scipy import stats

from mlops_assets.blocks.evaluation import EvaluationSettings, GateSettings
from mlops_assets.errors import NotComparableError
from mlops_assets.ml.evaluation.gate import compare, decide, row_losses, spelled
from mlops_assets.ml.evaluation.paired import holm

ONES = np.ones(4)
NEAR = np.array([1.1, 0.9, 1.2, 1.0])


def evaluation(rule="non_inferior", **gate):
    slices = {k: gate.pop(k) for k in ("slice_margin", "min_slice_rows") if k in gate}
    gate = {"against_champion": rule, **gate}
    return EvaluationSettings.model_validate({"primary": "roc_auc", "gate": gate, **slices})


def compared(champion, challenger, settings=None, **kwargs):
    settings = settings or evaluation()
    return compare(champion, challenger, task="binary", settings=settings, **kwargs)


def reasons(champion, challenger, settings, **kwargs):
    comparison = compared(champion, challenger, settings, **kwargs)
    return decide({}, comparison, settings.gate).reasons


def test_row_losses_by_hand_and_their_mean_is_the_metric():
    from sklearn.metrics import log_loss

    actual, scores = np.array([1, 0, 1]), np.array([[0.9], [0.9], [0.25]])
    losses = row_losses(scores, actual, "binary")
    assert losses == pytest.approx([-math.log(0.9), -math.log(0.1), math.log(4)])
    assert losses.mean() == pytest.approx(log_loss(actual, scores[:, 0]))
    assert row_losses(np.array([[3.0]]), np.array([1.0]), "regression").tolist() == [4.0]


def test_a_certain_and_wrong_probability_costs_what_scikit_learn_charges():
    from sklearn.metrics import log_loss

    actual, scores = np.array([1, 0]), np.array([[0.0], [0.5]])
    expected = log_loss(actual, scores[:, 0])
    assert row_losses(scores, actual, "binary").mean() == pytest.approx(expected)


def test_multiclass_losses_take_the_column_of_the_actual_class():
    scores = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    losses = row_losses(scores, np.array(["b", "c"]), "multiclass", ["a", "b", "c"])
    assert losses == pytest.approx([-math.log(0.3), -math.log(0.8)])
    with pytest.raises(NotComparableError, match=r"does not know the classes \['z'\]"):
        row_losses(scores, np.array(["b", "z"]), "multiclass", ["a", "b", "c"])


def test_scores_that_are_not_finite_cannot_be_compared():
    with pytest.raises(NotComparableError, match="not finite"):
        row_losses(np.array([[math.nan]]), np.array([1]), "binary")


def test_the_comparison_by_hand_and_by_the_paired_t_test():
    loss = compared(ONES, NEAR, evaluation("superior")).overall
    # Deviations of +.1 -.1 +.2 0 from .05: squares sum to .05, so variance .05 / 3 / 4.
    assert loss.difference == pytest.approx(0.05)
    assert loss.standard_error == pytest.approx(math.sqrt(0.05 / 12))
    # t of 3 degrees of freedom at 0.95 is 2.3534; the champion's loss is 1 without variance.
    assert loss.upper == pytest.approx(0.05 + 2.3534 * math.sqrt(0.05 / 12), abs=1e-5)
    assert loss.lower == pytest.approx(0.05 - 2.3534 * math.sqrt(0.05 / 12), abs=1e-5)
    oracle = stats.ttest_rel(NEAR, ONES, alternative="less").pvalue
    assert loss.p_value == pytest.approx(oracle)


def test_the_interval_ends_where_the_test_stops_to_reject():
    rng = np.random.default_rng(3)
    champion = rng.exponential(size=200)
    challenger = champion + rng.normal(0.02, 0.1, 200)
    upper = compared(champion, challenger).overall.upper
    assert upper is not None
    at_the_end = compared(champion, challenger, evaluation(margin=upper)).overall
    assert at_the_end.p_value == pytest.approx(0.05)
    oracle = stats.ttest_1samp(challenger - 1.3 * champion, 0, alternative="less").pvalue
    margin = evaluation(margin=0.3)
    assert compared(champion, challenger, margin).overall.p_value == pytest.approx(oracle)


def test_copies_of_an_entitys_row_add_no_certainty():
    entities = np.repeat(np.arange(4), 4)
    champion, challenger = np.repeat(ONES, 4), np.repeat(NEAR, 4)
    alone = compared(ONES, NEAR).overall
    clustered = compared(champion, challenger, clusters=entities).overall
    independent = compared(champion, challenger).overall
    assert (clustered.clusters, clustered.rows, independent.clusters) == (4, 16, 16)
    assert clustered.standard_error == pytest.approx(alone.standard_error)
    assert (clustered.lower, clustered.upper) == pytest.approx((alone.lower, alone.upper))
    assert independent.standard_error == pytest.approx(math.sqrt(4 * 0.05 / 15 / 16))
    assert independent.standard_error < clustered.standard_error / 2


def test_identical_scores_are_non_inferior_and_no_gain():
    losses = np.array([0.1, 2.0, 0.4])
    kept = compared(losses, losses).overall
    assert (kept.difference, kept.standard_error, kept.lower, kept.upper) == (0, 0, 0, 0)
    assert (kept.relative, kept.p_value) == (0, 0)
    assert reasons(losses, losses, evaluation()) == ()
    superior = evaluation("superior")
    assert compared(losses, losses, superior).overall.p_value == 1
    assert reasons(losses, losses, superior) == (
        "against_champion: superior: the log loss equals the champion's on all 3 rows, "
        "without a gain",
    )


def test_two_perfect_models_are_non_inferior():
    zeros = np.zeros(5)
    assert compared(zeros, zeros).passed
    (reason,) = reasons(zeros, zeros + 0.1, evaluation())
    assert "inf% worse, and 5 rows are too few to bound that; hold out more rows" in reason


@pytest.mark.parametrize(("gap", "passes"), [(0.125, True), (0.25, False), (0.5, False)])
def test_a_constant_difference_passes_strictly_below_the_margin(gap, passes):
    comparison = compared(ONES, ONES + gap, evaluation(margin=0.25))
    assert comparison.passed is passes
    assert comparison.overall.upper == gap
    assert comparison.overall.p_value == (0 if passes else 1)


def test_a_sure_gain_is_superior():
    comparison = compared(ONES, ONES - 0.125, evaluation("superior"))
    assert comparison.passed
    assert comparison.overall.upper == -0.125


def test_one_cluster_bounds_nothing():
    comparison = compared(ONES, NEAR, clusters=np.zeros(4))
    assert not comparison.passed
    assert comparison.overall.standard_error is None
    assert comparison.overall.upper is None
    assert comparison.overall.p_value == 1


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def slices_of(challenger, **kwargs):
    """100 rows of each of the given challengers, against a champion of loss 1 +- 0.1."""
    noise = np.tile([-0.1, 0.1], 50 * len(challenger))
    champion = 1 + noise
    jitter = np.tile([0.02, 0.02, -0.02, -0.02], 25 * len(challenger))
    losses = champion + jitter + np.repeat(list(challenger.values()), 100)
    column = np.repeat(np.array(list(challenger), dtype=object), 100)
    settings = evaluation(margin=0.5, **{"min_slice_rows": 100, **kwargs})
    return compared(champion, losses, settings, slices={"grade": column}), settings


def test_a_slice_shown_to_be_worse_is_refused_although_the_whole_is_better():
    comparison, settings = slices_of({"a": -0.3, "b": -0.3, "c": 0.2})
    assert comparison.passed
    assert [(part.name, part.worse) for part in comparison.slices] == [
        ("grade=a", False),
        ("grade=b", False),
        ("grade=c", True),
    ]
    decision = decide({}, comparison, settings.gate)
    assert not decision.promoted
    (reason,) = decision.reasons
    assert reason.startswith(
        "slice grade=c (100 rows): loss 1.2 against the champion's 1 is 20.00% worse, more than "
        "evaluation.slice_margin allows (adjusted p "
    )


def test_holm_keeps_chance_from_refusing_one_of_many_slices():
    # sd sqrt(.02^2 + (.05 * .1)^2) / sqrt(99): .0037 above the margin is 1.79 of it, p .039.
    alone, _ = slices_of({"a": 0.0537})
    assert alone.slices[0].loss.p_value == pytest.approx(0.0386, abs=0.0001)
    assert alone.slices[0].worse
    among, _ = slices_of({"a": 0.0537, "b": 0.0, "c": 0.0})
    assert among.slices[0].adjusted_p_value == pytest.approx(3 * alone.slices[0].loss.p_value)
    assert not among.slices[0].worse


def test_small_slices_are_left_out_and_missing_values_are_one():
    column = np.array(["a"] * 3 + [np.nan] * 2, dtype=object)
    settings = evaluation(min_slice_rows=2)
    names = [
        s.name for s in compared(np.ones(5), np.ones(5), settings, slices={"g": column}).slices
    ]
    assert names == ["g=a", "g=missing"]
    larger = evaluation(min_slice_rows=3)
    comparison = compared(np.ones(5), np.ones(5), larger, slices={"g": column})
    assert [(s.name, s.loss.rows, s.worse) for s in comparison.slices] == [("g=a", 3, False)]


def test_numbers_are_slices_by_value_while_few_and_by_quarter_when_many():
    settings, losses = evaluation(min_slice_rows=2), np.ones(40)
    few = compared(losses, losses, settings, slices={"m": np.tile([1.0, 2.5], 20)})
    assert [s.name for s in few.slices] == ["m=1", "m=2.5"]
    many = compared(losses, losses, settings, slices={"x": np.arange(40.0)})
    assert [s.loss.rows for s in many.slices] == [10, 10, 10, 10]
    assert many.slices[0].name.startswith("x=(")


def test_the_first_model_has_the_limits_only():
    gate = GateSettings.model_validate({"limits": {"roc_auc": {"min": 0.7}}})
    assert decide({"roc_auc": 0.7}, None, gate).promoted
    refused = decide({"roc_auc": 0.6}, None, gate)
    assert not refused.promoted
    assert refused.reasons == ("roc_auc 0.6 is below the minimum 0.7",)


def test_a_worse_challenger_is_refused_with_rule_numbers_and_margin():
    settings = evaluation(margin=0.25, limits={"brier": {"max": 0.1}})
    decision = decide({"brier": 0.2}, compared(ONES, ONES + 0.5, settings), settings.gate)
    assert decision.reasons == (
        "brier 0.2 is above the maximum 0.1",
        "against_champion: non_inferior: log loss 1.5 against the champion's 1 is 50.00% worse, "
        "and may be 50.00% worse at 95% confidence; the margin is 25.00%",
    )


def test_a_gain_that_may_be_chance_is_not_superior():
    (reason,) = reasons(ONES, 2 - NEAR, evaluation("superior"))
    assert reason == (
        "against_champion: superior: log loss 0.95 against the champion's 1 is 5.00% better, and "
        "may be 10.19% worse at 95% confidence; only a lower loss passes"
    )


def test_off_ignores_the_champion():
    off = evaluation("off")
    assert decide({}, compared(ONES, ONES + 9, off), off.gate).promoted


def test_differences_are_spelled_for_a_reader():
    assert (spelled(0.0231), spelled(-0.004)) == ("2.31% worse", "0.40% better")


@pytest.mark.parametrize("bad", [{"alpha": 0}, {"alpha": 0.5}, {"margin": 0}, {"rule": "better"}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match="1 validation error"):
        evaluation(**bad)
