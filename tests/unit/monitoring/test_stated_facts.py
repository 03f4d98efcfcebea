"""What assets state of themselves: written and read in one spelling, of earlier releases too."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from mlops_assets.blocks.base import Record
from mlops_assets.metadata import read_facts, stated
from mlops_assets.records.backtest import BacktestReport, LossByPolicy, PolicyReport
from mlops_assets.records.data import FeatureFacts, SourceFacts
from mlops_assets.records.evaluation import EvaluationFacts
from mlops_assets.records.monitoring import (
    DriftFacts,
    DriftSummary,
    OutcomeFacts,
    PerformanceReport,
    PerformanceSummary,
    Window,
)

START, DAY = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1)
WINDOW = Window(start=START, end=START + DAY)
DRIFT = DriftSummary(
    model="a", model_version=1, window=WINDOW, rows=5, reference_rows=5, verdict="calm"
)
OUTCOME = PerformanceSummary(
    model="a",
    model_version=1,
    window=WINDOW,
    rows=5,
    labelled_rows=4,
    final=True,
    verdict="degraded",
    metrics={"log_loss": float("inf")},
)
OFFENDING = DRIFT.model_copy(
    update={
        "drifted_columns": ("amount", "grade"),
        "scores": {"amount": 0.1 + 0.2, "grade": 1e-17},
        "reasons": ("amount: 0.3 > 0.2", "grade: moved; see `a: b`"),
    }
)
POLICY = LossByPolicy(
    retrain="as set",
    trainings=2,
    refused=0,
    loss=0.5,
    excess=0.0,
    standard_error=None,
    shown=True,
)
BACKTEST = BacktestReport(
    model="a",
    estimator="e",
    loss_name="log_loss",
    window="1 month",
    windows=(),
    ages=(),
    cadences=(),
    policy=PolicyReport(windows=3, policies=(POLICY, POLICY), best=POLICY, said="so"),
    advice="not shown",
    said="nothing",
    yaml="a:\n  b: 1\n",
)
EVALUATION = EvaluationFacts(
    model_uri="models:/a/1",
    learnt_until=START,
    champion="none",
    promoted=False,
    reasons="too bad",
    model_card="# a",
)


def event(metadata: dict[str, Any]) -> dg.AssetMaterialization:
    return dg.deserialize_value(
        dg.serialize_value(dg.AssetMaterialization("a", metadata=metadata)),
        dg.AssetMaterialization,
    )


@pytest.mark.parametrize(
    "facts",
    [
        SourceFacts(source_fingerprint=""),
        FeatureFacts(newest_entity="7"),
        EVALUATION,
        DriftFacts(summary=DRIFT, windows=(DRIFT, DRIFT)),
        DriftFacts(windows=(OFFENDING,)),
        OutcomeFacts.of(PerformanceReport(windows=(OUTCOME,))),
        BACKTEST,
    ],
    ids=lambda facts: type(facts).__name__,
)
def test_what_is_stated_is_read_again(facts: Record) -> None:
    metadata = {**stated(facts), "something_else": 1}
    assert read_facts(event(metadata), type(facts)) == facts


def test_the_entries_are_those_of_earlier_releases() -> None:
    values = {name: one.value for name, one in event(stated(EVALUATION)).metadata.items()}
    assert values == {
        "model_uri": "models:/a/1",
        "learnt_until": "2026-01-01T00:00:00+00:00",
        "champion": "none",
        "promoted": False,
        "reasons": "too bad",
        "model_card": "# a",
    }
    assert isinstance(event(stated(EVALUATION)).metadata["model_card"], dg.MarkdownMetadataValue)
    assert stated(OutcomeFacts.of(PerformanceReport())) == {}


def test_what_an_earlier_release_stated_as_json_is_read() -> None:
    facts = OutcomeFacts.of(PerformanceReport(windows=(OUTCOME,)))
    assert read_facts(event(facts.model_dump(mode="json")), OutcomeFacts) == facts


def test_records_are_tables_that_the_ui_can_show() -> None:
    entries = event(stated(OutcomeFacts.of(PerformanceReport(windows=(OUTCOME, OUTCOME))))).metadata
    final, labelled = entries["final"], entries["labelled"]
    assert isinstance(final, dg.TableMetadataValue)
    assert isinstance(labelled, dg.TableMetadataValue)
    assert [record.data for record in labelled.records] == [
        {"name": "2026-01-01T00:00:00+00:00", "value": 4}
    ]
    types = {column.name: column.type for column in final.schema.columns}
    assert (types["labelled_rows"], types["window.start"]) == ("int", "str")
    assert [*types] == [*PerformanceSummary.SHOWN], "one fact a cell, and few beside each other"
    assert final.records[1].data["metrics"] == "log_loss: inf", "what is not shown is there"


def test_a_release_without_cards_and_with_one_window_a_report_is_read() -> None:
    old = {"model_uri": "models:/a/1", "champion": "none", "promoted": True, "reasons": "none"}
    found = read_facts(event(old), EvaluationFacts)
    assert found is not None
    assert (found.promoted, found.learnt_until, found.model_card) == (True, None, "")
    assert read_facts(event({"summary": DRIFT.model_dump(mode="json")}), DriftFacts) == DriftFacts(
        summary=DRIFT
    )


def test_an_event_that_does_not_state_it_says_nothing() -> None:
    assert read_facts(None, EvaluationFacts) is None
    assert read_facts(event({}), OutcomeFacts) is None
    assert read_facts(event({"roc_auc": 0.9}), EvaluationFacts) is None
