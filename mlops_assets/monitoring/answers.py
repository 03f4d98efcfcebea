"""Which answers in the prediction log a version is judged by, and what it promised."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.ml.inference.scoring import class_names
from mlops_assets.ml.monitoring.judged import judged_rows
from mlops_assets.ml.monitoring.prediction_log import FEATURE, combine
from mlops_assets.model_versions.fetched import fetched
from mlops_assets.records.promotion import Promotion
from resources.champion.aliases import registered
from resources.tracking.tracking import MLflowTracking


def served(predictions: pd.DataFrame, head: Promotion | None) -> pd.DataFrame:
    """The answers that clients got from the champion."""
    version = head.to_version if head else 0
    ours = (predictions["model_version"] == version) & (predictions["role"] == "primary")
    return predictions[ours].reset_index(drop=True)


def judged_answers(
    recent: pd.DataFrame,
    history: Sequence[Promotion],
    settings: ModelSettings,
    tracking: MLflowTracking,
) -> pd.DataFrame:
    """The champion's answers, and what it says of newer moments that others were asked about.

    Of both those that `judged_rows` chooses. So a version is judged from its first day on: by the
    rows that it has not learnt from and that another version answered, scored anew from their
    logged features. A version whose log lacks one of the features had others; its rows are left
    out.
    """
    rules = settings.monitoring
    recent = judged_rows(recent, rules.window, rules.performance.min_rows)
    champion, until = history[-1].to_version if history else 0, learnt_until(history)
    ours = recent[recent["model_version"] == champion].reset_index(drop=True)
    if until is None:
        return ours
    columns = {f"{FEATURE}{name}": name for name in settings.features.names}
    newer = recent["features_as_of"] > until
    others = recent[newer & (recent["model_version"] != champion)]
    complete = others.reindex(columns=list(columns)).notna().groupby(others["model_version"]).any()
    versions = complete.index[complete.all(axis=1)]
    others = others[others["model_version"].isin(versions)]
    if others.empty:
        return ours
    version = registered(settings.name, champion, tracking)
    with fetched(version, tracking, settings) as one:
        said = one.scored(others[list(columns)].rename(columns=columns), settings)
    anew = others.assign(score=said.scores.max(axis=1), model_version=version.version)
    if names := class_names(said.model, said.task):
        anew["predicted"] = np.array(names, dtype=object)[said.scores.argmax(axis=1)]
    return combine([ours, anew])


def learnt_until(history: Sequence[Promotion]) -> datetime | None:
    """Newest moment of the rows that the champion was trained or tested on; None: not known."""
    found = (_evaluation(history) or {}).get("learnt_until")
    return datetime.fromisoformat(found) if found else None


def held_out_metrics(history: Sequence[Promotion]) -> dict[str, float]:
    """What the gate measured of the champion when it was promoted; empty if it never did."""
    return dict((_evaluation(history) or {}).get("metrics", {}))


def _evaluation(history: Sequence[Promotion]) -> dict[str, Any] | None:
    """The champion's newest, as the ledger holds it."""
    version = history[-1].to_version if history else None
    found = [m.evaluation for m in history if m.to_version == version and m.evaluation]
    return found[-1] if found else None
