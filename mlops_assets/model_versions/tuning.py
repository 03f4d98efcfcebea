"""Tuning between tracking and pure functions: log each trial, show how the search went."""

from collections.abc import Callable
from typing import Any

import dagster as dg

from mlops_assets.config import ModelSettings
from mlops_assets.metadata import named_values, pictures
from mlops_assets.ml.plots.training import tuning_plot
from mlops_assets.ml.training.tuning import (
    HIGHER_IS_BETTER,
    SearchTrial,
    Tuning,
    tuning_metric,
)
from mlops_assets.progress import PROGRESS
from resources.tracking.run import MLflowRun


def trial_log(
    settings: ModelSettings, run: MLflowRun
) -> Callable[[SearchTrial, SearchTrial | None], None]:
    """What logs each trial of `training.tune` as a run below the open one, and tells of it."""
    log, wanted = dg.get_dagster_logger(), settings.training.tune
    if wanted is None:
        return lambda *_: None
    metric = tuning_metric(settings, wanted)

    def on_trial(trial: SearchTrial, best: SearchTrial | None) -> None:
        log_trial(trial, metric, run)
        found = f"{metric} {trial.value:.4g}" if trial.value is not None else trial.state
        leader = f", best {best.value:.4g} (trial {best.number + 1})" if best else ""
        progress = f"{PROGRESS}trial {trial.number + 1} of {wanted.trials}: {found}{leader}"
        log.info(progress)

    return on_trial


def log_trial(trial: SearchTrial, metric: str, run: MLflowRun) -> None:
    """One run below the open one: the parameters, and the metric if it got that far."""
    tags = {"tuning/trial": str(trial.number + 1), "tuning/state": trial.state}
    with run.child(f"trial {trial.number + 1}", tags) as child:
        child.log_params(trial.params)
        if trial.value is not None:
            child.log_metrics({f"tuning_{metric}": trial.value})


def tuning_metadata(search: Tuning | None) -> dict[str, Any]:
    """A search as metadata of the asset."""
    if search is None:
        return {}
    states, values = zip(*[(trial.state, trial.value) for trial in search.trials], strict=True)
    higher = search.metric in HIGHER_IS_BETTER
    plot = tuning_plot(values, search.metric, higher_is_better=higher)
    return {
        "tuning_trials": len(states),
        "tuning_pruned": states.count("pruned"),
        "tuning_failed": states.count("failed"),
        f"tuning_best_{search.metric}": search.best.value,
        "tuning_best_params": named_values(search.best.params),
        **pictures({"tuning": plot}),
    }
