"""The newest windows of the served version: gathered from log, ledger and registry, and judged."""

import json
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import NamedTuple

import pandas as pd
from pydantic import ValidationError

from mlops_assets.config import ModelSettings
from mlops_assets.errors import TrackingError
from mlops_assets.ml.file_part import Part, in_memory, with_column
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.monitoring.drift import Finding, examine
from mlops_assets.ml.monitoring.judged import judged_parts, judged_rows
from mlops_assets.ml.monitoring.live_profiles import answered, as_profiled, complete_windows
from mlops_assets.ml.monitoring.profiles import PREDICTION, profile_reference
from mlops_assets.ml.monitoring.seasons import (
    choose_reference,
    counting_for,
    earlier_windows,
    features_digest,
)
from mlops_assets.ml.stored_rows import AnyRows
from mlops_assets.ml.training.fit import split
from mlops_assets.model_versions.fetched import fetched
from mlops_assets.records.evaluation import ModelVersion
from mlops_assets.records.files import PROFILE_FILE
from mlops_assets.records.monitoring import Window
from mlops_assets.records.profile import Ageing, Profile
from resources.champion.aliases import registered
from resources.champion.ledger import PromotionLedger
from resources.prediction_log.log import PredictionLog
from resources.reports import EvidentlyReports
from resources.tracking.tracking import MLflowTracking


class Seen(NamedTuple):
    """A verdict, and where what it compares can be read again."""

    finding: Finding
    version: ModelVersion
    season: list[Window]
    """Earlier windows that are the reference, the newest first; empty: the held-out rows are."""
    versions: list[int]
    """Whose answers those windows hold."""


def newest_findings(
    settings: ModelSettings,
    predictions: PredictionLog,
    ledger: PromotionLedger,
    tracking: MLflowTracking,
    now: datetime,
) -> list[Seen]:
    """Judge the newest windows that are over, the oldest first.

    Of the log only what is new is read, late rows of older windows too. A window in which nobody
    asked the served version is left out, unless all are.
    """
    name, rules = settings.name, settings.monitoring.drift
    version = served_version(settings, tracking, ledger)
    training = stored_profile(version, tracking)
    counting = counting_for(training, settings.monitoring.window, rules.reference)
    windows = complete_windows(predictions.newest(name), now, counting.window, rules.windows)
    live = predictions.parts(name, windows, counting, [version.version])
    asked = {part.start for part in judged_parts(live, rules.min_rows)}
    windows = [window for window in windows if window.start in asked] or windows[-1:]
    earlier = {one.start: earlier_windows(one, rules.reference) for one in windows}
    before = {one.start: one for found in earlier.values() for one in found}
    versions = comparable_versions(version, training, ledger, tracking) if before else []
    history = predictions.parts(name, list(before.values()), counting, versions)
    found = []
    for window in windows:
        season = {one.start for one in earlier[window.start]}
        reference = choose_reference(
            [part for part in history if part.start in season],
            counting,
            training,
            version.version,
            rules,
        )
        inside = [part for part in live if part.start == window.start]
        ours = answered(inside, counting, enough=rules.min_rows)
        finding = examine(reference, ours, settings, version.version, window)
        used = earlier[window.start] if reference.kind != "training" else []
        found.append(Seen(finding, version, used, versions))
    return found


def comparable_versions(
    version: ModelVersion, training: Profile, ledger: PromotionLedger, tracking: MLflowTracking
) -> list[int]:
    """This version, and all that were ever served whose features are defined as its own are."""
    others = {move.to_version for move in ledger.history(version.name)} - {version.version}
    found = [version.version]
    for number in others:
        other = tracking.registry.version(version.name, number)
        text = tracking.run_of(other).read_text(PROFILE_FILE) if other else None
        digest = json.loads(text).get("features_digest") if text else None
        if digest and digest == training.features_digest:
            found.append(number)
    return sorted(found)


def served_version(
    settings: ModelSettings, tracking: MLflowTracking, ledger: PromotionLedger
) -> ModelVersion:
    """The champion as the registry knows it; `TrackingError` if there is none in it."""
    head = ledger.head(settings.name)
    if head is None:
        raise TrackingError(
            f"no version of {settings.name} was ever champion; deploy one first: "
            f"`mlops run {settings.name}`"
        )
    return registered(settings.name, head.to_version, tracking)


def stored_profile(version: ModelVersion, tracking: MLflowTracking) -> Profile:
    """The profile kept with a version; `TrackingError` if none was, or by another release."""
    text = tracking.run_of(version).read_text(PROFILE_FILE)
    if text is None:
        raise TrackingError(
            f"{version.uri} has no {PROFILE_FILE}; materialize {version.name}/reference_profile "
            "while it is the newest version, or train a new one"
        )
    try:
        return Profile.model_validate_json(text)
    except ValidationError as err:
        raise TrackingError(
            f"{PROFILE_FILE} of {version.uri} is of another release ({err.error_count()} errors); "
            f"train {version.name} anew: `mlops run {version.name}`"
        ) from err


def held_out_profile(
    rows: AnyRows, model: ModelVersion, settings: ModelSettings, tracking: MLflowTracking
) -> Profile:
    """The reference profile of a version, from features and targets known today."""
    held_out = split(rows, settings).test
    moments = held_out[TIMESTAMP]
    ageing = {
        name: Ageing(per=per, as_of=moments.max().to_pydatetime())
        for name, per in settings.monitoring.drift.ageing.items()
    }
    found = profile_reference(
        held_out_columns(held_out, model, settings, tracking),
        settings.feature_dtypes,
        ageing=ageing,
        moments=moments,
    )
    return found.model_copy(update={"features_digest": features_digest(settings)})


def held_out_columns(
    held_out: Part, model: ModelVersion, settings: ModelSettings, tracking: MLflowTracking
) -> Part:
    """Features of the held-out rows and what the version says of them."""
    with fetched(model, tracking, settings) as one:
        said = one.scored(held_out, settings)
    return with_column(said.features, PREDICTION, said.scores.max(axis=1))


def draw(
    seen: Seen,
    columns: Collection[str],
    rows: Callable[[], AnyRows],
    settings: ModelSettings,
    predictions: PredictionLog,
    tracking: MLflowTracking,
    reports: EvidentlyReports,
) -> str | None:
    """Address of Evidently's page of some columns, or `MlopsError`; it alone reads whole rows."""
    summary, enough = seen.finding.summary, settings.monitoring.drift.history
    live = _rows(predictions, settings, [summary.window], [seen.version.version])
    if seen.season:
        before = _rows(predictions, settings, seen.season[:enough], seen.versions)
    else:
        held_out = split(rows(), settings).test
        before = in_memory(held_out_columns(held_out, seen.version, settings, tracking))
    threshold = settings.monitoring.drift.threshold
    dtypes = settings.feature_dtypes
    html = reports.render(summary, columns, before, live, dtypes, threshold, settings.titles)
    if html is None:
        return None
    page = f"drift/{summary.window.start:%Y%m%dT%H%M%S}.html"
    tracking.run_of(seen.version).log_text(page, html)
    run, mark, view = tracking.links(seen.version)["mlflow_run"].partition("?")
    return f"{run}/artifacts/{page}{mark}{view}"


def _rows(
    predictions: PredictionLog,
    settings: ModelSettings,
    windows: Iterable[Window],
    versions: Collection[int],
) -> pd.DataFrame:
    """What these windows are judged by, of these versions, under the names of the profiles."""
    frames = [predictions.read(settings.name, window.start, window.end) for window in windows]
    logged = pd.concat([frame for frame in frames if len(frame)] or frames[:1])
    ours = logged[logged["model_version"].isin(list(versions))]
    rules = settings.monitoring
    return as_profiled(judged_rows(ours, rules.window, rules.drift.min_rows))
