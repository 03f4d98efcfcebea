"""A whole training: the estimator is chosen, its parameters are searched, and it is fitted.

Each of the three stands in a module of its own; what was found on the way is told as it is found.
"""

from collections.abc import Callable
from typing import NamedTuple

from mlops_assets.blocks.training import AUTO
from mlops_assets.config import ModelSettings
from mlops_assets.ml.estimators import Pipeline
from mlops_assets.ml.file_part import Part, in_memory
from mlops_assets.ml.training.choice import choose
from mlops_assets.ml.training.fit import fit
from mlops_assets.ml.training.many_rows.growing import Grow, grown_here
from mlops_assets.ml.training.tuning import SearchTrial, Tuning, tune, with_params
from mlops_assets.records.reproduction import EstimatorChoice


class Training(NamedTuple):
    """What a training came to."""

    model: Pipeline
    """Fitted."""
    settings: ModelSettings
    """With the estimator and the parameters that were chosen."""
    choice: EstimatorChoice | None
    """Of `training.estimator: auto`."""
    search: Tuning | None
    """Of `training.tune`."""


def train_pipeline(
    rows: Part,
    settings: ModelSettings,
    on_choice: Callable[[EstimatorChoice, ModelSettings], object] = lambda *_: None,
    on_trial: Callable[[SearchTrial, SearchTrial | None], object] = lambda *_: None,
    grow: Grow = grown_here,
) -> Training:
    """Choose, tune and fit on `rows`, those of `Split.train`.

    Args:
        rows: As `ml.training.fit.split` returns them.
        settings: Of the model.
        on_choice: Called with a choice and the settings that it led to, before the next step.
        on_trial: As of `tune`.
        grow: As of `fit`.

    Raises:
        TrainingError: As `choose`, `tune` and `fit`.
    """
    choice, search = None, None
    if settings.training.estimator == AUTO:
        settings, choice = choose(in_memory(rows), settings)
        on_choice(choice, settings)
    if settings.training.tune is not None:
        search = tune(in_memory(rows), settings, settings.training.tune, on_trial)
        settings = with_params(settings, search.best.params)
    return Training(fit(rows, settings, grow), settings, choice, search)
