"""The asset keys and partitions of one model, spelled in one place."""

from functools import cache
from typing import Any, Literal, get_args

import dagster as dg

from mlops_assets.config import ModelSettings

TrainingStage = Literal[
    "raw_data",
    "processed_data",
    "features",
    "trained_model",
    "reference_profile",
    "evaluation_report",
    "deployed_endpoint",
]
MonitoringStage = Literal[
    "prediction_log",
    "labels",
    "drift_report",
    "performance_report",
    "skew_report",
]
ScoringStage = Literal["batch_predictions"]
BacktestStage = Literal["backtest"]
Stage = TrainingStage | MonitoringStage | ScoringStage | BacktestStage

BACKTESTS = "Backtests"
"""Group of the backtests of all models; no model can be called so."""

STATUS_PAGE = dg.AssetKey(["status_page"])
"""Of all models, as no other asset."""

PARTITION, FIRST_OF_RANGE = "dagster/partition", "dagster/asset_partition_range_start"
"""Run tags: the partition that is asked for, or the first of several."""

LEFT_OUT = "left_out"
"""Group of the asset that stands for a folder of `defs/` which cannot be loaded."""


@cache  # each is named some eight times, 200 bytes each
def asset_key(model: str, stage: Stage) -> dg.AssetKey:
    """Key of one stage of a model, e.g. `customers/trained_model`."""
    return dg.AssetKey([model, stage])


def pool(model: str) -> str:
    """The pool of all steps of a model, in which one run at a time has a place."""
    return f"model/{model}"


def monitoring_selection(model: str) -> dg.AssetSelection:
    """Those stages of a model that watch it: a retraining must not re-run its own trigger."""
    others = (*get_args(TrainingStage), *get_args(ScoringStage))
    group = dg.AssetSelection.groups(model)
    return group - dg.AssetSelection.assets(*(asset_key(model, stage) for stage in others))


def is_training(key: dg.AssetKey) -> bool:
    """Whether the asset is a stage on the way to the endpoint."""
    return key.path[-1] in get_args(TrainingStage)


def partitions_of(settings: ModelSettings) -> dg.TimeWindowPartitionsDefinition | None:
    """The partitions of a model's data, that of now among them; None if it has none."""
    if settings.partitions is None:
        return None
    start = settings.partitions.start.isoformat()
    if settings.partitions.cadence == "day":
        return dg.DailyPartitionsDefinition(start, end_offset=1)
    if settings.partitions.cadence == "week":
        return dg.WeeklyPartitionsDefinition(start, day_offset=1, end_offset=1)
    return dg.MonthlyPartitionsDefinition(start, end_offset=1)


def partitioned(settings: ModelSettings) -> dict[str, Any]:
    """Arguments of `dagster.asset` for one with partitions: a backfill of any length is one run."""
    return {
        "partitions_def": partitions_of(settings),
        "backfill_policy": dg.BackfillPolicy.single_run(),
    }


def tags_of_now(partitions: dg.PartitionsDefinition | None) -> dict[str, str]:
    """Tags of a run for which nobody chose partitions: that of now, which is not over yet.

    Whatever else is missing or changed is materialized with it, so no run needs to know that.
    """
    newest = partitions.get_last_partition_key() if partitions else None
    return {PARTITION: newest} if newest else {}
