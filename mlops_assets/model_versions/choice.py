"""`training.estimator: auto` between tracking and pure functions: log, repeat, show."""

from typing import Any

import dagster as dg

from mlops_assets.blocks.training import AUTO
from mlops_assets.config import ModelSettings
from mlops_assets.metadata import typed_table
from mlops_assets.ml.rows import to_row
from mlops_assets.ml.training.choice import candidates
from mlops_assets.ml.training.tuning import with_params
from mlops_assets.model_versions.provenance import read_record
from mlops_assets.records.evaluation import ModelVersion
from mlops_assets.records.reproduction import EstimatorChoice, TrainingRecord
from resources.tracking.run import MLflowRun
from resources.tracking.tracking import MLflowTracking


def log_choice(choice: EstimatorChoice, taken: ModelSettings, run: MLflowRun) -> None:
    """The loss of each candidate as a metric of the open run."""
    dg.get_dagster_logger().info("estimator: %s, %s", choice.taken, taken.training.estimator)
    run.log_metrics(
        {
            f"auto_{each.name.replace(' ', '_')}_loss": each.loss
            for each in choice.candidates
            if each.loss is not None
        }
    )


def as_chosen(settings: ModelSettings, record: TrainingRecord) -> ModelSettings:
    """The settings with what a version's training chose in place of `auto`."""
    if record.choice is None:
        return settings
    return candidates(settings)[record.choice.taken]


def as_fitted(
    model: ModelVersion, settings: ModelSettings, tracking: MLflowTracking
) -> tuple[ModelSettings, EstimatorChoice | None]:
    """The settings with the estimator and parameters that the version was fitted with."""
    if not settings.training.tune and settings.training.estimator != AUTO:
        return settings, None
    record = read_record(model, tracking)
    return with_params(as_chosen(settings, record), record.params), record.choice


def choice_metadata(choice: EstimatorChoice | None) -> dict[str, Any]:
    """A choice as metadata of the asset."""
    if choice is None:
        return {}
    shown = ["name", "loss", "excess", "standard_error"]
    if any(each.failed for each in choice.candidates):
        shown.append("failed")
    compared = typed_table([to_row(each) for each in choice.candidates], shown)
    return {"estimator_chosen": choice.taken, "estimator_candidates": compared}
