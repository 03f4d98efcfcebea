"""The labelled past of a model: its rows in windows, and what its versions say of them.

How the versions are made is `ml.backtest.replay`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.ml.backtest.windows import Window
from mlops_assets.ml.frames import TIMESTAMP, label_array


class Version(NamedTuple):
    """What was trained at a moment, and what it says of all rows that it has not learnt from."""

    trained_at: pd.Timestamp
    rows: int
    """Trained on: the first so many."""
    scores: np.ndarray
    """Of all others, shape (others, k)."""
    classes: Sequence[object]


@dataclass(frozen=True)
class History:
    """Rows by time, windows, and one version per window, trained at its start."""

    labelled: pd.DataFrame
    settings: ModelSettings
    windows: Sequence[Window]
    versions: Sequence[Version]

    @cached_property
    def actual(self) -> np.ndarray:
        """Targets of all rows."""
        target = self.settings.target
        return label_array(self.labelled[target.name], target.task)

    def places(self, number: int) -> slice:
        """The rows of a window."""
        window = self.windows[number]
        return slice(places(self.labelled, window.start), places(self.labelled, window.end))

    def scores(self, version: int, rows: slice) -> np.ndarray:
        """Of a version, rows that it has not learnt from."""
        one = self.versions[version]
        return one.scores[rows.start - one.rows : rows.stop - one.rows]

    @cached_property
    def first(self) -> int | None:
        """The first version that has a window which could be held out; None: no version has."""
        known = [version.trained_at - self.settings.label_delay for version in self.versions]
        return next((n for n, moment in enumerate(known) if self.windows[0].end <= moment), None)

    def held_out(self, version: int) -> int:
        """The window that the gate would have held out when a version was trained.

        The newest whose labels were all known then; who is judged there is the version that was
        trained at its start. Of versions from `first` on.
        """
        known = self.versions[version].trained_at - self.settings.label_delay
        return max(number for number in range(version) if self.windows[number].end <= known)


def places(labelled: pd.DataFrame, moment: pd.Timestamp) -> int:
    """How many rows, which stand by time, are not later than a moment."""
    return int(labelled[TIMESTAMP].searchsorted(moment, side="right"))
