"""Tuning between tracking and pure functions: search, log each trial, show how it went."""

from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.metadata import pictures
from mlops_assets.ml.plots.evaluation import tuning_plot
from mlops_assets.ml.training.tuning import (
    HIGHER_IS_BETTER,
    SearchTrial,
    Tuning,
    tune,
    tuning_metric,
    with_params,
)
from mlops_assets.progress import PROGRESS
from resources.tracking.run import MLflowRun


def tuned(
    train: pd.DataFrame, settings: ModelSettings, run: MLflowRun
) -> tuple[ModelSettings, dict[str, Any]]:
    """The settings with the parameters that a search chose, and the search as metadata.

    Each trial is a run below the open one. Without `training.tune` nothing happens.
    """
    wanted = settings.training.tune
    if wanted is None:
        return settings, {}
    log, metric = dg.get_dagster_logger(), tuning_metric(settings, wanted)

    def on_trial(trial: SearchTrial, best: SearchTrial | None) -> None:
        log_trial(trial, metric, run)
        found = f"{metric} {trial.value:.4g}" if trial.value is not None else trial.state
        leader = f", best {best.value:.4g} (trial {best.number + 1})" if best else ""
        progress = f"{PROGRESS}trial {trial.number + 1} of {wanted.trials}: {found}{leader}"
        log.info(progress)

    search = tune(train, settings, wanted, on_trial)
    return with_params(settings, search.best.params), tuning_metadata(search)


def log_trial(trial: SearchTrial, metric: str, run: MLflowRun) -> None:
    """One run below the open one: the parameters, and the metric if it got that far."""
    tags = {"tuning/trial": str(trial.number + 1), "tuning/state": trial.state}
    with run.child(f"trial {trial.number + 1}", tags) as child:
        child.log_params(trial.params)
        if trial.value is not None:
            child.log_metrics({f"tuning_{metric}": trial.value})


def tuning_metadata(search: Tuning) -> dict[str, Any]:
    """A search as metadata of the asset."""
    states, values = zip(*[(trial.state, trial.value) for trial in search.trials], strict=True)
    higher = search.metric in HIGHER_IS_BETTER
    plot = tuning_plot(values, search.metric, higher_is_better=higher)
    return {
        "tuning_trials": len(states),
        "tuning_pruned": states.count("pruned"),
        "tuning_failed": states.count("failed"),
        f"tuning_best_{search.metric}": search.best.value,
        "tuning_best_params": dg.MetadataValue.json(search.best.params),
        **pictures({"tuning": plot}),
    }
