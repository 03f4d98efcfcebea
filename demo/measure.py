"""What the versions were worth: labels, calibration and drift of every month that was asked."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from demo.story import Month, Quality
from demo.system import System
from mlops_assets.ml.evaluation.metrics import metrics_of
from mlops_assets.ml.file_part import in_memory
from mlops_assets.ml.frames import label_array
from mlops_assets.ml.monitoring.drift import summarize
from mlops_assets.ml.monitoring.outcomes import known_labels, predicted_moments, with_outcomes
from mlops_assets.ml.monitoring.prediction_log import FEATURE
from mlops_assets.ml.monitoring.profiles import PREDICTION, profile
from mlops_assets.model_versions.fetched import fetched
from mlops_assets.monitoring.live_window import stored_profile
from mlops_assets.records.monitoring import DriftSummary, Window

_ALWAYS = datetime.fromtimestamp(0, UTC), datetime(2100, 1, 1, tzinfo=UTC)


def answered(system: System) -> pd.DataFrame:
    """Every row that the log holds of answers to clients, with its label as far as it is known."""
    log = system.tools.predictions.read(system.settings.name, *_ALWAYS)
    log = log[log["role"] == "primary"]
    known = known_labels(
        system.value("processed_data"), predicted_moments(log, system.settings), system.settings
    )
    return with_outcomes(log, known, system.settings)


def measured(system: System, months: Sequence[Month], rows: pd.DataFrame) -> list[Month]:
    """The months with the quality of the version that answered, and of the first one.

    The first version scores the logged features again, offline: the same rows, the same labels.
    """
    asked = [month for month in months if month.acknowledged]
    times = sorted(rows["event_time"].unique())
    batches = {
        month.now: rows[rows["event_time"] == moment].reset_index(drop=True)
        for month, moment in zip(asked, times, strict=True)
    }
    return [
        _measured(system, month, batches[month.now], months[0].version)
        if month.now in batches
        else month
        for month in months
    ]


def _measured(system: System, month: Month, rows: pd.DataFrame, first: int) -> Month:
    live = rows["score"].to_numpy()
    names = {f"{FEATURE}{name}": name for name in system.settings.features.names}
    with fetched(system.registered(first), system.tools.tracking, system.settings) as one:
        said = one.scored(rows.rename(columns=names), system.settings)
    features = in_memory(said.features)
    return month.model_copy(
        update={
            "labelled": int(rows["label"].notna().sum()),
            "live": _quality(system, month.version, rows, features, live),
            "first": _quality(system, first, rows, features, said.scores[:, 0]),
        }
    )


def _quality(
    system: System, number: int, rows: pd.DataFrame, features: pd.DataFrame, scores: np.ndarray
) -> Quality:
    return Quality(
        metrics=_metrics(rows["label"], scores),
        drift=_drift(system, number, rows, features.assign(**{PREDICTION: scores})),
    )


def _metrics(labels: pd.Series, scores: np.ndarray) -> dict[str, float]:
    known = labels.notna().to_numpy()
    if not known.any():
        return {}
    return metrics_of(label_array(labels[known], "binary"), scores[known][:, None], "binary")


def _drift(system: System, number: int, rows: pd.DataFrame, columns: pd.DataFrame) -> DriftSummary:
    """As `drift_report` judges, whatever version answered."""
    reference = stored_profile(system.registered(number), system.tools.tracking)
    bins = {name: column.bins for name, column in reference.columns.items()}
    start = rows["event_time"].iloc[0].to_pydatetime()
    window = Window(start=start, end=start + timedelta(microseconds=1))
    live = profile(columns, bins, rows["features_as_of"])
    return summarize(reference, live, system.settings, number, window)
