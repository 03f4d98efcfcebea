"""Two versions beside each other, as `mlops compare` says it."""

from datetime import UTC, datetime

from mlops_assets.blocks.card import CardSettings
from mlops_assets.cli.facts.versions import _beside, compared
from mlops_assets.records.evaluation import (
    Evaluation,
    GateDecision,
    ModelCard,
    ModelVersion,
    Period,
)

PERIOD = Period(first=datetime(2024, 1, 1, tzinfo=UTC), last=datetime(2024, 3, 1, tzinfo=UTC))


def card(number: int, **changes: object) -> ModelCard:
    model = ModelVersion(name="toy", version=number, run_id="r", uri=f"models:/toy/{number}")
    evaluation = Evaluation(
        model=model,
        metrics={"roc_auc": [0.81, 0.82][number - 1]},
        train_rows=100,
        test_rows=50,
        learnt_until=PERIOD.last,
        decision=GateDecision(promoted=True),
    )
    facts = {
        "evaluation": evaluation,
        "description": "",
        "owners": (),
        "purpose": CardSettings(),
        "data_version": "abc",
        "git_sha": None,
        "target": "y",
        "estimator": "sklearn.linear_model.LogisticRegression",
        "params": {"C": 1.0},
        "features": {"age": "column, float64"},
        "train_period": PERIOD,
        "test_period": PERIOD,
    }
    return ModelCard.model_validate(facts | changes)


def test_what_differs_is_told_with_both_values_and_what_is_the_same_is_counted() -> None:
    other = card(2, params={"C": 2.0}, features={"age": "column, float64", "spend": "sum"})
    found = compared(["toy@1", "toy@2"], [card(1), other])
    assert found.same_rows
    told = {(one.kind, one.name): (one.a, one.b) for one in found.values if one.differs}
    assert told == {
        ("metric", "roc_auc"): (0.81, 0.82),
        ("parameter", "C"): (1.0, 2.0),
        ("feature", "spend"): (None, "sum"),
    }
    text = _beside(found)
    assert "parameter  C        1      2" in text
    assert "9 more features, parameters, slices and facts are the same" in text
    assert "different held-out rows" not in text


def test_metrics_of_different_rows_are_not_taken_for_a_comparison() -> None:
    found = compared(["toy@1", "toy@2"], [card(1), card(2, data_version="def")])
    assert not found.same_rows
    assert "were measured on different held-out rows" in _beside(found)
