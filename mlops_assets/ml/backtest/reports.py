"""What monitoring would have reported of some rows of a history, had a version answered them.

By the functions that report it in operation. A version's reference, its held-out metrics and its
profile, is of the window that `History.held_out` names.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np
import pandas as pd

from mlops_assets.ml.backtest.history import History
from mlops_assets.ml.frames import TIMESTAMP, select_features
from mlops_assets.ml.monitoring import drift, performance
from mlops_assets.ml.monitoring.profiles import PREDICTION, profile, profile_reference
from mlops_assets.records.monitoring import DriftSummary, PerformanceSummary, Window
from mlops_assets.records.profile import Ageing, Profile


@dataclass(frozen=True)
class Reports:
    """Made once for each version and window, when they are asked for."""

    history: History
    _drifted: dict[tuple[int, int], DriftSummary] = field(default_factory=dict)
    _performance: dict[tuple[int, int], PerformanceSummary] = field(default_factory=dict)
    _profiles: dict[int, Profile] = field(default_factory=dict)
    _metrics: dict[int, dict[str, float]] = field(default_factory=dict)
    _probabilities: dict[int, np.ndarray] = field(default_factory=dict)

    def drifted(self, version: int, span: Window, rows: slice) -> DriftSummary:
        """Against the version's held-out rows, whatever `monitoring.drift.reference` says."""
        key = version, rows.start
        if key not in self._drifted:
            reference = self._profile(version)
            bins = {name: column.bins for name, column in reference.columns.items()}
            live = profile(self._columns(version, rows), bins, self._moments(rows))
            settings = self.history.settings
            self._drifted[key] = drift.summarize(reference, live, settings, version, span)
        return self._drifted[key]

    def performance(self, version: int, span: Window, rows: slice) -> PerformanceSummary:
        """With every label, and with the estimate that was made before they came."""
        key = version, rows.start
        if key not in self._performance:
            self._performance[key] = performance.summarize(
                self._answers(version, rows).assign(calibrated=self._calibrated(version, rows)),
                span,
                self.history.settings,
                reference=self.held_out_metrics(version),
                known_until=self._end,
            )
        return self._performance[key]

    def held_out_metrics(self, version: int) -> dict[str, float]:
        """What the gate would have measured; empty of fewer rows than reports need."""
        if version not in self._metrics:
            window = self.history.held_out(version)
            span = Window(
                start=self.history.windows[window].start.to_pydatetime(),
                end=self.history.windows[window].end.to_pydatetime(),
            )
            rows = self._answers(window, self.history.places(window))
            found = performance.summarize(
                rows, span, self.history.settings, reference={}, known_until=self._end
            )
            self._metrics[version] = found.metrics
        return self._metrics[version]

    @cached_property
    def _features(self) -> pd.DataFrame:
        return select_features(self.history.labelled, self.history.settings.feature_dtypes)

    @cached_property
    def _end(self) -> datetime:
        """When every label has come."""
        newest = self.history.labelled[TIMESTAMP].iloc[-1]
        return (newest + self.history.settings.label_delay).to_pydatetime()

    def _moments(self, rows: slice) -> pd.Series:
        return self.history.labelled[TIMESTAMP].iloc[rows].reset_index(drop=True)

    def _columns(self, version: int, rows: slice) -> pd.DataFrame:
        scores = self.history.scores(version, rows).max(axis=1)
        features = self._features.iloc[rows].reset_index(drop=True)
        return features.assign(**{PREDICTION: scores})

    def _profile(self, version: int) -> Profile:
        if version not in self._profiles:
            window, settings = self.history.held_out(version), self.history.settings
            rows = self.history.places(window)
            moments = self._moments(rows)
            ageing = {
                name: Ageing(per=per, as_of=moments.max().to_pydatetime())
                for name, per in settings.monitoring.drift.ageing.items()
            }
            columns = self._columns(window, rows)
            self._profiles[version] = profile_reference(
                columns, settings.feature_dtypes, ageing=ageing, moments=moments
            )
        return self._profiles[version]

    def _answers(self, version: int, rows: slice) -> pd.DataFrame:
        """As `ml.monitoring.outcomes.with_outcomes` has them."""
        history = self.history
        scores = history.scores(version, rows)
        answers = pd.DataFrame(
            {
                "model_version": version,
                "features_as_of": self._moments(rows),
                "score": scores.max(axis=1),
                "label": history.labelled[history.settings.target.name].to_numpy()[rows],
            }
        )
        if history.settings.target.task == "multiclass":
            classes = np.asarray(history.versions[version].classes).astype(str)
            answers["predicted"] = classes[scores.argmax(axis=1)]
        return answers

    def _calibrated(self, version: int, rows: slice) -> np.ndarray:
        """As `mlops_assets.monitoring.performance.calibrated`."""
        one = self.history.versions[version]
        if version not in self._probabilities:
            self._probabilities[version] = self._all_calibrated(version, one.scores[:, 0])
        return self._probabilities[version][rows.start - one.rows : rows.stop - one.rows]

    def _all_calibrated(self, version: int, scores: np.ndarray) -> np.ndarray:
        if self.history.settings.target.task != "binary":
            return np.full(len(scores), np.nan)
        window = self.history.held_out(version)
        held_out = self.history.places(window)
        before = self.history.scores(window, held_out)[:, 0]
        return performance.calibration_map(before, self.history.actual[held_out], scores)
