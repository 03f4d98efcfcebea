"""Choosing the estimator's parameters by search, on the training rows alone.

Trials are judged on folds that lie in the training rows, later than what they are trained on; the
held-out rows of the evaluation stay unseen. Optuna is imported inside functions: 1 CPU second, and
an extra that only `training.tune` needs.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import isfinite, log
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.blocks.training import SearchSpace, TuneSettings
from mlops_assets.config import ModelSettings
from mlops_assets.errors import EvaluationError, TrainingError
from mlops_assets.ml.evaluation.metrics import evaluate
from mlops_assets.ml.frames import TIMESTAMP, Split
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.ml.training.fit import fit
from mlops_assets.ml.training.held_out import places

HIGHER_IS_BETTER = frozenset({"roc_auc", "accuracy", "f1_macro", "r2"})
_STARTUP_TRIALS = 5

State = Literal["complete", "pruned", "failed"]
_STATES: dict[str, State] = {"COMPLETE": "complete", "PRUNED": "pruned"}


class SearchTrial(NamedTuple):
    """One set of parameters that was tried."""

    number: int
    params: dict[str, Any]
    state: State
    value: float | None
    """Mean of the metric over the folds; None unless complete."""


class Tuning(NamedTuple):
    """A finished search."""

    metric: str
    trials: list[SearchTrial]
    best: SearchTrial


def tune(
    train: pd.DataFrame,
    settings: ModelSettings,
    wanted: TuneSettings,
    on_trial: Callable[[SearchTrial, SearchTrial | None], object],
) -> Tuning:
    """Search `wanted`; without its `timeout`, equal rows and settings give an equal result.

    Trials are drawn by the tree-structured Parzen estimator (Bergstra et al. 2011, Algorithms for
    Hyper-Parameter Optimization) from `training.seed`, and ended early by the median rule.

    Args:
        train: `Split.train`.
        settings: Of the model.
        wanted: Its `training.tune`.
        on_trial: Called after each trial, with it and the best one so far.

    Raises:
        TrainingError: Optuna is not installed, the folds are too small, or every trial failed.
    """
    optuna = _optuna()
    metric = tuning_metric(settings, wanted)
    folds = validation_folds(train, settings, wanted.folds)
    failures: list[str] = []

    def objective(trial: Any) -> float:
        params = {name: _suggest(trial, name, space) for name, space in wanted.params.items()}
        try:
            return _cross_validate(trial, folds, with_params(settings, params), metric)
        except TrainingError as err:
            failures.append(str(err))
            raise

    def report(study: Any, trial: Any) -> None:
        on_trial(_trial(trial, metric), _best(study, metric))

    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=settings.training.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP_TRIALS)
        if wanted.prune
        else optuna.pruners.NopPruner(),
    )
    study.optimize(
        objective,
        n_trials=wanted.trials,
        timeout=wanted.timeout.total_seconds() if wanted.timeout else None,
        catch=(TrainingError,),
        callbacks=[report],
    )
    best = _best(study, metric)
    if best is None:
        raise TrainingError(
            f"none of {len(study.trials)} trials could be fitted, the last one because: "
            f"{failures[-1] if failures else 'the time was over'}; correct training.tune"
        )
    return Tuning(metric, [_trial(trial, metric) for trial in study.trials], best)


def tuning_metric(settings: ModelSettings, wanted: TuneSettings) -> str:
    """The metric that trials are compared by."""
    if wanted.metric == "primary":
        return settings.evaluation.primary
    return "rmse" if settings.target.task == "regression" else "log_loss"


def with_params(settings: ModelSettings, params: dict[str, Any]) -> ModelSettings:
    """The settings with these parameters of the estimator beside those that are fixed."""
    merged = {**settings.training.params, **params}
    training = settings.training.model_copy(update={"params": merged})
    return settings.model_copy(update={"training": training})


def validation_folds(train: pd.DataFrame, settings: ModelSettings, folds: int) -> list[Split]:
    """Parts of the training rows to train trials on and to judge them by, the oldest fold first.

    By time: the moments are cut into `folds + 1` consecutive parts of about equally many rows; each
    part but the first is once the judge of what came before, less the rows whose label window
    reaches into it, as `ml.training.fit.split` does. At random: each entity judges in one fold.

    Raises:
        TrainingError: A fold would be empty.
    """
    by_time = settings.split.by == "time"
    masks = (_by_time if by_time else _by_entity)(train, settings, folds)
    for number, (fitted, judged) in enumerate(masks, 1):
        if not fitted.any() or not judged.any():
            raise TrainingError(
                f"fold {number} of {folds} has {int(fitted.sum())} rows to train on and "
                f"{int(judged.sum())} to judge by, of {len(train)}; lower training.tune.folds or "
                "provide more data"
            )
    return [Split(*(train[part].reset_index(drop=True) for part in fold)) for fold in masks]


def _by_time(
    train: pd.DataFrame, settings: ModelSettings, folds: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    moments = train[TIMESTAMP].sort_values(ignore_index=True)
    positions = [round(len(moments) * part / (folds + 1)) for part in range(1, folds + 1)]
    starts = [*(moments.iloc[min(at, len(moments) - 1)] for at in positions), None]
    window = settings.target.window
    masks = []
    for start, end in pairwise(starts):
        judged = train[TIMESTAMP] >= start
        if end is not None:
            judged &= train[TIMESTAMP] < end
        before = train[TIMESTAMP] < start if window is None else train[TIMESTAMP] + window <= start
        masks.append((before.to_numpy(), judged.to_numpy()))
    return masks


def _by_entity(
    train: pd.DataFrame, settings: ModelSettings, folds: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    fold = np.floor(places(train, settings) * max(folds, 2))
    return [(fold != number, fold == number) for number in range(folds)]


def _cross_validate(
    trial: Any, folds: Sequence[Split], settings: ModelSettings, metric: str
) -> float:
    """Mean cost over the folds, reported after each so that a bad trial ends early."""
    import optuna

    costs: list[float] = []
    mean = float("inf")
    for number, (fitted, judged) in enumerate(folds):
        try:
            scored = Scored.of(fit(fitted, settings), judged, settings)
            metrics = evaluate(scored, judged[settings.target.name])
        except EvaluationError as err:
            raise TrainingError(f"fold {number + 1}: {err}; lower training.tune.folds") from err
        costs.append(_cost(metrics[metric], metric))
        mean = float(np.mean(costs))
        trial.report(mean, number)
        if number + 1 < len(folds) and trial.should_prune():
            raise optuna.TrialPruned
    return mean


def _cost(value: float, metric: str) -> float:
    """What the search lowers: a ratio should be near 1, a bias near 0."""
    if metric in HIGHER_IS_BETTER:
        return -value
    if metric == "calibration_ratio":
        return abs(log(value)) if value > 0 and isfinite(value) else float("inf")
    return abs(value)


def _value(cost: float, metric: str) -> float:
    """A mean cost in the metric's own terms; of a ratio or a bias, how far it is off."""
    return -cost if metric in HIGHER_IS_BETTER else cost


def _suggest(trial: Any, name: str, space: SearchSpace) -> Any:
    if space.type == "choice":
        return trial.suggest_categorical(name, list(space.choices))
    if space.type == "int":
        return trial.suggest_int(name, int(space.low or 0), int(space.high or 0), log=space.log)
    return trial.suggest_float(name, space.low, space.high, log=space.log)


def _trial(trial: Any, metric: str) -> SearchTrial:
    state = _STATES.get(trial.state.name, "failed")
    value = _value(trial.value, metric) if state == "complete" else None
    return SearchTrial(trial.number, dict(trial.params), state, value)


def _best(study: Any, metric: str) -> SearchTrial | None:
    complete = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    if not complete:
        return None
    # Of equals the first, so that the answer does not hang on how Optuna breaks ties.
    best = min(complete, key=lambda trial: (trial.value, trial.number))
    return _trial(best, metric)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as err:
        raise TrainingError(
            "training.tune needs Optuna, which is not installed; pip install 'mlops-assets[tune]', "
            "or remove training.tune"
        ) from err
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # our caller shows the progress
    return optuna
