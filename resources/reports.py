"""Evidently's HTML, for the columns that offend; imported only to draw some (11-14 CPU s).

Whether a column has drifted is decided by `mlops_assets.ml.monitoring.drift`.
"""

import warnings
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from mlops_assets.errors import ReportError
from mlops_assets.records.monitoring import DriftSummary

if TYPE_CHECKING:
    import pandas as pd

    from mlops_assets.ml.frames import FeatureDtypes


class EvidentlyReports(dg.ConfigurableResource):
    """Pages for a person to read; no verdict comes from them."""

    most_rows: int = Field(20_000, ge=1, description="Of each side; a sample beyond.")

    def render(
        self,
        summary: DriftSummary,
        columns: Collection[str],
        reference: "pd.DataFrame",
        live: "pd.DataFrame",
        dtypes: "FeatureDtypes",
        threshold: float,
        titles: Mapping[str, str],
    ) -> str | None:
        """The page of some columns, as HTML; a column is called by its title, if it has one.

        Evidently refuses a column that has no value on one side; such are left out, and without any
        other there is no page: None. Scores and verdicts on it are those of `summary`: Evidently's
        default score changes its direction with the number of rows, and its PSI, of thirty bins of
        equal width, sees nothing move in a skewed column.
        """
        from mlops_assets.ml.monitoring.profiles import with_prediction

        current, before = self._sample(live), self._sample(reference)
        kinds = {
            name: kind
            for name, kind in with_prediction(dtypes).items()
            if name in columns and _has_values(current, name) and _has_values(before, name)
        }
        if not kinds:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries about each other
            from evidently import DataDefinition, Dataset, Report
            from evidently.presets import DataDriftPreset

            shown = {titles.get(name, name): name for name in kinds}
            method = _judged(summary, threshold, shown)
            definition = DataDefinition(
                numerical_columns=[one for one, name in shown.items() if kinds[name] != "string"],
                categorical_columns=[one for one, name in shown.items() if kinds[name] == "string"],
            )
            # One column that drifted is a drift, here as in the summary.
            preset = DataDriftPreset(method=method, drift_share=1 / len(kinds))
            new, old = (
                Dataset.from_pandas(side[list(kinds)].set_axis(list(shown), axis=1), definition)
                for side in (current, before)
            )
            try:
                return Report([preset]).run(new, old).get_html_str(as_iframe=False)
            except ValueError as err:
                raise ReportError(
                    f"Evidently cannot draw {list(kinds)}: {err}; the verdict stands in the "
                    "report's metadata"
                ) from err

    def _sample(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        if len(frame) > self.most_rows:
            frame = frame.sample(self.most_rows, random_state=0)
        return frame.reset_index(drop=True)


def _judged(summary: DriftSummary, threshold: float, shown: Mapping[str, str]) -> str:
    """Name of a method, made known to Evidently, that answers what `summary` says of a column."""
    from evidently.legacy.calculations.stattests import StatTest, register_stattest
    from evidently.legacy.core import ColumnType

    def judge(
        reference: "pd.Series", _live: "pd.Series", _kind: ColumnType, _threshold: float
    ) -> tuple[float, bool]:
        name = shown[str(reference.name)]
        return summary.scores[name], name in summary.drifted_columns

    kinds = [ColumnType.Numerical, ColumnType.Categorical]
    test = StatTest("mlops_assets", "PSI, corrected for chance", kinds, threshold)
    register_stattest(test, judge)
    return test.name


def _has_values(frame: "pd.DataFrame", name: str) -> bool:
    return name in frame.columns and bool(frame[name].notna().any())
