"""One's own history as the retrain policy would have met it: reports, challengers, the gate's word.

The policy is asked at the end of every window of monitoring that has rows, and told of each window
once its labels have come. A training that it asks for serves from the start of the next window of
the backtest, which is where there is a version. What is reported is `ml.backtest.reports`.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.ml.backtest.advice import Judged
from mlops_assets.ml.backtest.history import History
from mlops_assets.ml.backtest.reports import Reports
from mlops_assets.ml.backtest.ticks import Replayed, Training
from mlops_assets.ml.evaluation.gate import compare, decide
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.records.monitoring import PerformanceSummary, Window
from mlops_assets.records.retraining import Signals


class Part(NamedTuple):
    """The rows of one window of the backtest that lie in one of monitoring."""

    window: int
    span: Window
    rows: slice
    over: datetime
    known: datetime
    """When the last of their labels has come."""


@dataclass(frozen=True)
class OwnPast:
    """From version `first` on, that has a window that could be held out."""

    history: History
    judged: Sequence[Judged]
    first: int
    reports: Reports

    @cached_property
    def parts(self) -> list[Part]:
        """Of all windows but the newest: what is decided in that one serves in none."""
        last = len(self.history.windows) - 1
        return [part for number in range(self.first, last) for part in self._parts(number)]

    @cached_property
    def moments(self) -> list[datetime]:
        """See `Past`."""
        return [part.over for part in self.parts]

    def signals(self, number: int, served: Sequence[int], newest: int) -> Signals:
        """See `Past`; every window has new content."""
        live, part = served[-1], self.parts[number]
        watched = self.history.settings.monitoring.performance.windows
        matured = bisect_right(self._known, self.moments[number])
        unseen = bisect_right(self._starts, self._since(live) - 1)
        return Signals(
            drift=(self.reports.drifted(live, part.span, part.rows),),
            performance=tuple(
                self._performance(live, seen) for seen in range(unseen, matured)[-watched:]
            ),
            estimate=self._performance(live, number),
            fingerprint=str(number),
            new_labels=self._labels(matured) - self._since(newest),
        )

    def train(self, number: int, live: int) -> Training:
        """See `Past`."""
        version = self.parts[number].window + 1
        ready = bisect_right([part.window for part in self.parts], version - 1)
        return Training(version, ready, self.passes(version, live))

    def passes(self, version: int, live: int) -> bool:
        """The gate's word: limits of what the reports measure, and the rule against `live`."""
        settings, judged = self.history.settings, self.judged[self.history.held_out(version)]
        losses = judged.losses
        comparison = compare(
            losses[min(live, len(losses) - 1)],  # who has learnt from the window is not told apart
            losses[-1],
            task=settings.target.task,
            settings=settings.evaluation,
            clusters=judged.entities,
        )
        metrics, gate = self.reports.held_out_metrics(version), settings.evaluation.gate
        limits = {name: limit for name, limit in gate.limits.items() if name in metrics}
        return decide(metrics, comparison, gate.model_copy(update={"limits": limits})).promoted

    def by_window(self, replayed: Replayed) -> list[int]:
        """The version of each window from `first` on."""
        pairs = zip(self.parts, replayed.served, strict=True)
        return [*{part.window: version for part, version in pairs}.values(), replayed.last]

    @cached_property
    def _known(self) -> list[datetime]:
        return [part.known for part in self.parts]

    @cached_property
    def _starts(self) -> list[int]:
        return [part.rows.start for part in self.parts]

    def _performance(self, version: int, number: int) -> PerformanceSummary:
        part = self.parts[number]
        return self.reports.performance(version, part.span, part.rows)

    def _since(self, version: int) -> int:
        return self.history.versions[version].rows

    def _labels(self, matured: int) -> int:
        """Places of all rows whose labels have come."""
        return self.parts[matured - 1].rows.stop if matured else self._since(self.first)

    def _parts(self, number: int) -> list[Part]:
        settings, window = self.history.settings, self.history.windows[number]
        rows, length = self.history.places(number), settings.monitoring.window
        moments = self.history.labelled[TIMESTAMP].iloc[rows].astype("datetime64[ns, UTC]")
        starts = moments.dt.floor(pd.Timedelta(length)).array
        edges = np.flatnonzero(starts[1:] != starts[:-1]) + 1
        found = []
        for low, high in pairwise([0, *edges.tolist(), len(starts)]):
            end = starts[low] + length
            found.append(
                Part(
                    window=number,
                    span=Window(
                        start=max(starts[low], window.start).to_pydatetime(),
                        end=end.to_pydatetime(),
                    ),
                    rows=slice(rows.start + low, rows.start + high),
                    over=min(end, window.end).to_pydatetime(),
                    known=(moments.iloc[high - 1] + settings.label_delay).to_pydatetime(),
                )
            )
        return found
