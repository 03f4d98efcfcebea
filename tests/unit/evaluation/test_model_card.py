"""Model cards: what a reader finds in them, and what changed since the champion's."""

import re
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from mlops_assets.blocks.card import CardSettings
from mlops_assets.blocks.evaluation import EvaluationSettings
from mlops_assets.ml.evaluation.gate import compare
from mlops_assets.ml.evaluation.model_card import differences, markdown, model_card
from mlops_assets.ml.frames import Split
from mlops_assets.records.data import RejectedRows
from mlops_assets.records.evaluation import (
    Baseline,
    Evaluation,
    GateDecision,
    ModelCard,
    ModelVersion,
)
from tests.support.toy_models import event_log

PURPOSE = {
    "intended_use": "Marketing picks whom to write to.",
    "out_of_scope": ["Credit | anything that refuses a service"],
    "limits": ["One cohort only"],
}


def version(number: int) -> ModelVersion:
    return ModelVersion(
        name="toy", version=number, run_id=f"r{number}", uri=f"models:/toy/{number}"
    )


def evaluation(number: int = 2, **changes: object) -> Evaluation:
    facts = {
        "model": version(number),
        "metrics": {"roc_auc": 0.81234, "log_loss": 0.25},
        "train_rows": 1200,
        "test_rows": 300,
        "learnt_until": "2024-05-01T00:00:00Z",
        "not_compared": "there is no champion yet",
        "decision": GateDecision(promoted=True),
    }
    return Evaluation.model_validate(facts | changes)


def frame(first: str, last: str) -> pd.DataFrame:
    return pd.DataFrame({"event_timestamp": pd.to_datetime([first, last], utc=True)})


@pytest.fixture
def card() -> ModelCard:
    settings = event_log(
        {"n_30d": {"agg": "count", "window": "30d"}, "spend": {"agg": "sum", "column": "amount"}}
    )
    settings = settings.model_copy(
        update={"card": CardSettings.model_validate(PURPOSE), "owners": ("team:growth",)}
    )
    rows = Split(frame("2024-01-01", "2024-03-01"), frame("2024-03-11", "2024-05-01"))
    return model_card(evaluation(), rows, settings, data_version="abc", git_sha=None)


def test_the_facts_are_where_they_come_from(card: ModelCard) -> None:
    assert card.features == {"n_30d": "count over 30 days", "spend": "sum of amount"}
    assert card.params["seed"] == 0
    assert card.train_period.first == datetime(2024, 1, 1, tzinfo=UTC)
    assert card.test_period.last == datetime(2024, 5, 1, tzinfo=UTC)
    assert ModelCard.model_validate_json(card.model_dump_json()) == card


def test_a_reader_finds_how_many_rows_were_put_aside_by_which_rule(card: ModelCard) -> None:
    found = RejectedRows(
        rejected_rows=12,
        delivered_rows=1512,
        quarantine="/home/me/.mlops/quarantine/toy/abc.parquet",
        broken_rules={"amount.min": 9, "id.nullable": 4},
    )
    said = "12 of 1,512 rows are put aside (amount.min 9, id.nullable 4), in toy/abc.parquet"
    cases = {
        said: found.kept,
        "none of 1,512 rows": found.model_copy(update={"rejected_rows": 0}),
        "not recorded": None,
    }
    for text, rejected in cases.items():
        shown = markdown(card.model_copy(update={"rejected": rejected}), None)
        assert f"| in quarantine | {text} |" in shown


def test_a_reader_finds_use_limits_metrics_and_origin(card: ModelCard) -> None:
    text = markdown(card, None)
    assert text.startswith("# toy, version 2\n")
    for line in (
        "Marketing picks whom to write to.",
        "- Credit | anything that refuses a service",
        "- One cohort only",
        "| answered for by | team:growth |",
        "| data version | abc |",
        "| git commit | not recorded |",
        "| trained on | 1,200 rows, 2024-01-01 to 2024-03-01 |",
        "| roc_auc | 0.8123 |",
        "On 300 held-out rows, 2024-03-11 to 2024-05-01.",
        "Not compared: there is no champion yet.",
        "| n_30d | count over 30 days |",
    ):
        assert line in text.splitlines()
    assert "Changes from" not in text


def test_a_refused_version_says_why_and_a_cell_stays_one_cell(card: ModelCard) -> None:
    refused = GateDecision(promoted=False, reasons=("roc_auc 0.6 | too low", "slow"))
    text = markdown(card.model_copy(update={"evaluation": evaluation(decision=refused)}), None)
    assert "| gate | roc_auc 0.6 \\| too low; slow |" in text


def test_the_comparison_is_spelled_with_its_slices(card: ModelCard) -> None:
    rng = np.random.default_rng(0)
    champion = rng.exponential(size=400)
    challenger = champion + np.repeat([-0.1, 0.2], 200) + rng.normal(0, 0.01, 400)
    excess = (np.full(400, 0.01), np.full(400, 0.03))
    comparison = compare(
        champion,
        challenger,
        task="binary",
        settings=EvaluationSettings(primary="roc_auc"),
        slices={"grade": np.repeat(["a", "b"], 200)},
        miscalibration=excess,
    )
    found = evaluation(comparison=comparison, champion=version(1))
    text = markdown(card.model_copy(update={"evaluation": found}), None)
    assert "`models:/toy/1` on the same rows: log loss" in text
    assert "Miscalibration costs 0.03 of that, the champion 0.01." in text
    (slice_b,) = [line for line in text.splitlines() if line.startswith("| grade=b | 200 |")]
    assert slice_b.endswith("% worse, shown to be worse |")


@pytest.mark.parametrize(("shift", "words"), [(-0.1, "at least"), (0.1, "at most")])
def test_the_bound_is_the_worst_that_is_likely(shift: float, words: str, card: ModelCard) -> None:
    champion = np.random.default_rng(0).exponential(size=400)
    settings = EvaluationSettings(primary="roc_auc")
    challenger = champion + shift + np.random.default_rng(1).normal(0, 0.01, 400)
    comparison = compare(champion, challenger, task="binary", settings=settings)
    found = evaluation(comparison=comparison, champion=version(1))
    text = markdown(card.model_copy(update={"evaluation": found}), None)
    said = "better" if shift < 0 else "worse"
    assert re.search(f"% {said}, {words} [0-9.]+% {said} by the bound of the gate", text)


def test_the_prior_is_in_the_card(card: ModelCard) -> None:
    known = {
        "loss_name": "log loss",
        "rows": 300,
        "prior_loss": 0.6931,
        "loss": 0.7,
        "p_value": 0.4,
    }
    found = evaluation(baseline=Baseline.model_validate({**known, "passed": False}))
    text = markdown(card.model_copy(update={"evaluation": found}), None)
    assert "log loss 0.7 against 0.6931, so it is not shown to know more (p 0.4)" in text


def test_what_changed_since_the_champion(card: ModelCard) -> None:
    before = card.model_copy(
        update={
            "evaluation": evaluation(1, metrics={"roc_auc": 0.7, "brier": 0.1}, train_rows=1000),
            "data_version": "old",
            "params": {"seed": 0, "max_iter": 10},
            "features": {"n_30d": "count over 90 days", "gone": "mean of amount"},
        }
    )
    assert differences(card, before) == [
        ("data version", "old", "abc"),
        ("training rows", "1000", "1200"),
        ("parameter max_iter", "10", "-"),
        ("feature n_30d", "count over 90 days", "count over 30 days"),
        ("feature gone", "mean of amount", "-"),
        ("feature spend", "-", "sum of amount"),
        ("metric roc_auc", "0.7", "0.8123"),
        ("metric brier", "0.1", "-"),
        ("metric log_loss", "-", "0.25"),
    ]
    text = markdown(card, before)
    assert "## Changes from version 1, the champion" in text
    assert "| metric roc_auc | 0.7 | 0.8123 |" in text


def test_nothing_changed_is_said(card: ModelCard) -> None:
    assert differences(card, card) == []
    assert "None in data, code, features, parameters or metrics." in markdown(card, card)


def test_what_nobody_stated_is_said_to_be_missing(card: ModelCard) -> None:
    text = markdown(card.model_copy(update={"purpose": CardSettings()}), None)
    assert "Not stated: fill `card.intended_use` in the YAML." in text
    assert "Not stated: fill `card.limits` in the YAML." in text
