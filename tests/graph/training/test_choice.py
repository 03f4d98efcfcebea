"""A model whose estimator is chosen, materialized in process on fakes."""

from typing import Any

import dagster as dg

from mlops_assets.config import ModelSettings
from mlops_assets.model_versions.provenance import read_record
from mlops_assets.records.evaluation import ModelCard
from tests.support.runs.pipeline_runs import materialize, metadata

STAGES = ["raw_data", "processed_data", "features", "trained_model", "evaluation_report"]


def test_the_choice_stands_in_metadata_run_record_and_card(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    loans["training"]["estimator"] = "auto"
    loans["training"].pop("params", None)
    settings = ModelSettings.model_validate(loans)

    result = materialize(settings, resources, instance, STAGES)

    facts, tracking = metadata(result, "loans", "trained_model"), resources["tracking"]
    version = tracking.registry.version("loans", 1)
    choice = read_record(version, tracking).choice
    assert choice is not None
    assert facts["estimator_chosen"] == choice.taken
    compared = [row["name"] for row in facts["estimator_candidates"]]
    assert compared == [each.name for each in choice.candidates]
    assert "boosted trees" in compared
    (taken,) = [each for each in choice.candidates if each.name == choice.taken]
    run = tracking.server.runs[version.run_id]
    assert run["params"]["estimator"] == taken.estimator
    assert run["metrics"][f"auto_{taken.name.replace(' ', '_')}_loss"] == taken.loss
    card = ModelCard.model_validate_json(tracking.run_of(version).read_text("model_card.json"))
    assert (card.estimator, card.choice) == (taken.estimator, choice)
    text = tracking.run_of(version).read_text("model_card.md")
    assert f"{choice.folds} folds of the training rows: {choice.taken}." in text
