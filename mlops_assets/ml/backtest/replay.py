"""A version trained at the start of each window, and its losses in that window and all later ones.

Versions are fitted on every row whose label was known then. A training of the pipeline holds out
`training.split` of them for its gate too, so its versions are older by that; the differences
between ages are the same. What follows from the losses is in `ml.backtest.advice`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.blocks.training import AUTO
from mlops_assets.config import ModelSettings
from mlops_assets.errors import BacktestError, NotComparableError, TrainingError
from mlops_assets.ml.backtest.advice import Judged, advised
from mlops_assets.ml.backtest.windows import Window, chosen_windows, known_at, labelled_rows
from mlops_assets.ml.estimators import Estimator
from mlops_assets.ml.evaluation.gate import row_losses
from mlops_assets.ml.frames import label_array
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.ml.training.choice import choose
from mlops_assets.ml.training.fit import fit
from mlops_assets.records.backtest import BacktestReport, TestedWindow


class Version(NamedTuple):
    """What was trained at a moment, and on how many rows."""

    trained_at: pd.Timestamp
    rows: int
    model: Estimator


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
    settings = _with_estimator(labelled, settings, windows[0])
    versions = [_trained(labelled, settings, each) for each in windows]
    judged = [
        _judged(each.rows(labelled), versions[: number + 1], settings)
        for number, each in enumerate(windows)
    ]
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
    return advised(judged, tested, length, settings)


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
    train = known_at(labelled, window.start, settings).reset_index(drop=True)
    try:
        return Version(window.start, len(train), fit(train, settings))
    except TrainingError as err:
        raise _impossible(window.start, err) from err


def _judged(rows: pd.DataFrame, versions: Sequence[Version], settings: ModelSettings) -> Judged:
    task = settings.target.task
    actual = label_array(rows[settings.target.name], task)
    losses = []
    for version in versions:
        scored = Scored.of(version.model, rows, settings)
        try:
            losses.append(row_losses(scored.scores, actual, task, scored.classes))
        except NotComparableError as err:
            raise _impossible(version.trained_at, err) from err
    return Judged(rows[settings.key.name].to_numpy(), np.array(losses))


def _impossible(moment: pd.Timestamp, err: Exception) -> BacktestError:
    return BacktestError(
        f"the version of {moment:%Y-%m-%d}: {err}; give fewer --windows, so that the first version "
        "is trained later"
    )
