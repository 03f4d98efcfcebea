"""The reference of a window that follows a season: what was live in earlier windows like it.

Features are compared with those of all versions whose features are defined alike, predictions with
those of the same version only. Where too little was live, the profile of the held-out rows takes
its place, and a note says so.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import NamedTuple

from mlops_assets.blocks.monitoring import SEASON_WEEKS, WEEK, DriftSettings, Reference
from mlops_assets.config import ModelSettings
from mlops_assets.ml.monitoring.column_bins import refined
from mlops_assets.ml.monitoring.judged import judged_parts
from mlops_assets.ml.monitoring.live_profiles import answered, window_of
from mlops_assets.ml.monitoring.profiles import PREDICTION
from mlops_assets.records.monitoring import Window
from mlops_assets.records.profile import Counting, Part, Profile

_YEARS = 3
"""How far back `same_month` looks."""


class Chosen(NamedTuple):
    """What a window is compared with."""

    profile: Profile
    kind: Reference
    notes: tuple[str, ...] = ()


def features_digest(settings: ModelSettings) -> str:
    """Short hash of what the features are; two versions with the same one were fed the same."""
    features = settings.features.model_dump(mode="json", include={"aggregates", "columns"})
    for aggregate in features["aggregates"].values():
        if not aggregate["where"]:  # so it is defined as before there was such a key
            del aggregate["where"]
    if settings.features.dates:
        features |= settings.features.model_dump(mode="json", include={"dates"})
    defined = json.dumps([features, settings.feature_dtypes], sort_keys=True)
    return hashlib.sha256(defined.encode()).hexdigest()[:12]


def counting_for(training: Profile, length: timedelta, kind: Reference) -> Counting:
    """How live rows are counted, to be compared with `training` and with earlier windows."""
    bins = training.bins
    if kind != "training":
        bins = {name: refined(one) for name, one in bins.items()}
    return Counting(bins=bins, window=length)


def earlier_windows(window: Window, kind: Reference) -> list[Window]:
    """The windows before `window` that a reference of this kind is made of, the newest first."""
    begin, length = window.start, window.end - window.start
    if kind == "training":
        return []
    if kind == "same_weekday":
        starts = [begin - week * WEEK for week in range(1, SEASON_WEEKS + 1)]
    else:
        oldest = window_of(begin - timedelta(days=_YEARS * 366 + 31), length)
        steps = range(1, (begin - oldest.start) // length + 1)
        before = [begin - step * length for step in steps]
        starts = [
            s for s in before if s.month == begin.month and 1 <= begin.year - s.year <= _YEARS
        ]
    return [Window(start=start, end=start + length) for start in starts]


def choose_reference(
    parts: Sequence[Part],
    counting: Counting,
    training: Profile,
    version: int,
    settings: DriftSettings,
) -> Chosen:
    """The season's profile column by column, or `training` where the season's history is short.

    `parts` are those of the earlier windows, of all versions that may be compared.
    """
    if settings.reference == "training":
        return Chosen(training, "training")
    everyone = {part.model_version for part in parts}
    features, missing = _history(parts, counting, everyone, settings)
    if missing:
        return Chosen(training, "training", (f"compared with training: {missing}",))
    own, missing = _history(parts, counting, {version}, settings)
    if not missing:
        columns = features.columns | {PREDICTION: own.columns[PREDICTION]}
        return Chosen(Profile(rows=features.rows, columns=columns), settings.reference)
    columns = features.columns | {PREDICTION: training.columns[PREDICTION]}
    note = f"{PREDICTION} is compared with training: of version {version}, {missing}"
    return Chosen(Profile(rows=features.rows, columns=columns), settings.reference, (note,))


def _history(
    parts: Sequence[Part], counting: Counting, versions: Collection[int], settings: DriftSettings
) -> tuple[Profile, str]:
    """What these versions answered, and what it lacks to be a reference; empty: nothing."""
    enough = settings.min_rows
    found = answered(parts, counting, versions, enough)
    ours = [part for part in judged_parts(parts, enough) if part.model_version in versions]
    windows = len({part.start for part in ours})
    if windows >= settings.history and found.rows >= settings.min_rows:
        return found, ""
    return found, (
        f"{windows} earlier windows with {found.rows} rows, and {settings.reference} needs "
        f"{settings.history} with {settings.min_rows}"
    )
