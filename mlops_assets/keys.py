"""The asset keys of one model, spelled in one place."""

from typing import Literal, get_args

import dagster as dg

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

LEFT_OUT = "left_out"
"""Group of the asset that stands for a folder of `defs/` which cannot be loaded."""


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
