"""Where some of the training rows are fitted, a version says which, and reproduces."""

from typing import Any

import dagster as dg

from mlops_assets.config import ModelSettings
from mlops_assets.model_versions.provenance import read_record
from mlops_assets.records.evaluation import ModelCard
from mlops_assets.records.files import CARD_FILE
from tests.support.runs.pipeline_runs import materialize, metadata

STAGES = ["raw_data", "processed_data", "features", "trained_model", "evaluation_report"]


def test_a_version_says_which_rows_were_fitted_and_comes_out_the_same_again(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    loans["training"]["sample"] = {"rows": 60, "stratify": True}
    settings, tracking = ModelSettings.model_validate(loans), resources["tracking"]
    result = materialize(settings, resources, instance, STAGES)
    again = materialize(settings, resources, instance, STAGES)

    facts = metadata(result, "loans", "trained_model")
    assert facts["fitted_rows"] == 60 < facts["train_rows"]
    versions = [tracking.registry.version("loans", number) for number in (1, 2)]
    assert tracking.server.runs[versions[0].run_id]["params"]["sample"] == facts["sample"]
    card = ModelCard.model_validate_json(tracking.run_of(versions[0]).read_text(CARD_FILE))
    assert card.sample is not None
    assert sum(one.rows for one in card.sample.strata) == facts["train_rows"]
    assert card.sample.said in metadata(result, "loans", "evaluation_report")["model_card"]

    first, second = (read_record(version, tracking) for version in versions)
    assert metadata(again, "loans", "trained_model")["sample"] == facts["sample"]
    assert first.prediction_sha256 == second.prediction_sha256
