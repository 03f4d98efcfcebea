"""The champion gate in the graph: who is compared with whom, and what becomes of a refusal."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.records.evaluation import Evaluation, ModelVersion
from mlops_assets.records.promotion import Move
from resources.champion.aliases import promote
from tests.support.fakes.tracking import FakeRegistry, FakeTracking
from tests.support.runs.pipeline_runs import (
    STAGES,
    checks,
    failure,
    materialize,
    materialized,
    metadata,
)

EVALUATED = STAGES[3:5]


def facts(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    return metadata(result, "loans", "evaluation_report")


def stored(resources: dict[str, Any]) -> Evaluation:
    (file,) = Path(resources["io_manager"].root, "loans").glob("evaluation_report*")
    return Evaluation.model_validate_json(file.read_bytes())


@pytest.fixture
def champion(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> dict[str, Any]:
    """Version 1 is live; what its evaluation said."""
    return facts(materialize(settings, resources, instance))


def test_the_first_version_has_the_limits_only(
    champion: dict[str, Any], resources: dict[str, Any]
) -> None:
    assert champion["champion"] == "none"
    assert champion["not_compared"] == "there is no champion yet"
    assert champion["promoted"]
    assert stored(resources).comparison is None


def test_the_champion_is_not_compared_with_itself(
    champion: dict[str, Any],
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    result = materialize(settings, resources, instance, STAGES[4:])
    assert facts(result)["not_compared"] == "this version is the champion"
    assert materialized(result) == STAGES[4:]


def test_retraining_on_the_same_rows_passes(
    champion: dict[str, Any],
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    result = materialize(settings, resources, instance, STAGES[3:])

    assert materialized(result) == STAGES[3:]
    assert facts(result)["champion"] == "models:/loans/1"
    assert facts(result)["loss_difference"] == 0
    assert facts(result)["loss_interval"] == ("+0.00% to +0.00% of the champion's log loss")
    assert resources["tracking"].server.aliases == {"champion": 2, "previous": 1}
    assert stored(resources).decision.promoted


def test_the_same_model_is_no_gain(
    champion: dict[str, Any],
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    loans["evaluation"]["gate"]["against_champion"] = "superior"
    result = materialize(ModelSettings.model_validate(loans), resources, instance, STAGES[3:])
    assert "equals the champion's on all" in facts(result)["reasons"]
    assert materialized(result) == EVALUATED


def test_a_worse_challenger_is_refused_with_numbers_and_the_champion_stays(
    champion: dict[str, Any],
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    loans["training"]["params"] = {"C": 1e-4}  # ranks as well, but says 0.5 to everybody
    loans["evaluation"] |= {"slices": ["grade"], "min_slice_rows": 20}
    worse = ModelSettings.model_validate(loans)

    result = materialize(worse, resources, instance, STAGES[3:])

    found = facts(result)
    assert found["roc_auc"] > 0.7, "within the limits"
    assert not checks(result)["model_passes_the_gate"]
    assert materialized(result) == EVALUATED
    assert found["loss_difference"] > 0.1
    assert found["p_value"] > 0.99
    assert found["compared_slices"] == 3
    assert "grade=c" in found["worse_slices"]
    assert f"against the champion's {found['champion_loss']:.4g} is" in found["reasons"]
    assert "the margin is 1.00%" in found["reasons"]
    assert "; ".join(stored(resources).decision.reasons) == found["reasons"]
    assert resources["tracking"].server.aliases == {"champion": 1}
    assert resources["deployment"].status("loans").model_version == 1

    alone = materialize(worse, resources, instance, ["deployed_endpoint"])
    assert "models:/loans/2 did not pass the gate: against_champion" in failure(alone)


def test_off_compares_nothing(
    champion: dict[str, Any],
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    loans["evaluation"]["gate"]["against_champion"] = "off"
    loans["training"]["params"] = {"C": 1e-4}
    result = materialize(ModelSettings.model_validate(loans), resources, instance, STAGES[3:])
    assert materialized(result) == STAGES[3:]
    assert "is off" in facts(result)["not_compared"]


def test_a_decision_against_another_champion_does_not_count(
    champion: dict[str, Any],
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    materialize(settings, resources, instance, EVALUATED)
    materialize(settings, resources, instance, EVALUATED)
    ledger, move = (
        resources["ledger"],
        Move(model="loans", to_version=2, who="ada", why="manual: x"),
    )
    with promote(move, ledger.head("loans"), tracking=resources["tracking"], ledger=ledger):
        pass

    alone = materialize(settings, resources, instance, ["deployed_endpoint"])

    assert "the champion is models:/loans/2 since models:/loans/3 was evaluated" in failure(alone)


def test_an_alias_edited_by_hand_is_not_the_champion_that_counts(
    champion: dict[str, Any],
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    materialize(settings, resources, instance, EVALUATED)
    resources["tracking"].server.aliases["champion"] = 2
    shown = facts(materialize(settings, resources, instance, STAGES[3:]))
    assert shown["champion"] == "models:/loans/1", "by the ledger"
    assert resources["tracking"].server.aliases["champion"] == 3


def test_a_champion_deleted_from_the_registry_is_said(
    champion: dict[str, Any],
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    deleted = {**resources, "tracking": WithoutTheFirst(**resources["tracking"].model_dump())}
    shown = facts(materialize(settings, deleted, instance, STAGES[3:]))
    assert (shown["champion"], shown["promoted"]) == ("none", True)
    assert shown["not_compared"] == "the champion was deleted from the registry"
    assert resources["ledger"].head("loans").to_version == 2


class Emptied(FakeRegistry):
    """A registry from which version 1 was deleted."""

    def version(self, name: str, number: int) -> ModelVersion | None:
        return None if number == 1 else super().version(name, number)


class WithoutTheFirst(FakeTracking):
    registry_class = Emptied


def test_an_evaluation_without_a_decision_is_refused(
    champion: dict[str, Any],
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    (file,) = Path(resources["io_manager"].root, "loans").glob("evaluation_report*")
    old = stored(resources).model_dump_json(exclude={"decision", "comparison", "champion"})
    file.write_text(old)
    alone = materialize(settings, resources, instance, ["deployed_endpoint"])
    (event,) = alone.filter_events(lambda e: e.is_step_failure)
    said = event.step_failure_data.error.to_string()
    assert "decision: Field required; materialize that asset again" in said
    assert materialized(alone) == []


def test_the_size_and_the_latency_of_the_servable_are_rules_with_numbers(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    loans["evaluation"]["gate"] |= {"latency_p99_ms": 1e-4, "max_size_mb": 1e-4}
    strict = ModelSettings.model_validate(loans)
    refused = materialize(strict, resources, instance)
    assert not checks(refused)["model_passes_the_gate"]
    reasons = facts(refused)["reasons"]
    measured = stored(resources).metrics
    assert f"latency_p99_ms {measured['latency_p99_ms']:.4g} is above the maximum 0.0001" in reasons
    assert f"size_mb {measured['size_mb']:.4g} is above the maximum 0.0001" in reasons
    assert measured["size_mb"] == len(resources["tracking"].server.models[0][1]) / 1e6

    loans["evaluation"]["gate"] |= {"latency_p99_ms": 60_000, "max_size_mb": 5}
    passed = materialize(ModelSettings.model_validate(loans), resources, instance, STAGES[4:])
    assert facts(passed)["promoted"]
    assert materialized(passed) == STAGES[4:]

    loans["evaluation"]["gate"] |= {"max_size_mb": 1e-4}
    alone = materialize(
        ModelSettings.model_validate(loans), resources, instance, ["deployed_endpoint"]
    )
    assert "did not pass the gate: size_mb" in failure(alone), "a limit set since it passed"


def test_worse_calibration_is_refused_although_the_ranking_is_the_same(
    champion: dict[str, Any],
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    loans["training"]["params"] = {"C": 1e-4}
    result = materialize(ModelSettings.model_validate(loans), resources, instance, STAGES[3:])
    found = facts(result)
    assert found["miscalibration"] > found["champion_miscalibration"] + 0.1
    assert "calibration: miscalibration costs" in found["reasons"]
    assert found["miscalibration_interval"].endswith("of the champion's log loss")


def test_every_version_has_a_card_with_what_changed_since_the_champion(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    loans["card"] = {"intended_use": "A clerk looks at the riskiest first."}
    first = facts(materialize(ModelSettings.model_validate(loans), resources, instance))
    assert "A clerk looks at the riskiest first." in first["model_card"]
    assert "Changes from" not in first["model_card"]

    loans["training"]["params"] = {"C": 0.5}
    loans["features"]["columns"] = ["amount"]
    loans["processing"] = {}
    settings = ModelSettings.model_validate(loans)
    second = facts(materialize(settings, resources, instance, STAGES[2:]))["model_card"]

    assert "## Changes from version 1, the champion" in second
    assert "| parameter C | - | 0.5 |" in second
    assert "| feature grade | column, string | - |" in second
    runs = list(resources["tracking"].server.runs.values())
    assert [run["texts"]["model_card.md"] for run in runs] == [first["model_card"], second]
    assert f"| data version | {runs[0]['tags']['dvc/md5']} |" in second
