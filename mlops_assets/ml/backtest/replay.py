"""A version trained at the start of each window, and its losses in that window and all later ones.

Versions are fitted on every row whose label was known then. A training of the pipeline holds out
`training.split` of them for its gate too, so its versions are older by that; the differences
between ages are the same. What follows from the losses is in `ml.backtest.advice`.
"""

import numpy as np
import pandas as pd

from mlops_assets.blocks.training import AUTO
from mlops_assets.config import ModelSettings
from mlops_assets.errors import BacktestError, NotComparableError, TrainingError
from mlops_assets.ml.backtest.advice import Judged, advised
from mlops_assets.ml.backtest.history import History, Version
from mlops_assets.ml.backtest.policies import replayed
from mlops_assets.ml.backtest.windows import (
    Window,
    chosen_windows,
    known_at,
    labelled_rows,
    require_known_classes,
)
from mlops_assets.ml.evaluation.gate import row_losses
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.ml.training.choice import choose
from mlops_assets.ml.training.fit import fit
from mlops_assets.records.backtest import BacktestReport, TestedWindow


def backtest(
    rows: pd.DataFrame, settings: ModelSettings, *, most: int = 8, window: str | None = None
) -> BacktestReport:
    """Replay the history of a model, one fit per window.

    `training.tune` is left out, so that what it searches is as by default; an estimator `auto` is
    chosen once, on what was known at the first training.

    Args:
        rows: Entity, event_timestamp, features and target, as the asset `features` has them.
        settings: Of the model.
        most: At most so many windows, the newest.
        window: Length of each, e.g. `1 month`; by default chosen by the history.

    Raises:
        BacktestError: No timestamp, too short a history, a window without labels, or rows of some
            moment that allow no version.
    """
    labelled = labelled_rows(rows, settings)
    length, windows = chosen_windows(labelled, settings, most, window)
    require_known_classes(labelled, settings, length, windows)
    settings = _with_estimator(labelled, settings, windows[0])
    versions = [_trained(labelled, settings, each) for each in windows]
    history = History(labelled, settings, windows, versions)
    judged = [_judged(history, number) for number in range(len(windows))]
    tested = tuple(
        TestedWindow(
            start=each.start.to_pydatetime(),
            end=each.end.to_pydatetime(),
            rows=judged[number].losses.shape[1],
            train_rows=versions[number].rows,
            loss=float(judged[number].losses[-1].mean()),
            first_loss=float(judged[number].losses[0].mean()),
        )
        for number, each in enumerate(windows)
    )
    return advised(judged, tested, length, settings, replayed(history, judged))


def _with_estimator(
    labelled: pd.DataFrame, settings: ModelSettings, first: Window
) -> ModelSettings:
    if settings.training.estimator != AUTO:
        return settings
    try:
        return choose(known_at(labelled, first.start, settings), settings)[0]
    except TrainingError as err:
        raise _impossible(first.start, err) from err


def _trained(labelled: pd.DataFrame, settings: ModelSettings, window: Window) -> Version:
    train = known_at(labelled, window.start, settings)
    rest = labelled.iloc[len(train) :]
    try:
        model = fit(train, settings)
        scored = Scored.of(model, rest, settings)
        return Version(window.start, len(train), scored.scores, scored.classes)
    except TrainingError as err:
        raise _impossible(window.start, err) from err


def _judged(history: History, number: int) -> Judged:
    """The window beside the versions that were trained by its start."""
    settings, rows = history.settings, history.places(number)
    losses = []
    for version in range(number + 1):
        scores, classes = history.scores(version, rows), history.versions[version].classes
        try:
            found = row_losses(scores, history.actual[rows], settings.target.task, classes)
        except NotComparableError as err:
            raise _impossible(history.versions[version].trained_at, err) from err
        losses.append(found)
    return Judged(history.labelled[settings.key.name].to_numpy()[rows], np.array(losses))


def _impossible(moment: pd.Timestamp, err: Exception) -> BacktestError:
    return BacktestError(
        f"the version of {moment:%Y-%m-%d}: {err}; give fewer --windows or a shorter --window, so "
        "that the first version is trained later"
    )
