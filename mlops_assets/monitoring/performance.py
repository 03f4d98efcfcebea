"""How well the champion predicted, window by window; its final verdicts, kept with the version.

What a window is and how it is judged is arithmetic of `ml.monitoring.performance`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np
import pandas as pd
from pydantic import ValidationError

from mlops_assets.config import ModelSettings
from mlops_assets.errors import FeatureError
from mlops_assets.ml.documented import Labels
from mlops_assets.ml.frames import label_array
from mlops_assets.ml.monitoring.outcomes import with_outcomes
from mlops_assets.ml.monitoring.performance import calibration_map, summarize_windows
from mlops_assets.ml.stored_rows import AnyRows
from mlops_assets.ml.training.fit import split
from mlops_assets.model_versions.fetched import fetched
from mlops_assets.monitoring.answers import held_out_metrics, judged_answers
from mlops_assets.records.monitoring import PerformanceReport, PerformanceSummary
from mlops_assets.records.promotion import Promotion
from resources.champion.aliases import registered
from resources.champion.ledger import PromotionLedger
from resources.prediction_log.log import PredictionLog
from resources.tracking.tracking import MLflowTracking

FINAL_FILE = "final_windows.json"
"""Beside a version in the registry: the verdicts on it that do not change any more."""


def judged_windows(
    known: Labels,
    features: Callable[[], AnyRows],
    settings: ModelSettings,
    predictions: PredictionLog,
    ledger: PromotionLedger,
    tracking: MLflowTracking,
    now: datetime,
) -> PerformanceReport:
    """The windows of the log that the champion answered, each with its verdict; final ones kept.

    Args:
        known: Targets of what was predicted.
        features: Gives features and targets known today, for the calibration of the estimate.
        settings: Of the model, as the champion was trained.
        predictions: The log.
        ledger: Who is champion, and what the gate measured of it.
        tracking: Where the champion and its earlier verdicts are.
        now: When this is asked.
    """
    recent = predictions.recent(settings.name, settings.watched_span, settings.monitoring.window)
    history = ledger.history(settings.name)
    live = judged_answers(recent, history, settings, tracking)
    joined = with_outcomes(live, known.rows, settings)
    not_estimated = ""
    try:
        joined["calibrated"] = calibrated(joined, features, settings, tracking)
    except FeatureError as err:
        not_estimated = str(err)
    report = summarize_windows(
        joined,
        settings,
        reference=held_out_metrics(history),
        known_until=known.record.known_until,
        now=now,
        settled=_settled_windows(settings.name, history, tracking),
    )
    _settle(report, tracking)
    return report.model_copy(update={"not_estimated": not_estimated})


def _settled_windows(
    model: str, history: Sequence[Promotion], tracking: MLflowTracking
) -> tuple[PerformanceSummary, ...]:
    """The final verdicts on the champion that were given before; they are kept with the version."""
    if not history:
        return ()
    champion = registered(model, history[-1].to_version, tracking)
    text = tracking.run_of(champion).read_text(FINAL_FILE)
    try:
        return PerformanceReport.model_validate_json(text).windows if text else ()
    except ValidationError:  # of another release: given anew
        return ()


def _settle(report: PerformanceReport, tracking: MLflowTracking) -> None:
    """Keep the verdicts of a report that are final; `unknown` is none, and late rows may end it."""
    final = tuple(one for one in report.windows if one.final and one.verdict != "unknown")
    if final:
        version = registered(final[0].model, final[0].model_version, tracking)
        kept = PerformanceReport(windows=final).model_dump_json()
        tracking.run_of(version).log_text(FINAL_FILE, kept)


def calibrated(
    live: pd.DataFrame,
    features: Callable[[], AnyRows],
    settings: ModelSettings,
    tracking: MLflowTracking,
) -> np.ndarray:
    """Probability that rows of such scores were positive among the held-out ones; NaN: no binary.

    `live` are predictions of one version, `features` gives the rows and targets known today.
    """
    if settings.target.task != "binary" or live.empty:
        return np.full(len(live), np.nan)
    version = registered(settings.name, int(live["model_version"].iloc[0]), tracking)
    test = split(features(), settings).test
    with fetched(version, tracking, settings) as one:
        scores = one.scored(test, settings).scores[:, 0]
    actual = label_array(test[settings.target.name], "binary")
    return calibration_map(scores, actual, live["score"].to_numpy())
